"""Plots in which names are text: what a user calls a class is no formula, whatever it holds."""
import functools
import typing
from collections.abc import Callable

_Drawing = typing.TypeVar('_Drawing', bound=Callable)


def literal(draw: _Drawing) -> _Drawing:
    """Decorates a function that draws with matplotlib, for which $ begins a formula."""
    @functools.wraps(draw)
    def drawing(*args, **options):
        import matplotlib  # takes a second, which only plots need

        with matplotlib.rc_context({'text.parse_math': False, 'text.usetex': False}):
            return draw(*args, **options)
    return typing.cast(_Drawing, drawing)
