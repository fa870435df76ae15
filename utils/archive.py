"""Unpacks archives that come from elsewhere: regular files alone, inside their folder alone, and all of them or none."""
import bz2
import errno
import gzip
import lzma
import os
import pathlib
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable

from utils.errors import DataError
from utils.progress import Progress

# Pictures and weights hardly shrink. What is unpacked may be this many times the archive, and so many bytes more; a member
# counts as its bytes and a block of the disk, so that empty ones come to an end too.
_FACTOR, _SLACK, _BLOCK = 10, 100_000_000, 4096
# Bytes that are read at once: of a file, and of a tar header, which holds a name or two. Some versions of tarfile take time
# and memory for a header that grow with the square of its length.
_CHUNK, _LONGEST_HEADER = 1 << 20, 1 << 13
# First bytes of a compressed tar.
_OPENERS = {b'\x1f\x8b': gzip.open, b'BZh': bz2.open, b'\xfd7zXZ': lzma.open}
# What Python's readers raise where an archive is not as it should be; ValueError, LookupError and struct.error come from numbers.
_DAMAGED = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, RuntimeError,
            ValueError, LookupError, ArithmeticError, struct.error, MemoryError)


def unpack(archive: str | os.PathLike, folder: str | os.PathLike, target: Callable[[str], str | None],
           last: Callable[[str], bool] = lambda path: False) -> list[str]:
    """Unpacks a tar (plain or compressed) or zip archive; returns the paths written, relative to `folder`.

    Files are unpacked beside their places and then moved there, so that none is ever seen half written. Links and devices
    are left out.

    Args:
        target: member name -> path relative to `folder`, None to leave it out.
        last: paths that are moved after all others; where one of them can be seen, all the rest is there.

    Raises:
        DataError: the archive is damaged, has a member that would land outside, or grows beyond all measure; nothing is unpacked.
    """
    archive, folder = pathlib.Path(archive), pathlib.Path(folder)
    staging = folder / f'.unpacking-{archive.name}'
    try:
        shutil.rmtree(staging, ignore_errors=True)  # what a killed process left
        staging.mkdir(parents=True)
        paths = _extract(archive, staging, target)
        for path in sorted(paths, key=lambda path: (last(path), path)):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            os.replace(staging / path, folder / path)
        return paths
    except DataError:
        raise
    except _DAMAGED as error:
        raise _damaged(archive, error) from None
    except OSError as error:
        if error.errno in (None, errno.EINVAL):  # of a decompressor, or a place in the archive that no file has
            raise _damaged(archive, error) from None
        raise DataError(f'{archive} cannot be unpacked into {folder}: {error.strerror}') from None
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _damaged(archive, error):
    reason = (str(error) or type(error).__name__).splitlines()[0].rstrip(':')[:200]
    return DataError(f'{archive} is damaged, or no tar or zip archive ({reason}); remove it and run this again')


def _extract(archive, staging, target):
    """Writes the wanted members below `staging`; returns their paths."""
    limit, total = _limit(archive), 0
    progress, paths = Progress(None, 'files'), set()
    for name, size, opened in _members(archive):
        total += size + _BLOCK  # the size as declared, which neither tar nor zip lets a member exceed
        if total > limit:
            raise _grown(archive)
        if opened is None or (path := target(name)) is None:
            continue
        if pathlib.PurePath(path).parts[:1] == (staging.name,):
            raise DataError(f'{archive} has a member {name[:200]!r}, where it is unpacked itself; nothing is unpacked')
        (staging / path).parent.mkdir(parents=True, exist_ok=True)
        with opened() as source, open(staging / path, 'wb') as file:
            shutil.copyfileobj(source, file)
        paths.add(path)
        progress.update()
    progress.close()
    return list(paths)


def _limit(archive) -> int:
    return _FACTOR * archive.stat().st_size + _SLACK


def _grown(archive):
    return DataError(f'{archive} grows beyond {_limit(archive) / 1e6:.0f} MB when unpacked, as no archive of this kind does')


def _members(archive):
    """(name, size, function that opens it, None where it is no regular file) of every member."""
    with open(archive, 'rb') as file:
        first = file.read(8)
    if first.startswith(b'PK'):
        yield from _zip_members(archive)
    else:
        opener = next((opener for magic, opener in _OPENERS.items() if first.startswith(magic)), open)
        with opener(archive, 'rb') as file:
            yield from _tar_members(archive, _Tape(file, archive))


def _zip_members(archive):
    with zipfile.ZipFile(archive) as file:
        for info in file.infolist():
            # The upper half is the file's mode, where the archive comes from a Unix; 0 elsewhere.
            regular = stat.S_IFMT(info.external_attr >> 16) in (0, stat.S_IFREG) and not info.is_dir()
            yield _checked(info.filename, archive), info.file_size, (lambda info=info: file.open(info)) if regular else None


def _tar_members(archive, tape):
    with tarfile.open(fileobj=tape, mode='r:') as file:
        while (info := file.next()) is not None:
            file.members.clear()  # it keeps them all, which may be many
            tape.longest = _CHUNK
            yield _checked(info.name, archive), info.size, (lambda info=info: file.extractfile(info)) if info.isreg() else None
            tape.longest = _LONGEST_HEADER
        if tape.block != bytes(tarfile.BLOCKSIZE):  # tarfile takes a header that is cut or damaged for the end
            raise tarfile.ReadError('it ends without an end mark')
        tape.longest = _CHUNK
        while tape.read(_CHUNK):
            pass  # to the end, where gzip's checksum is


class _Tape:
    """An unpacked tar as tarfile reads it: forwards alone, to a limit, and no more at once than `longest` bytes."""

    def __init__(self, file, archive):
        self._file, self._archive, self._limit = file, archive, _limit(archive)
        self.longest, self.block = _LONGEST_HEADER, b''

    def read(self, size):
        """As a file does. block: what was read last."""
        if size > self.longest:
            raise tarfile.ReadError(f'it has a header of {size} bytes')
        self._check(self.tell() + size)
        self.block = self._file.read(size)
        return self.block

    def seek(self, position):
        """As a file does, forwards: going back would unpack all again, each time."""
        if position < self.tell():
            raise tarfile.ReadError('its members overlap')
        self._check(position)
        return self._file.seek(position)

    def tell(self):
        """As a file does."""
        return self._file.tell()

    def seekable(self):
        """As a file does."""
        return True

    def _check(self, position):
        if position > self._limit:
            raise _grown(self._archive)


def _checked(name, archive) -> str:
    """The name without './'; DataError where it leads outside, on Windows too."""
    path = pathlib.PurePosixPath(name)
    if path.is_absolute() or '..' in path.parts or '\\' in name or ':' in name:
        raise DataError(f'{archive} has a member {name[:200]!r}, which would land outside its folder; nothing is unpacked')
    return str(path)
