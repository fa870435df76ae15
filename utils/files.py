"""Output files."""
import contextlib
import os
from collections.abc import Iterator

from utils.errors import DataError


@contextlib.contextmanager
def writing(path: str | os.PathLike) -> Iterator[None]:
    """Around the writing of a file: creates its folder, turns an OSError into a DataError."""
    try:
        os.makedirs(os.path.dirname(path) or '.', exist_ok=True)
        yield
    except OSError as error:
        raise DataError(f'{path} cannot be written: {error.strerror or error}') from None
