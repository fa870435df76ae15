"""Output files and folders: complete or not at all, and one process at a time."""
import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator

from utils.errors import DataError, UserError

_LOCK, _STAGE = '.lock', '.writing'


@contextlib.contextmanager
def writing(path: str | os.PathLike) -> Iterator[None]:
    """Around the writing of a file: creates its folder, turns an OSError into a DataError."""
    try:
        os.makedirs(os.path.dirname(path) or '.', exist_ok=True)
        yield
    except OSError as error:
        raise DataError(f'{path} cannot be written: {error.strerror or error}') from None


def contents(folder: str | os.PathLike) -> list[str]:
    """The names in a folder, without those of `held` and `staged`; [] where there is no folder."""
    names = os.listdir(folder) if os.path.isdir(folder) else []
    return sorted(set(names) - {_LOCK, _STAGE})


@contextlib.contextmanager
def held(folder: str | os.PathLike) -> Iterator[None]:
    """Creates a folder, and keeps other processes that use this function out of it.

    The operating system ends the lock with its process, however that ends. A folder that was
    created and is still empty at the end is removed.

    Raises:
        UserError: another process has the folder, or it cannot be created.
    """
    path, made = os.path.join(folder, _LOCK), not os.path.isdir(folder)
    try:
        os.makedirs(folder, exist_ok=True)
        lock = _locked(path, folder)
    except OSError as error:
        raise UserError(f'folder {folder} cannot be used: {error.strerror}; name another one with '
                        '--output') from None
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.unlink(path)
            if made and not os.listdir(folder):
                os.rmdir(folder)
        os.close(lock)


def _locked(path, folder):
    """The open and locked file; it holds the number of the process."""
    while True:
        lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(lock, 20).decode(errors='replace') or 'unknown'
            os.close(lock)
            raise UserError(f'{folder} is in use by another process (number {owner}); wait until '
                            'it ends, or name another folder with --output') from None
        except OSError:
            pass  # some network file systems have no locks
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(lock), os.stat(path)):
                break
        os.close(lock)  # its owner ended and removed it in between
    os.ftruncate(lock, 0)
    os.write(lock, str(os.getpid()).encode())
    return lock


@contextlib.contextmanager
def staged(folder: str | os.PathLike, last: str) -> Iterator[str]:
    """Yields a new folder whose files take the place of those in `folder` when the block ends.

    It lies inside `folder`, which may therefore be a link or a mount point. An exception in the
    block, or a block that does not write `last`, leaves `folder` as it was.

    Args:
        folder: `held` by this process.
        last: the file without which the folder counts as unfinished: removed first, moved last.
    """
    stage = os.path.join(folder, _STAGE)
    try:
        shutil.rmtree(stage, ignore_errors=True)  # what a killed process left
        os.makedirs(stage)
        yield stage
        if last not in os.listdir(stage):
            return
        for name in sorted(contents(folder), key=lambda name: name != last):
            path = os.path.join(folder, name)
            shutil.rmtree(path) if os.path.isdir(path) and not os.path.islink(path) \
                else os.remove(path)
        for name in sorted(os.listdir(stage), key=lambda name: name == last):
            os.rename(os.path.join(stage, name), os.path.join(folder, name))
    finally:
        shutil.rmtree(stage, ignore_errors=True)
