"""Exceptions that commands show as one line, and suggestions for misspelt names."""
import difflib
from collections.abc import Iterable

from utils.text import plain


class UserError(Exception):
    """A mistake of the user. One line: what is wrong, with the value, and the way out.

    A name in it, such as a key or a file, may hold any character, also the end of a line.
    """

    def __str__(self) -> str:
        return plain(super().__str__())


class DataError(UserError, ValueError):
    """A file that is missing, damaged or of the wrong kind."""


class CheckpointError(UserError, ValueError):
    """A checkpoint that is missing, unreadable or of another model."""


def nearest(word: str, known: Iterable[str]) -> str:
    """Returns '; nearest: a, b' with the known words that are similar; '' if none is."""
    near = difflib.get_close_matches(word, known, n=3, cutoff=0.6)
    return f"; nearest: {', '.join(near)}" if near else ''
