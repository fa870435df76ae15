"""The one exception that scripts show to a user as a single line, and what it may suggest."""
import difflib
from collections.abc import Iterable


class UserError(Exception):
    """A mistake of the user's that one line explains: what is wrong, with the value, and the way out. Exit code 2."""


def nearest(word: str, known: Iterable[str]) -> str:
    """'; nearest: a, b' of the known words that are like it; '' where none is."""
    near = difflib.get_close_matches(word, known, n=3, cutoff=0.4)
    return f"; nearest: {', '.join(near)}" if near else ''
