"""Unpacks archives that come from elsewhere: regular files alone, inside their folder alone, and all of them or none."""
import gzip
import os
import pathlib
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable

from datasets import DataError
from datasets.progress import Progress

# Pictures and weights hardly shrink. What is unpacked may be this many times the archive, and so many bytes more.
_FACTOR, _SLACK = 10, 100_000_000
_CHUNK = 1 << 20
_DAMAGED = (tarfile.TarError, gzip.BadGzipFile, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)


def unpack(archive, folder, target: Callable[[str], str | None], last: Callable[[str], bool] = lambda path: False) -> list[str]:
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
    except _DAMAGED as error:
        reason = (str(error) or type(error).__name__).splitlines()[0].rstrip(':')
        raise DataError(f'{archive} is damaged, or no tar or zip archive ({reason}); remove it and run this again') from None
    except OSError as error:
        raise DataError(f'{archive} cannot be unpacked into {folder}: {error.strerror or error}') from None
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _extract(archive, staging, target):
    """Writes the wanted members below `staging`; returns their paths."""
    limit, total = _FACTOR * archive.stat().st_size + _SLACK, 0
    progress, paths = Progress(None, 'files'), set()
    for name, size, opened in _members(archive):
        total += size  # as declared, which neither tar nor zip lets a member exceed
        if total > limit:
            raise DataError(f'{archive} grows beyond {limit / 1e6:.0f} MB when unpacked, as no archive of this kind does')
        if (path := target(name)) is None:
            continue
        (staging / path).parent.mkdir(parents=True, exist_ok=True)
        with opened() as source, open(staging / path, 'wb') as file:
            shutil.copyfileobj(source, file)
        paths.add(path)
        progress.update()
    progress.close()
    return list(paths)


def _members(archive):
    """(name, size, function that opens it) of every regular file; the names of all other members are checked too."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as file:
            for info in file.infolist():
                name = _checked(info.filename, archive)
                if not info.is_dir():
                    yield name, info.file_size, lambda info=info: file.open(info)
        return
    with tarfile.open(archive) as file:
        for info in file:
            name = _checked(info.name, archive)
            if info.isreg():
                yield name, info.size, lambda info=info: file.extractfile(info)
        while file.fileobj.read(_CHUNK):
            pass  # to the end, where gzip's checksum is


def _checked(name, archive) -> str:
    """The name without './'; DataError where it leads outside, on Windows too."""
    path = pathlib.PurePosixPath(name)
    if path.is_absolute() or '..' in path.parts or '\\' in name or ':' in name:
        raise DataError(f"{archive} has a member '{name}', which would land outside its folder; nothing is unpacked")
    return str(path)
