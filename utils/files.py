"""Output files: their folder is made, and what goes wrong is one line."""
import contextlib
import os
from collections.abc import Iterator

from utils.errors import DataError


@contextlib.contextmanager
def writing(path: str | os.PathLike) -> Iterator[None]:
    """What the block does to write path: its folder exists then; an OSError becomes a DataError that names the path."""
    try:
        os.makedirs(os.path.dirname(path) or '.', exist_ok=True)
        yield
    except OSError as error:
        raise DataError(f'{path} cannot be written: {error.strerror or error}') from None
