"""Downloads of large files: resumed where they were cut, checked, and whole or not there. Standard library only.

Proxies are those of the environment (http_proxy, https_proxy, no_proxy).
"""
import contextlib
import hashlib
import http.client
import json
import os
import pathlib
import shutil
import time
import urllib.error
import urllib.request

from utils.errors import DataError
from utils.progress import Progress

_MEGABYTE = 1_000_000
_CHUNK = 1 << 18
_PASSING_CODES = (408, 429)  # time-out, too many requests; and all from 500 on
_ANOTHER_RANGE = 416


class _Passing(Exception):
    """A fault that another attempt may not meet."""


def download(url: str, path: str | os.PathLike, md5: str = '', *, attempts: int = 5, timeout: float = 30.,
             pause: float = 1.) -> pathlib.Path:
    """Downloads `url` to `path`, if nothing is there already; returns the path.

    A download that was cut goes on where it was, if the server can and still has the same version of the file: the version is
    known by a strong ETag, else by its date of change. Otherwise it begins anew.

    Args:
        md5: hexadecimal, '' where none is published.
        attempts: so many in a row that bring nothing new end the download.  timeout: of a silent connection, seconds.
        pause: before the second attempt, seconds; each further one waits twice as long.

    Raises:
        DataError: one line with what is wrong and what to do, without a network too.
    """
    path = pathlib.Path(path)
    if path.exists():
        _check_present(path, md5)
        return path
    with _disk_faults_named(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        part = _Part(path, url)
        _receive_persistently(part, attempts, timeout, pause)
        if md5 and (found := _md5(part.path)) != md5:
            part.drop()
            raise DataError(f'{url} came with MD5 {found}, published is {md5}: it is damaged or has changed; nothing is kept')
        os.replace(part.path, path)
        part.drop()
    return path


def _check_present(path, md5):
    """DataError where a file that is there already cannot be the one."""
    try:
        if md5 and (found := _md5(path)) != md5:
            raise DataError(f'{path} has MD5 {found}, published is {md5}; remove it and run this again')
    except OSError as error:
        raise DataError(f'{path} cannot be read: {error.strerror}; remove it and run this again') from None


def _md5(path) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with open(path, 'rb') as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


@contextlib.contextmanager
def _disk_faults_named(path):
    try:
        yield
    except OSError as error:
        raise DataError(f'{path} cannot be written: {error.strerror or error}; what has come so far is kept') from None


class _Part:
    """What has come of a file so far, in <path>.part, and of which version of it, in <path>.part.json."""

    def __init__(self, whole: pathlib.Path, url: str):
        self.whole, self.url = whole, url
        self.path, self._origin = (whole.with_name(whole.name + ending) for ending in ('.part', '.part.json'))

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def version(self) -> str:
        """What tells the file's version; '' where this part cannot be gone on with."""
        try:
            origin = json.loads(self._origin.read_text(encoding='utf-8'))
            return origin['version'] if origin['url'] == self.url and self.size else ''
        except (OSError, ValueError, KeyError, TypeError):  # missing, no JSON, or none of ours
            return ''

    def begin(self, version: str):
        """Starts anew."""
        self.drop()
        self._origin.write_text(json.dumps({'url': self.url, 'version': version}), encoding='utf-8')

    def drop(self):
        self.path.unlink(missing_ok=True)
        self._origin.unlink(missing_ok=True)


def _receive_persistently(part, attempts, timeout, pause):
    """Fills `part`, in as many attempts as it takes while each brings more than any before."""
    failures, most = 0, part.size
    while True:
        try:
            return _receive(part, timeout)
        except _Passing as error:
            failures = 1 if part.size > most else failures + 1
            most = max(most, part.size)
            if failures >= attempts:
                raise DataError(
                    f'{part.url} cannot be downloaded ({attempts} attempts): {error}. Is a proxy needed (https_proxy)? Without a '
                    f'network, bring the file from elsewhere, put it at {part.whole} and run this again') from None
            wait = pause * 2 ** (failures - 1)
            print(f'{error}; again in {wait:g} s', flush=True)
            time.sleep(wait)


def _receive(part, timeout):
    """One attempt. Returns when `part` is whole; raises _Passing when another one may help."""
    response = _answer(part, timeout)
    if response is None:
        return
    with response:
        start, total = _start(response, part)
        _announce(part, start, total)
        _copy(response, part, start, total)


def _answer(part, timeout):
    """The server's response to a request for what is missing; None where nothing is."""
    headers = {'User-Agent': 'ssd-fetch'}
    if version := part.version():
        headers |= {'Range': f'bytes={part.size}-', 'If-Range': version}
    try:
        return urllib.request.urlopen(urllib.request.Request(part.url, headers=headers), timeout=timeout)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == _ANOTHER_RANGE and _whole_size(error.headers) == part.size:
                return None
            if error.code == _ANOTHER_RANGE:
                part.drop()
            elif error.code not in _PASSING_CODES and error.code < 500:
                raise DataError(f'{part.url}: the server says {error.code} {error.reason}') from None
            raise _Passing(f'the server says {error.code} {error.reason}') from None
    except (OSError, http.client.HTTPException) as error:  # a URLError is an OSError
        raise _Passing(_words(getattr(error, 'reason', error))) from None


def _start(response, part):
    """-> (first byte that comes, size of the whole file or None). Drops what is here where the server begins anew."""
    if response.status == 206:
        if not response.headers.get('Content-Range', '').startswith(f'bytes {part.size}-'):
            part.drop()
            raise _Passing('the server sent another part than the one asked for')
        return part.size, _whole_size(response.headers)
    part.begin(_version(response.headers))
    return 0, _number(response.headers.get('Content-Length', ''))


def _version(headers) -> str:
    """A strong ETag, else the date of change, else ''."""
    etag = headers.get('ETag', '')
    return etag if etag and not etag.startswith('W/') else headers.get('Last-Modified', '')


def _whole_size(headers) -> int | None:
    """The whole file's size from a Content-Range such as 'bytes 5-9/10' or 'bytes */10'."""
    return _number(headers.get('Content-Range', '').rpartition('/')[2])


def _number(text) -> int | None:
    """A size in bytes; None where the server says something else, or none that a file has."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else None


def _announce(part, start, total):
    """Says how large the file is; DataError where the disk has not the room."""
    size = f'{total / 1e6:.1f} MB' if total else 'size not told'
    print(f'{part.url}: {size}' + (f', {start / 1e6:.1f} MB are here already' if start else ''), flush=True)
    free = shutil.disk_usage(part.path.parent).free
    if total and total - start > free:
        raise DataError(f'{part.url} needs {(total - start) / 1e6:.0f} MB more; the disk of {part.path.parent} has '
                        f'{free / 1e6:.0f} MB free')


def _copy(response, part, start, total):
    """Appends what comes; _Passing where it ends too early."""
    progress = Progress(None if total is None else (total - start) // _MEGABYTE, 'MB')
    size = start
    with open(part.path, 'ab') as file:
        while chunk := _read(response):
            file.write(chunk)
            progress.update((size + len(chunk) - start) // _MEGABYTE - (size - start) // _MEGABYTE)
            size += len(chunk)
    progress.close()
    if total is not None and size != total:
        raise _Passing(f'the connection ended after {size} of {total} bytes')


def _read(response) -> bytes:
    try:
        return response.read1(_CHUNK)
    except (OSError, http.client.HTTPException) as error:
        raise _Passing(_words(error)) from None


def _words(error) -> str:
    """An exception, or the reason of one, in a few words."""
    return getattr(error, 'strerror', None) or str(error) or type(error).__name__
