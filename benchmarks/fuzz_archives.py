"""Archives of fuzz.py: damaged ones, and those made to write elsewhere, to fill a disk, or to keep a reader busy."""
import bz2
import functools
import gzip
import io
import lzma
import os
import pathlib
import shutil
import struct
import tarfile
import zipfile
from unittest import mock

from benchmarks.faults import Case, Random, mutated, pick
from checkpoints.fetch import checkpoint_files
from datasets import fetch
from utils import archive

_COMPRESS = {'': lambda data: data, '.gz': functools.partial(gzip.compress, compresslevel=1), '.bz2': bz2.compress,
             '.xz': functools.partial(lzma.compress, preset=0)}
_OUT = 'down/out'
_MEGABYTES = 300  # of a bomb: three times what archive.py allows a small archive


def archives(random: Random, folder: pathlib.Path) -> Case:
    """A file in down/ that is to be unpacked into down/out, with files around that must stay as they are."""
    for place in ('mine', 'down/mine', 'down/outside/mine'):
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_bytes(b'mine')
    fault = pick(random, ('mutated',) * 5 + ('field',) * 4 + tuple(_FAULTS))
    data = _FAULTS[fault](random) if fault in _FAULTS else _mutated(random) if fault == 'mutated' else _field(random)
    path = folder / 'down' / ('archive' + pick(random, ('.tar', '.tar.gz', '.zip', '.jpg', '')))
    path.write_bytes(data)
    target = pick(random, (str, str, str, checkpoint_files('one'), fetch._below_root))
    return (path.name,), lambda: _unpack(path, target)


def _unpack(path, target) -> bool:
    """Unpacks; AssertionError where anything is left elsewhere, half, or beyond the limit on the way."""
    before, used, remove = _surroundings(), [], shutil.rmtree

    def measured(folder, **options):
        used.append(_bytes(folder))
        remove(folder, **options)

    unpacked = []
    try:
        with mock.patch.object(archive.shutil, 'rmtree', measured):
            unpacked = archive.unpack(path, _OUT, target)
    finally:
        limit = 10 * path.stat().st_size + 100_000_000
        assert max(used) + _bytes(_OUT) <= limit, f'{max(used)} bytes on the way, {limit} are allowed'
        assert _surroundings() == before, 'something outside has changed'
        found = sorted(str(entry.relative_to(_OUT)) for entry in pathlib.Path(_OUT).rglob('*') if not entry.is_dir())
        assert found == sorted(unpacked), f'told {unpacked[:9]}, found {found[:9]}'
        assert not any(entry.is_symlink() or not (entry.is_dir() or entry.is_file()) for entry in pathlib.Path(_OUT).rglob('*'))
    return True


def _bytes(folder) -> int:
    return sum(os.lstat(os.path.join(parent, name)).st_size for parent, _, names in os.walk(folder) for name in names)


def _surroundings():
    """Everything but what is unpacked: names in the folder above, and all files here."""
    here = [path for path in pathlib.Path('.').rglob('*') if not path.is_relative_to(_OUT)]
    return sorted(os.listdir('..')), [(str(path), path.lstat().st_mode, path.is_file() and path.read_bytes()) for path in here]


def _info(name, kind=tarfile.REGTYPE, link='', size=0, **facts):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, size
    for key, value in facts.items():
        setattr(info, key, value)
    return info


def _plain_tar(*members, layout=tarfile.GNU_FORMAT) -> bytes:
    """members: (name, bytes) or TarInfo without data."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode='w', format=layout) as file:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                file.addfile(member)
            else:
                file.addfile(_info(member[0], size=len(member[1])), io.BytesIO(member[1]))
    return data.getvalue()


def _tar(random, *members) -> bytes:
    layout = pick(random, (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT))
    try:
        data = _plain_tar(*members, layout=layout)
    except ValueError:  # a name that USTAR has no place for
        data = _plain_tar(*members)
    return _COMPRESS[pick(random, tuple(_COMPRESS))](data)


def _zip(random, *members, **facts) -> bytes:
    data = io.BytesIO()
    method = pick(random, (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
    with zipfile.ZipFile(data, 'w', method) as file:
        for name, content in members:
            info = zipfile.ZipInfo(name)
            info.compress_type = method
            for key, value in facts.items():
                setattr(info, key, value)
            file.writestr(info, content)
    return data.getvalue()


def _any(random, *members) -> bytes:
    return pick(random, (_tar, _tar, _zip))(random, *members)


def _sound(random):
    return (('one', random.bytes(3000)), ('VOCdevkit/VOC2007/two', b'2'), ('deep/er/three', bytes(20_000)), ('none', b''))


def _mutated(random) -> bytes:
    return mutated(random, _any(random, *_sound(random)))


def _with_checksum(header: bytes) -> bytes:
    header = header[:148] + b' ' * 8 + header[156:512]
    return header[:148] + b'%06o\0 ' % sum(header) + header[156:]


def _field(random) -> bytes:
    """A field of a tar header says something else, and the header's checksum is right."""
    data = _plain_tar(*_sound(random), _info('long' * 60), _info('dir', tarfile.DIRTYPE),
                      layout=pick(random, (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)))
    heads = [at for at in range(0, len(data), 512) if data[at + 257:at + 262] == b'ustar']
    at = pick(random, heads)
    place, length = pick(random, ((0, 100), (100, 8), (124, 12), (124, 12), (124, 12), (136, 12), (156, 1), (156, 1), (157, 100),
                                  (257, 8), (345, 155), (386, 24), (482, 1), (483, 12)))
    value = pick(random, (b'\xff' * 12, b'\x80' + b'\xff' * 11, b'77777777777\0', b'-0000000001\0', b'00000001000\0', b'\0' * 12,
                          b'99999999999\0', b'\x80' + bytes(8) + b'\1\0\0', b'\xff' * 10 + b'\xfe\0', b'../', b'/',
                          random.bytes(12), *(bytes([kind]) for kind in b'1234567DKLNSVgx')))
    header = data[at:at + place] + value[:length].ljust(length, b'\0') + data[at + place + length:at + 512]
    return _COMPRESS[pick(random, tuple(_COMPRESS))](data[:at] + _with_checksum(header) + data[at + 512:])


