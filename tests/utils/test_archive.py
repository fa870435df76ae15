"""Archives that are what they should be, damaged ones, and those made to do harm."""
import gzip
import io
import lzma
import tarfile
import zipfile

import pytest

from utils import archive
from utils.errors import DataError


def _tar(path, *members, mode='w:gz'):
    """members: (name, bytes), or a TarInfo of something that is no file."""
    with tarfile.open(path, mode) as file:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                file.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size, info.mode = len(member[1]), 0o4777
                file.addfile(info, io.BytesIO(member[1]))
    return path


def _special(name, kind, link=''):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def _all(name):
    return name


def _tree(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob('*')
        if path.is_file()
    }


@pytest.mark.parametrize('mode', ['w', 'w:gz'])
def test_tar(tmp_path, mode):
    path = _tar(
        tmp_path / 'a.tar', ('./one', b'1'), ('deep/two', b'2'), ('deep/three', b'3'), mode=mode
    )
    found = archive.unpack(
        path, tmp_path / 'out', lambda name: None if name == 'deep/three' else name
    )
    assert sorted(found) == ['deep/two', 'one'] and _tree(tmp_path / 'out') == {
        'one': b'1',
        'deep/two': b'2',
    }
    assert (tmp_path / 'out/one').stat().st_mode & 0o7000 == 0


def test_zip(tmp_path):
    with zipfile.ZipFile(tmp_path / 'a.zip', 'w') as file:
        file.mkdir('deep') if hasattr(file, 'mkdir') else file.writestr('deep/', '')
        file.writestr('deep/one', b'1')
    assert archive.unpack(tmp_path / 'a.zip', tmp_path / 'out', _all) == ['deep/one']
    assert _tree(tmp_path / 'out') == {'deep/one': b'1'}


def test_replaces_files_and_leaves_others(tmp_path):
    (tmp_path / 'one').write_bytes(b'old')
    (tmp_path / 'mine').write_bytes(b'mine')
    path = _tar(tmp_path / 'a.tar', ('one', b'1'))
    archive.unpack(path, tmp_path, _all)
    assert (tmp_path / 'one').read_bytes() == b'1' and (tmp_path / 'mine').read_bytes() == b'mine'
    assert sorted(each.name for each in tmp_path.iterdir()) == ['a.tar', 'mine', 'one']


def test_what_a_killed_process_left_is_removed(tmp_path):
    (tmp_path / 'out/.unpacking-a.tar').mkdir(parents=True)
    (tmp_path / 'out/.unpacking-a.tar/half').write_bytes(b'half')
    archive.unpack(_tar(tmp_path / 'a.tar', ('one', b'1')), tmp_path / 'out', _all)
    assert _tree(tmp_path / 'out') == {'one': b'1'}


def test_empty(tmp_path):
    assert archive.unpack(_tar(tmp_path / 'a.tar'), tmp_path / 'out', _all) == []


def test_order_of_moving(tmp_path, monkeypatch):
    moved = []
    replace = archive.os.replace
    monkeypatch.setattr(
        archive.os,
        'replace',
        lambda source, target: (moved.append(target.name), replace(source, target)),
    )
    path = _tar(tmp_path / 'a.tar', ('a.index', b'1'), ('b.data', b'2'))
    archive.unpack(path, tmp_path / 'out', _all, last=lambda path: path.endswith('.index'))
    assert moved == ['b.data', 'a.index']


@pytest.mark.parametrize('name', ['../evil', '/etc/evil', 'a/../../evil'])
@pytest.mark.parametrize('kind', ['tar', 'zip'])
def test_members_that_lead_outside(tmp_path, name, kind):
    if kind == 'tar':
        _tar(tmp_path / 'a', ('good', b'1'), (name, b'2'))
    else:
        with zipfile.ZipFile(tmp_path / 'a', 'w') as file:
            file.writestr('good', b'1')
            file.writestr(name, b'2')
    with pytest.raises(
        DataError, match='evil., which would land outside its folder; nothing is unpacked'
    ):
        archive.unpack(tmp_path / 'a', tmp_path / 'out', _all)
    assert _tree(tmp_path / 'out') == {} and list((tmp_path / 'out').iterdir()) == []
    assert not (tmp_path / 'evil').exists()


