"""Downloads of large files: resumed after an interruption, checked, and complete or absent.

Proxies are those of the environment (http_proxy, https_proxy, no_proxy).
"""
import hashlib
import http.client
import os
import pathlib
import ssl
import time
import urllib.error
import urllib.request

from utils.errors import DataError
from utils.progress import Progress

_CHUNK = 1 << 18
_TEMPORARY_CODES = (408, 416, 429)  # time-out, no such range, too many requests; and from 500 on
_NETWORK_ERRORS = (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError,
                   ssl.SSLError)


def download(url: str, path: str | os.PathLike, md5: str = '', *, attempts: int = 5,
             timeout: float = 30., pause: float = 1.) -> pathlib.Path:
    """Downloads `url` to `path`, if nothing is there already; returns the path.

    Args:
        md5: hexadecimal; '': not checked.
        attempts: each continues where the one before was cut, if the server can.
        timeout: of a silent connection, seconds.
        pause: before the second attempt, seconds; doubled for each further one.

    Raises:
        DataError: what is wrong and what to do, in one line.
    """
    path = pathlib.Path(path)
    part = path.with_name(path.name + '.part')
    try:
        if path.exists():
            if found := _other_md5(path, md5):
                raise DataError(f'{path} has MD5 {found}, published is {md5}; remove it and run '
                                'this again')
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        for attempt in range(attempts):
            if problem := _attempt(url, part, timeout):
                print(problem, flush=True)
                time.sleep(pause * 2 ** attempt if attempt < attempts - 1 else 0)
            else:
                break
        else:
            raise DataError(
                f'{url} cannot be downloaded ({attempts} attempts): {problem}. Is a proxy needed '
                '(https_proxy)? Without a network, bring the file from elsewhere, put it at '
                f'{path} and run this again')
        if found := _other_md5(part, md5):
            part.unlink()
            raise DataError(f'{url} came with MD5 {found}, published is {md5}: it is damaged or '
                            'has changed; nothing is kept')
        os.replace(part, path)
    except OSError as error:
        what = 'read: {}; remove it and run this again' if path.exists() \
            else 'written: {}; what has come so far is kept'
        raise DataError(f'{path} cannot be {what.format(error.strerror or error)}') from None
    return path


def _other_md5(path, md5) -> str:
    """Returns the MD5 of the file if it is not the published one, else ''."""
    digest = hashlib.md5(usedforsecurity=False)
    with open(path, 'rb') as file:
        while md5 and (chunk := file.read(_CHUNK)):
            digest.update(chunk)
    return digest.hexdigest() if md5 not in ('', digest.hexdigest()) else ''


def _attempt(url, part, timeout) -> str:
    """Appends to `part` what is missing; returns '', or why another attempt may succeed."""
    size = part.stat().st_size if part.exists() else 0
    headers = {'User-Agent': 'ssd-fetch'} | ({'Range': f'bytes={size}-'} if size else {})
    try:
        request = urllib.request.Request(url, headers=headers)
        with urllib.request.urlopen(request, timeout=timeout) as response:
            size = size if response.status == 206 else 0  # else the server sends the whole file
            length = response.headers.get('Content-Length', '')
            total = size + int(length) if length.isdecimal() else None
            with open(part, 'ab' if size else 'wb') as file, \
                    Progress(total, 'B', initial=size, unit_scale=True) as progress:
                while chunk := response.read1(_CHUNK):
                    file.write(chunk)
                    progress.update(len(chunk))
        size = part.stat().st_size
        cut = total not in (None, size)
        return f'the connection ended after {size} of {total} bytes' if cut else ''
    except urllib.error.HTTPError as error:
        text = f'the server says {error.code} {error.reason}'
        if error.code not in _TEMPORARY_CODES and error.code < 500:
            raise DataError(f'{url}: {text}') from None
        if error.code == 416:  # the part is too long
            part.unlink(missing_ok=True)
        return text
    except _NETWORK_ERRORS as error:
        reason = getattr(error, 'reason', error)
        return getattr(reason, 'strerror', None) or str(reason) or type(reason).__name__