def _outside(random) -> bytes:
    name = pick(random, ('../evil', 'a/../../evil', '../' * 40 + 'tmp/evil', os.path.abspath('down/outside/evil'), '/evil', '..',
                         '..\\evil', 'C:evil', 'a\n../evil\n/../../x', 'a/' * 3000 + 'x', 'x' * 300, '.', '/', 'a/.', ' ',
                         '\udcff\udcfe', 'a\x1b[2J', 'VOCdevkit/../../evil', 'VOCdevkit//evil', 'con', 'a\rb/../../x'))
    members = (('good', b'1'), (name, b'2'))
    try:
        return _any(random, *members)
    except ValueError:  # what zip cannot name
        return _tar(random, *members)


def _links(random) -> bytes:
    kind = pick(random, (tarfile.SYMTYPE, tarfile.LNKTYPE))
    link = pick(random, ('../outside', os.path.abspath('down/outside'), '../mine', '..', '/', 'way', 'good', '/dev/zero'))
    if random.random() < 0.2:
        return _zip(random, ('way', link.encode()), ('way/evil', b'2'), external_attr=0o120777 << 16, create_system=3)
    return _tar(random, ('good', b'1'), _info('way', kind, link), *pick(random, ((('way/evil', b'2'),), (('way', b'2'),), ())))


def _devices(random) -> bytes:
    kind = pick(random, (tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.CONTTYPE, tarfile.DIRTYPE, b'9', b'Z', b'M'))
    return _tar(random, _info('one', kind, devmajor=1, devminor=5, mode=0o6777), ('one', b'2'), ('two', b'3'))


def _sparse(random) -> bytes:
    """Files with holes, in all of GNU tar's formats, of sizes and places that need not be true."""
    numbers = [int(pick(random, (0, 1, 512, 2000, 2**20, 2**40, 2**62, -1, -512))) for _ in range(4)]
    if random.random() < 0.5:
        size, *places = (b'\x80' + number.to_bytes(11, 'big') if number >= 0 else b'\xff' * 8 + struct.pack('>i', number)
                         for number in numbers)
        header = bytearray(_plain_tar(_info('one', tarfile.GNUTYPE_SPARSE, size=2000))[:512])
        header[386:410], header[483:495], header[482] = places[0] + places[1], size, int(random.integers(2))
        more = b''.join(random.choice(places, 2)) * 21 + bytes([int(random.integers(2))]) + bytes(7)
        data = _with_checksum(bytes(header)) + more * int(random.integers(3)) + bytes(5000)
    else:
        facts = pick(random, (
            {'GNU.sparse.map': ','.join(map(str, numbers)), 'GNU.sparse.size': str(numbers[0])},
            {'GNU.sparse.size': str(numbers[0]), 'GNU.sparse.offset': str(numbers[1]), 'GNU.sparse.numbytes': str(numbers[2])},
            {'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.realsize': str(numbers[0])}, {'size': str(numbers[0])},
            {'GNU.sparse.map': pick(random, ('x', '1,', '', ','.join(map(str, range(1000)))))}))
        content = b'\n'.join(b'%d' % number for number in (numbers[1], *numbers)).ljust(2000, b'\n')
        info = _info('one', size=len(content), pax_headers=facts)
        data = info.tobuf(tarfile.PAX_FORMAT) + content + bytes(48 + 1024)
    return _COMPRESS[pick(random, tuple(_COMPRESS))](data)