@pytest.mark.parametrize(
    'kind', [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE]
)
def test_links_and_devices_are_left_out(tmp_path, kind):
    # A link to the outside, and a file that would be written through it.
    path = _tar(
        tmp_path / 'a.tar',
        _special('way', kind, str(tmp_path / 'outside')),
        ('way/evil', b'2'),
        ('good', b'1'),
    )
    (tmp_path / 'outside').mkdir()
    archive.unpack(path, tmp_path / 'out', _all)
    assert _tree(tmp_path / 'out') == {'way/evil': b'2', 'good': b'1'} and not list(
        (tmp_path / 'outside').iterdir()
    )
    assert not (tmp_path / 'out/way').is_symlink()


def test_growth_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, '_SLACK', 1000)
    path = _tar(tmp_path / 'a.tar', ('good', b'1'), ('zeros', bytes(1_000_000)))
    with pytest.raises(DataError, match='a.tar grows beyond 0 MB when unpacked'):
        archive.unpack(path, tmp_path / 'out', lambda name: None if name == 'zeros' else name)
    assert _tree(tmp_path / 'out') == {}


@pytest.mark.parametrize('kind', [tarfile.REGTYPE, tarfile.DIRTYPE])
def test_number_of_members_is_bounded(tmp_path, kind, monkeypatch):
    monkeypatch.setattr(archive, '_SLACK', 1_000_000)
    (tmp_path / 'a.tar').write_bytes(gzip.compress(_special('empty', kind).tobuf() * 400))
    with pytest.raises(DataError, match='a.tar grows beyond 1 MB when unpacked'):
        archive.unpack(tmp_path / 'a.tar', tmp_path / 'out', _all)
    assert _tree(tmp_path / 'out') == {}


@pytest.mark.parametrize('kind', [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
@pytest.mark.parametrize('before', [b'', _special('empty', tarfile.DIRTYPE).tobuf()])
def test_extended_headers_are_bounded(tmp_path, kind, before):
    # Only the first MiB of the 600 MB is there: whoever reads the rest finds a cut archive.
    header = _special('long', kind)
    header.size = 600_000_000
    data = before + header.tobuf(tarfile.GNU_FORMAT) + bytes(1 << 20)
    for name, text in (('a.tar', data), ('a.tgz', gzip.compress(data))):
        (tmp_path / name).write_bytes(text)
        with pytest.raises(DataError, match=f'{name} (has an extended header of 600|grows beyond)'):
            archive.unpack(tmp_path / name, tmp_path / 'out', _all)
    assert _tree(tmp_path / 'out') == {}


def test_long_names(tmp_path):
    name = '/'.join(['x' * 100] * 5)
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        with tarfile.open(tmp_path / 'a.tar', 'w', format=form) as file:
            file.addfile(tarfile.TarInfo(name), io.BytesIO())
        assert archive.unpack(tmp_path / 'a.tar', tmp_path / 'out', _all) == [name]


def test_what_follows_the_end_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, '_SLACK', 2_000_000)
    path = _tar(tmp_path / 'a.tar', ('good', b'1'))
    path.write_bytes(path.read_bytes() + gzip.compress(bytes(3_000_000)))
    with pytest.raises(DataError, match='a.tar grows beyond 2 MB when unpacked'):
        archive.unpack(path, tmp_path / 'out', _all)


def test_a_python_without_filters(tmp_path, monkeypatch):
    monkeypatch.setattr(tarfile.TarFile, 'extract', None)  # takes none in Python 3.11.2
    path = _tar(tmp_path / 'a.tar', ('deep/one', b'1'))
    assert archive.unpack(path, tmp_path / 'out', _all) == ['deep/one']


def test_tar_that_ends_with_a_zip(tmp_path):
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, 'w') as file:
        file.writestr('inner', b'2')
    path = _tar(tmp_path / 'a.tar', ('good.zip', inner.getvalue()), mode='w')
    assert archive.unpack(path, tmp_path / 'out', _all) == ['good.zip']


def test_a_refusal_is_one_line_whatever_the_name(tmp_path):
    path = _tar(tmp_path / 'a.tar', ('a\n/../../' + 'x' * 1000, b'1'))
    with pytest.raises(DataError) as error:
        archive.unpack(path, tmp_path / 'out', _all)
    assert (
        '\n' not in str(error.value) and len(str(error.value)) < 200 + 2 * len(str(tmp_path)) + 200
    )


