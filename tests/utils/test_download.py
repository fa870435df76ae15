"""Downloads from a server on this machine: cut, changed, refused, and resumed."""
import hashlib
import socket

import pytest

from tests.utils.server import Site, serving
from utils.download import _whole_size, download
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
    return download(site.url + '/file', tmp_path / 'deep/file', md5, attempts=attempts, timeout=5, pause=0.001)


def _left(tmp_path):
    return sorted(path.name for path in (tmp_path / 'deep').iterdir())


def test_whole(site, tmp_path, capsys):
    assert _download(site, tmp_path).read_bytes() == DATA
    assert _left(tmp_path) == ['file'] and site.requests == [None]
    assert f'{site.url}/file: 0.3 MB' in capsys.readouterr().out
    # What is there is not downloaded again.
    _download(site, tmp_path)
    assert len(site.requests) == 1


def test_goes_on_where_the_connection_was_cut(site, tmp_path, capsys):
    site.cut = [1000, 5000]
    assert _download(site, tmp_path).read_bytes() == DATA
    assert site.requests == [None, 'bytes=1000-', 'bytes=6000-'] and _left(tmp_path) == ['file']
    text = capsys.readouterr().out
    assert 'the connection ended after 1000 of 256000 bytes; again in 0.001 s' in text and '0.0 MB are here already' in text


def test_goes_on_in_another_process(site, tmp_path):
    site.cut = [1000]
    with pytest.raises(DataError, match='cannot be downloaded .1 attempts.: the connection ended after 1000 of 256000 bytes'):
        _download(site, tmp_path, attempts=1)
    assert _left(tmp_path) == ['file.part', 'file.part.json']
    assert _download(site, tmp_path).read_bytes() == DATA
    assert site.requests == [None, 'bytes=1000-']


@pytest.mark.parametrize('etag', ['', 'W/"1"'])
def test_the_date_tells_the_version_where_no_strong_etag_does(site, tmp_path, etag):
    site.etag, site.cut = etag, [1000]
    assert _download(site, tmp_path).read_bytes() == DATA
    assert site.requests == [None, 'bytes=1000-']


def test_begins_anew_where_the_version_is_not_told(site, tmp_path):
    site.etag, site.dated, site.cut = '', False, [1000]
    assert _download(site, tmp_path).read_bytes() == DATA
    assert site.requests == [None, None]


def test_begins_anew_where_the_server_knows_no_ranges(site, tmp_path):
    site.ranges, site.cut = False, [1000]
    assert _download(site, tmp_path).read_bytes() == DATA
    assert site.requests == [None, 'bytes=1000-']


def test_begins_anew_where_the_file_has_changed(site, tmp_path):
    site.cut = [1000]
    with pytest.raises(DataError):
        _download(site, tmp_path, attempts=1)
    site.files['/file'], site.etag = DATA[::-1], '"2"'
    assert _download(site, tmp_path, md5='').read_bytes() == DATA[::-1]
    assert site.requests == [None, 'bytes=1000-']


def test_begins_anew_where_the_part_is_of_another_url(site, tmp_path):
    site.files['/other'], site.cut = b'other', [1000]
    with pytest.raises(DataError):
        _download(site, tmp_path, attempts=1)
    assert download(site.url + '/other', tmp_path / 'deep/file').read_bytes() == b'other'
    assert site.requests == [None, None]


@pytest.mark.parametrize('size, requests', [(len(DATA), 1), (len(DATA) + 7, 2)])
def test_part_that_is_whole_or_longer(site, tmp_path, size, requests):
    site.cut = [1000]
    with pytest.raises(DataError):
        _download(site, tmp_path, attempts=1)
    (tmp_path / 'deep/file.part').write_bytes((DATA + b'surplus')[:size])
    site.requests.clear()
    assert _download(site, tmp_path).read_bytes() == DATA
    assert site.requests == [f'bytes={size}-', None][:requests]


@pytest.mark.parametrize('origin', ['', '[]', '{}', '{"url": 1}', 'null', '{"url": "http'])
def test_begins_anew_where_the_notes_on_the_part_are_damaged(site, tmp_path, origin):
    site.cut = [1000]
    with pytest.raises(DataError):
        _download(site, tmp_path, attempts=1)
    (tmp_path / 'deep/file.part.json').write_text(origin)
    assert _download(site, tmp_path).read_bytes() == DATA
    assert site.requests == [None, None]


@pytest.mark.parametrize('text, size', [('12', 12), ('', None), ('-1', None), ('*', None), ('\xb2', None), ('9' * 5000, None)])
def test_sizes_that_a_server_tells(text, size):
    assert _whole_size({'Content-Range': f'bytes */{text}'}) == size


def test_size_that_is_not_told(site, tmp_path, capsys):
    site.sized = False
    assert _download(site, tmp_path).read_bytes() == DATA
    assert 'size not told' in capsys.readouterr().out


def test_wrong_checksum_keeps_nothing(site, tmp_path):
    with pytest.raises(DataError, match=f'came with MD5 {MD5}, published is 0123: it is damaged or has changed; nothing is kept'):
        _download(site, tmp_path, md5='0123')
    assert _left(tmp_path) == []


def test_wrong_checksum_of_a_file_that_was_there(site, tmp_path):
    (tmp_path / 'deep').mkdir()
    (tmp_path / 'deep/file').write_bytes(b'mine')
    with pytest.raises(DataError, match='deep/file has MD5 .*, published is .*; remove it and run this again'):
        _download(site, tmp_path)
    assert (tmp_path / 'deep/file').read_bytes() == b'mine' and not site.requests


def test_folder_in_the_files_place(site, tmp_path):
    (tmp_path / 'deep/file').mkdir(parents=True)
    with pytest.raises(DataError, match='deep/file cannot be read: Is a directory; remove it and run this again'):
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


def test_attempts_are_bounded_where_nothing_more_comes(site, tmp_path):
    site.ranges, site.cut = False, [1000, 2000] * 9  # each attempt begins anew, and no third one gets further
    with pytest.raises(DataError, match='3 attempts'):
        _download(site, tmp_path)
    assert len(site.requests) == 4


def test_silent_server(tmp_path):
    with socket.create_server(('127.0.0.1', 0)) as silent, pytest.raises(DataError, match='.1 attempts.: timed out'):
        download(f'http://127.0.0.1:{silent.getsockname()[1]}/file', tmp_path / 'file', attempts=1, timeout=0.1)


def test_offline_says_what_to_do(tmp_path):
    with socket.create_server(('127.0.0.1', 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(DataError) as error:
        download(f'http://127.0.0.1:{port}/file', tmp_path / 'file', attempts=2, pause=0.001)
    assert '\n' not in str(error.value)
    assert str(error.value) == (
        f'http://127.0.0.1:{port}/file cannot be downloaded (2 attempts): Connection refused. Is a proxy needed (https_proxy)? '
        f'Without a network, bring the file from elsewhere, put it at {tmp_path}/file and run this again')


def test_disk_without_room(site, tmp_path, monkeypatch):
    monkeypatch.setattr('shutil.disk_usage', lambda _: type('Usage', (), {'free': 1000}))
    with pytest.raises(DataError, match='needs 0 MB more; the disk of .* has 0 MB free'):
        _download(site, tmp_path)


def test_folder_that_cannot_be_written(site, tmp_path):
    (tmp_path / 'deep').write_text('a file')
    with pytest.raises(DataError, match='deep/file cannot be written: File exists'):
        _download(site, tmp_path)
