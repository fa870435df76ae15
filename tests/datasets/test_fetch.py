"""VOC from a server on this machine into a VOCdevkit that the converter reads."""
import dataclasses
import hashlib
import io
import tarfile

import pytest

import ssd_image_to_tf
from datasets import fetch, shapes, tfrecord
from datasets.readers import sources, voc
from tests.utils.server import Site, serving
from utils.errors import DataError


def _archive(folder, names):
    """A tar of drawn shapes in VOC2007's place, with one list."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode='w') as file:
        for path in sorted(folder.rglob('*')):
            if path.parent.name != 'Main' or path.stem in names:
                file.add(path, f'VOCdevkit/VOC2007/{path.relative_to(folder)}', recursive=False)
    return data.getvalue()


@pytest.fixture
def archives(tmp_path, monkeypatch):
    """Two small archives in VOC2007's place, on a server."""
    monkeypatch.setenv('no_proxy', '*')
    monkeypatch.chdir(tmp_path)
    shapes.write_voc(tmp_path / 'drawn', train=3, test=2)
    (tmp_path / 'drawn/ImageSets/Main/train.txt').rename(
        tmp_path / 'drawn/ImageSets/Main/trainval.txt'
    )
    data = [_archive(tmp_path / 'drawn', names) for names in (['trainval'], ['test'])]
    with serving(Site(**{'one.tar': data[0], 'two.tar': data[1]})) as site:
        made = tuple(
            dataclasses.replace(known, url=f'{site.url}/{name}', md5=hashlib.md5(each).hexdigest(),
                                mirrors=())
            for known, name, each in zip(
                fetch.ARCHIVES['voc2007'], ('one.tar', 'two.tar'), data, strict=True
            )
        )
        monkeypatch.setitem(fetch.ARCHIVES, 'voc2007', made)
        yield site


def test_fetched_and_converted(archives, tmp_path, capsys):
    fetch.main(['voc2007'])
    assert sorted(path.name for path in (tmp_path / 'VOCdevkit').iterdir()) == ['VOC2007']
    assert voc.image_ids('VOCdevkit/VOC2007', 'trainval') == ['000001', '000002', '000003']
    parts, _ = sources.listed(sources.voc_folders(['VOCdevkit/VOC2007']), ['test'])
    ssd_image_to_tf.convert({'records': parts}, shapes.SHAPES, 10)
    assert tfrecord.read_index('records').images == 2
    # What is there is left alone.
    archives.requests.clear()
    capsys.readouterr()
    fetch.main(['voc2007', '--folder=VOCdevkit'])
    assert not archives.requests and capsys.readouterr().out.count('is there already') == 2


def test_archive_that_was_brought(archives, tmp_path):
    one = fetch.ARCHIVES['voc2007'][0]
    (tmp_path / 'VOCdevkit').mkdir()
    (tmp_path / 'VOCdevkit/one.tar').write_bytes(archives.files['/one.tar'])
    assert fetch.fetch(one, 'VOCdevkit', keep=True) and not archives.requests
    assert (tmp_path / 'VOCdevkit/one.tar').exists()


def test_wrong_archive(archives, tmp_path):
    one = dataclasses.replace(fetch.ARCHIVES['voc2007'][0], url=archives.url + '/two.tar', md5='')
    with pytest.raises(
        DataError, match='two.tar holds no VOCdevkit/VOC2007/ImageSets/Main/trainval.txt; remove it'
    ):
        fetch.fetch(one, 'VOCdevkit')


def test_published_archives():
    for archive in (*fetch.ARCHIVES['voc2007'], *fetch.ARCHIVES['voc2012']):
        assert (
            archive.url.startswith('http://host.robots.ox.ac.uk/pascal/VOC/voc20')
            and len(archive.md5) == 32
        )


def test_a_mirror_is_tried_where_a_server_fails(archives, tmp_path, capsys):
    one = fetch.ARCHIVES['voc2007'][0]
    gone = dataclasses.replace(one, url=archives.url + '/gone/one.tar',
                               mirrors=(archives.url + '/away/', archives.url + '/'))
    assert fetch.fetch(gone, 'VOCdevkit', attempts=1)
    said = capsys.readouterr().out
    assert said.count('trying another server') == 2 and '/gone/one.tar' in said
    nowhere = dataclasses.replace(gone, image_list='x', mirrors=(archives.url + '/away/',))
    with pytest.raises(DataError, match='/away/one.tar'):
        fetch.fetch(nowhere, 'VOCdevkit', attempts=1)
    # A file that is there and is not the published one is the user's to remove.
    (tmp_path / 'VOCdevkit/one.tar').write_bytes(b'other')
    archives.requests.clear()
    with pytest.raises(DataError, match='MD5'):
        fetch.fetch(dataclasses.replace(one, image_list='x', mirrors=('http://localhost:9/',)),
                    'VOCdevkit', attempts=1)
    assert not archives.requests