@pytest.mark.parametrize('length', [511, 700])
def test_cut_tar(tmp_path, length):
    # tarfile takes a cut between members for the end.
    path = _tar(tmp_path / 'a.tar', ('one', b'1'), ('two', b'2'), mode='w')
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(
        DataError,
        match='a.tar is damaged, or no tar or zip archive .*; remove it and run this again',
    ):
        archive.unpack(path, tmp_path / 'out', _all)
    assert _tree(tmp_path / 'out') == {}


def _sparse(size):
    """Pax headers that say: a file of `size` bytes with holes; the list of them is missing."""
    info = tarfile.TarInfo('one')
    info.pax_headers = {
        'GNU.sparse.major': '1',
        'GNU.sparse.minor': '0',
        'GNU.sparse.realsize': size,
    }
    return info.tobuf(tarfile.PAX_FORMAT) + bytes(1024)


@pytest.mark.parametrize(
    'data',
    [
        _sparse('x'),
        _sparse('5'),
        _special('x', tarfile.XHDTYPE).tobuf(),
        lzma.compress(b'hello')[:20],
        gzip.compress(b'hello'),
        b'BZh9' + bytes(50),
        b'PK\5\6' + b'\xff' * 18,
    ],
    ids=range(7),
)
def test_what_python_reads_with_errors_of_its_own(tmp_path, data):
    (tmp_path / 'a').write_bytes(data)
    with pytest.raises(
        DataError, match='a is damaged, or no tar or zip archive .*; remove it and run this again'
    ):
        archive.unpack(tmp_path / 'a', tmp_path / 'out', _all)


def test_zip_that_says_that_it_is_before_the_file(tmp_path):
    with zipfile.ZipFile(tmp_path / 'a', 'w') as file:
        file.writestr('one', b'1')
    data = bytearray((tmp_path / 'a').read_bytes())
    data[-6:-2] = b'\xff\xff\0\0'  # where the directory is said to begin
    (tmp_path / 'a').write_bytes(data)
    with pytest.raises(DataError, match='a is damaged, or no tar or zip archive'):
        archive.unpack(tmp_path / 'a', tmp_path / 'out', _all)


def test_damaged_lzma_in_a_zip(tmp_path):
    with zipfile.ZipFile(tmp_path / 'a', 'w', zipfile.ZIP_LZMA) as file:
        file.writestr('one', bytes(range(256)) * 20)
    data = (tmp_path / 'a').read_bytes()
    (tmp_path / 'a').write_bytes(data[:45] + b'\xff' * 60 + data[105:])
    with pytest.raises(DataError, match='a is damaged'):
        archive.unpack(tmp_path / 'a', tmp_path / 'out', _all)


def _flip(data, place):
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1:]


@pytest.mark.parametrize(
    'damage',
    [
        lambda data: data[: len(data) // 2],
        lambda data: b'<html>not found</html>',
        lambda data: b'',
        lambda data: _flip(data, 300),
        lambda data: _flip(data, len(data) // 2),
        lambda data: _flip(data, len(data) * 2 // 3),
    ],
    ids=['half', 'page', 'empty', 'bit', 'another bit', 'and another'],
)
@pytest.mark.parametrize('kind', ['tar', 'zip'])
def test_damaged(tmp_path, damage, kind):
    noise = bytes(i * i * 7 % 251 for i in range(20_000))
    if kind == 'tar':
        _tar(tmp_path / 'a', ('good', b'1'), ('more', noise))
    else:
        with zipfile.ZipFile(tmp_path / 'a', 'w', zipfile.ZIP_DEFLATED) as file:
            file.writestr('more', noise)
    (tmp_path / 'a').write_bytes(damage((tmp_path / 'a').read_bytes()))
    message = 'a is damaged, or no tar or zip archive .*; remove it and run this again'
    with pytest.raises(DataError, match=message):
        archive.unpack(tmp_path / 'a', tmp_path / 'out', _all)
    assert _tree(tmp_path / 'out') == {}


def test_missing(tmp_path):
    with pytest.raises(DataError, match='none cannot be unpacked into .*: No such file'):
        archive.unpack(tmp_path / 'none', tmp_path / 'out', _all)
