"""The exceptions that scripts show to a user as a single line, and what they may suggest."""
import difflib
from collections.abc import Iterable


class UserError(Exception):
    """A mistake of the user's that one line explains: what is wrong, with the value, and the way out. Exit code 2."""


class DataError(UserError, ValueError):
    """A file that is missing, damaged or of the wrong kind; the message is one line that names it and the way out."""


class CheckpointError(UserError, ValueError):
    """A checkpoint that is missing, unreadable or of another model; the message is one line with the way out."""


def nearest(word: str, known: Iterable[str]) -> str:
    """'; nearest: a, b' of the known words that are like it; '' where none is."""
    near = difflib.get_close_matches(word, known, n=3, cutoff=0.4)
    return f"; nearest: {', '.join(near)}" if near else ''
