"""Downloads from a server on this machine: cut, changed, refused, and resumed."""
import hashlib
import socket

import pytest

from tests.utils.server import Site, serving
from utils.download import download
from utils.errors import DataError

DATA = bytes(range(256)) * 1000
MD5 = hashlib.md5(DATA).hexdigest()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv('no_proxy', '*')


@pytest.fixture
def site():
    with serving(Site(file=DATA)) as site:
        yield site


def _download(site, tmp_path, md5=MD5, attempts=3):
    return download(
        site.url + '/file', tmp_path / 'deep/file', md5, attempts=attempts, timeout=5, pause=0.001
    )


def _left(tmp_path):
    return sorted(path.name for path in (tmp_path / 'deep').iterdir())


def test_whole(site, tmp_path, capsys):
    assert _download(site, tmp_path).read_bytes() == DATA
    assert _left(tmp_path) == ['file'] and site.requests == [None]
    assert '256k/256k' in capsys.readouterr().err
    # What is there is not downloaded again.
    _download(site, tmp_path)
    assert len(site.requests) == 1


def test_goes_on_where_the_connection_was_cut(site, tmp_path, capsys):
    site.cut = [1000, 5000]
    assert _download(site, tmp_path).read_bytes() == DATA
    assert site.requests == [None, 'bytes=1000-', 'bytes=6000-'] and _left(tmp_path) == ['file']
    assert 'the connection ended after 1000 of 256000 bytes' in capsys.readouterr().out


def test_goes_on_in_another_process(site, tmp_path):
    site.cut = [1000]
    with pytest.raises(
        DataError,
        match='cannot be downloaded .1 attempts.: the connection ended after 1000 of 256000 bytes',
    ):
        _download(site, tmp_path, attempts=1)
    assert _left(tmp_path) == ['file.part']
    assert _download(site, tmp_path).read_bytes() == DATA
    assert site.requests == [None, 'bytes=1000-']


def test_begins_anew_where_the_server_knows_no_ranges(site, tmp_path):
    site.ranges, site.cut = False, [1000]
    assert _download(site, tmp_path).read_bytes() == DATA
    assert site.requests == [None, 'bytes=1000-']


def test_a_file_that_has_changed_is_refused_by_its_checksum(site, tmp_path):
    site.cut = [1000]
    with pytest.raises(DataError):
        _download(site, tmp_path, attempts=1)
    site.files['/file'] = DATA[::-1]
    with pytest.raises(DataError, match='nothing is kept'):
        _download(site, tmp_path, md5=hashlib.md5(DATA[::-1]).hexdigest())
    assert _left(tmp_path) == []


@pytest.mark.parametrize('size', [len(DATA), len(DATA) + 7])
def test_begins_anew_where_the_part_is_whole_or_longer(site, tmp_path, size):
    site.cut = [1000]
    with pytest.raises(DataError):
        _download(site, tmp_path, attempts=1)
    (tmp_path / 'deep/file.part').write_bytes((DATA + b'surplus')[:size])
    site.requests.clear()
    assert _download(site, tmp_path).read_bytes() == DATA
    assert site.requests == [f'bytes={size}-', None]


def test_size_that_is_not_told(site, tmp_path):
    site.sized = False
    assert _download(site, tmp_path).read_bytes() == DATA


def test_wrong_checksum_keeps_nothing(site, tmp_path):
    with pytest.raises(
        DataError,
        match=f'came with MD5 {MD5}, published is 0123: it is damaged or has changed; '
        'nothing is kept',
    ):
        _download(site, tmp_path, md5='0123')
    assert _left(tmp_path) == []


def test_wrong_checksum_of_a_file_that_was_there(site, tmp_path):
    (tmp_path / 'deep').mkdir()
    (tmp_path / 'deep/file').write_bytes(b'mine')
    with pytest.raises(
        DataError, match='deep/file has MD5 .*, published is .*; remove it and run this again'
    ):
        _download(site, tmp_path)
    assert (tmp_path / 'deep/file').read_bytes() == b'mine' and not site.requests


def test_folder_in_the_files_place(site, tmp_path):
    (tmp_path / 'deep/file').mkdir(parents=True)
    with pytest.raises(
        DataError, match='deep/file cannot be read: Is a directory; remove it and run this again'
    ):
        _download(site, tmp_path)


def test_404_is_not_tried_again(site, tmp_path):
    with pytest.raises(DataError, match='/none: the server says 404 Not Found'):
        download(site.url + '/none', tmp_path / 'file', pause=0.001)
    assert len(site.requests) == 1


def test_server_that_is_busy_is_tried_again(site, tmp_path):
    site.codes = [503, 429]
    assert _download(site, tmp_path).read_bytes() == DATA
    site.codes = [500] * 9
    site.requests.clear()
    (tmp_path / 'deep/file').unlink()
    with pytest.raises(DataError, match='cannot be downloaded .3 attempts.: the server says 500'):
        _download(site, tmp_path)
    assert len(site.requests) == 3


def test_attempts_are_bounded(site, tmp_path):
    site.cut = [1000] * 9
    with pytest.raises(DataError, match='3 attempts'):
        _download(site, tmp_path)
    assert len(site.requests) == 3


def test_silent_server(tmp_path):
    with (
        socket.create_server(('127.0.0.1', 0)) as silent,
        pytest.raises(DataError, match='.1 attempts.: timed out'),
    ):
        download(
            f'http://127.0.0.1:{silent.getsockname()[1]}/file',
            tmp_path / 'file',
            attempts=1,
            timeout=0.1,
        )


def test_offline_says_what_to_do(tmp_path):
    with socket.create_server(('127.0.0.1', 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(DataError) as error:
        download(f'http://127.0.0.1:{port}/file', tmp_path / 'file', attempts=2, pause=0.001)
    assert '\n' not in str(error.value)
    assert str(error.value) == (
        f'http://127.0.0.1:{port}/file cannot be downloaded (2 attempts): Connection refused. '
        'Is a proxy needed (https_proxy)? Without a network, bring the file from elsewhere, '
        f'put it at {tmp_path}/file and run this again'
    )


def test_folder_that_cannot_be_written(site, tmp_path):
    (tmp_path / 'deep').write_text('a file')
    with pytest.raises(DataError, match='deep/file cannot be written: File exists'):
        _download(site, tmp_path)
