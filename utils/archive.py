"""Unpacks tar and zip archives from the internet: regular files only, inside their folder only."""
import errno
import os
import pathlib
import shutil
import tarfile
import zipfile
from collections.abc import Callable, Iterator

from utils.errors import DataError, UserError
from utils.progress import Progress

# Limit of what is unpacked, as images and weights hardly shrink: this many times the size of the
# archive, and so many bytes more. A member counts a block more than its size.
_FACTOR, _SLACK, _BLOCK = 10, 100_000_000, 4096
# Members of a tar that hold the long name, or other facts, of the next one. Python reads each as a
# whole, so that a large one would fill the memory.
_HEADERS = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME,
            tarfile.GNUTYPE_LONGLINK)
_MOST_OF_A_HEADER = 1 << 20


def unpack(archive: str | os.PathLike, folder: str | os.PathLike,
           target: Callable[[str], str | None],
           last: Callable[[str], bool] = lambda path: False) -> list[str]:
    """Unpacks an archive beside its place, then moves the files there; returns their paths.

    Args:
        target: member name -> path relative to `folder`; None: leave it out.
        last: paths that are moved after all others; once they are there, everything is.

    Raises:
        DataError: the archive is damaged, has a member outside its folder, or is too large when
            unpacked; nothing is unpacked.
    """
    archive, folder = pathlib.Path(archive), pathlib.Path(folder)
    staging = folder / f'.unpacking-{archive.name}'
    try:
        shutil.rmtree(staging, ignore_errors=True)  # what a killed process left
        staging.mkdir(parents=True)
        names = Progress(None, 'files', iterable=_extract(archive, staging))
        found = {path: name for name in names if (path := target(name))}
        for path in sorted(found, key=lambda path: (last(path), path)):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            os.replace(staging / found[path], folder / path)
        return list(found)
    except UserError:
        raise
    except Exception as error:  # Python's readers raise a dozen kinds for a damaged archive
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            reason = error.strerror
            raise DataError(f'{archive} cannot be unpacked into {folder}: {reason}') from None
        reason = (str(error) or type(error).__name__).splitlines()[0].rstrip(':')[:200]
        raise DataError(f'{archive} is damaged, or no tar or zip archive ({reason}); remove it and '
                        'run this again') from None
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _extract(archive, staging) -> Iterator[str]:
    """Extracts the regular files into `staging`, yields their names."""
    limit = left = _FACTOR * archive.stat().st_size + _SLACK

    def checked(name, size):
        nonlocal left
        path = pathlib.PurePosixPath(name)
        if path.is_absolute() or '..' in path.parts:
            raise DataError(f'{archive} has a member {name[:200]!r}, which would land outside its '
                            'folder; nothing is unpacked')
        left -= size + _BLOCK
        if left < 0:
            raise DataError(f'{archive} grows beyond {limit / 1e6:.0f} MB when unpacked, as no '
                            'archive of this kind does')
        return str(path)

    class Member(tarfile.TarInfo):
        # That a subclass may have its own is said in tarfile.py.
        def _proc_member(self, *arguments, **options):
            if self.type in _HEADERS:
                checked('', self.size)
                if self.size > _MOST_OF_A_HEADER:
                    raise DataError(f'{archive} has an extended header of {self.size / 1e6:.0f} '
                                    'MB, as no archive of this kind has; nothing is unpacked')
            return super()._proc_member(*arguments, **options)

    try:
        opened = tarfile.open(archive, tarinfo=Member)  # noqa: SIM115 - closed below
    except tarfile.TarError:
        with zipfile.ZipFile(archive) as zipped:
            for info in zipped.infolist():
                name = checked(info.filename, info.file_size)
                if not info.is_dir():
                    zipped.extract(info, staging)  # a link becomes a file with its text
                    yield name
        return
    with opened as tar:
        for member in tar:
            name = checked(member.name, member.size)
            if member.isreg():
                path = staging / name
                path.parent.mkdir(parents=True, exist_ok=True)
                # Not tar.extract: Python 3.11.2, which Debian 12 has, lacks its filters.
                with tar.extractfile(member) as content, open(path, 'wb') as file:
                    shutil.copyfileobj(content, file)
                yield name
        while data := tar.fileobj.read(1 << 20):  # to the end, where the checksum of gzip is
            checked('', len(data))