def _pax(random) -> bytes:
    """Extended headers: long, nested, of many keywords, without what they are for."""
    body = pick(random, (b'1' * 2**16, b'1' * 2**13, b'1 ' * 2**12, b'1 a=' * 2**11, b'0 a=b\n', b'99999999999999999999 path=x\n',
                         b'20 path=../../evil/x\n', b'14 path=a\0b/x\n', b'13 size=-512\n', b'23 hdrcharset=nonsense\n',
                         b'9' * 5000 + b' a=b\n', b'x' * 2**22, b''))
    kind = pick(random, (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK))
    size = len(body) if random.random() < 0.8 else int(pick(random, (2**33 - 1, 10**10, 10**6)))
    head = _plain_tar(_info('one', kind, size=size))[:512] if size < 2**33 else _info('one', kind, size=size).tobuf()
    once = head + body + bytes(-len(body) % 512)
    data = once * int(pick(random, (1, 1, 20, 2000 if len(body) < 2**12 else 1))) + _plain_tar(('one', b'1'))
    return _COMPRESS[pick(random, ('', '.gz'))](data)


def _zeros(ending) -> bytes:
    """Compressed zeros; all three formats may be continued by a further stream."""
    return _COMPRESS[ending](bytes(10_000_000)) * (_MEGABYTES // 10)


def _bomb(random) -> bytes:
    """A member, or what follows the end, is zeros that compress to next to nothing."""
    ending = pick(random, ('.gz', '.gz', '.bz2', '.xz'))
    size = int(pick(random, (_MEGABYTES * 1_000_000, 10**15, 0)))
    head = _info('one', size=size).tobuf(tarfile.GNU_FORMAT) if size else _plain_tar(('one', b'1'))
    return _COMPRESS[ending](head) + _zeros(ending)


def _zip_bomb(random) -> bytes:
    """Zeros, or the same bytes named by many entries of the directory, or a size that is not the true one."""
    if random.random() < 0.3:
        return _zip(random, ('one', bytes(_MEGABYTES * 1_000_000)))
    data = io.BytesIO()
    with zipfile.ZipFile(data, 'w', zipfile.ZIP_DEFLATED) as file:
        file.writestr('one', bytes(30_000_000))
        if random.random() < 0.5:
            for _ in range(20):
                file.filelist.append(file.filelist[0])
            file._didModify = True
        else:
            file.filelist[0].file_size = int(pick(random, (0, 1, 2**31, 2**62)))
    return data.getvalue()


def _many(random) -> bytes:
    """Members without content."""
    count = int(pick(random, (1000, 40_000, 300_000)))
    kind = pick(random, (tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE))
    if count == 300_000:
        return _COMPRESS['.gz'](_info('one', kind).tobuf() * count)
    if random.random() < 0.3:
        return _zip(random, *((f'{number}', b'') for number in range(min(count, 40_000))))
    names = pick(random, (lambda number: f'{number}', lambda number: f'{number % 7}/' * 30 + f'{number}', lambda number: 'one'))
    return _COMPRESS['.gz'](b''.join(_info(names(number), kind).tobuf() for number in range(count)) + bytes(1024))


def _twice(random) -> bytes:
    return _any(random, *pick(random, (
        (('one', b'1'), ('one', b'22')), (('one', b'1'), ('ONE', b'2')),
        (('a', b'1'), ('a/b', b'2')), (('a/b', b'1'), ('a', b'2')),
        (('./one', b'1'), ('one', b'2'), ('.//one', b'3')), (('.unpacking-archive.tar', b'1'), ('.unpacking-archive', b'2')))))


def _cut(random) -> bytes:
    """Not compressed, and cut where a member or a header ends, or inside of it."""
    data = _plain_tar(*_sound(random))
    return data[:int(random.integers(len(data) // 512)) * 512 + int(pick(random, (0, 0, 1, 511)))]


def _none(random) -> bytes:
    return pick(random, (b'', b'\0', bytes(512), bytes(100_000), b'<html>404 not found</html>', random.bytes(5000), b'PK',
                         b'PK\5\6', b'PK\5\6' + bytes(18), b'PK\3\4' + random.bytes(500), b'PK\5\6' + b'\xff' * 18,
                         b'\x1f\x8b', b'\x1f\x8b\x08', b'BZh',
                         b'BZh9' + random.bytes(50), b'\xfd7zXZ\0' + random.bytes(50), gzip.compress(b'hello'),
                         gzip.compress(_zip(random, ('one', b'1'))), b'7z\xbc\xaf\x27\x1c', b'Rar!\x1a\x07\x00',
                         _plain_tar(('one', b'1')) + random.bytes(600), _plain_tar(('one.zip', _zip(random, ('evil', b'2'))))))


def _zip_claims(random) -> bytes:
    """A field of a zip's headers says something else."""
    data = bytearray(_zip(random, *_sound(random)))
    mark, size = pick(random, ((b'PK\3\4', 30), (b'PK\1\2', 46), (b'PK\1\2', 46), (b'PK\5\6', 22)))
    at = data.find(mark) + int(random.integers(4, size))
    data[at:at + 4] = pick(random, (b'\xff' * 4, bytes(4), b'\x01\0\0\0', random.bytes(4)))
    return bytes(data)


_FAULTS = {'outside': _outside, 'links': _links, 'devices': _devices, 'sparse': _sparse, 'pax': _pax, 'bomb': _bomb,
           'zip bomb': _zip_bomb, 'many': _many, 'twice': _twice, 'cut': _cut, 'none': _none, 'zip claims': _zip_claims}
