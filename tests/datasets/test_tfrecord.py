"""Record folders: what is written is read back; what is not whole is refused."""
import contextlib
import dataclasses
import json
import pathlib
import re

import numpy as np
import pytest
import tensorflow as tf

from datasets import annotations, tfrecord
from utils.errors import DataError


def _objects(*rows):
    """rows: (box, label, difficult)."""
    boxes, labels, difficult = zip(*rows, strict=True) if rows else ((), (), ())
    return annotations.Objects(
        np.array(boxes, 'f').reshape(-1, 4),
        np.array(labels, int),
        np.array(difficult, bool),
        np.zeros(len(rows), bool),
    )


def _example(name='y/1', *rows):
    return tfrecord.example(b'jpeg', 20, 30, '1.jpg', name, _objects(*rows), ('cat', 'dog'))


def _write(folder, count=5, per_shard=2):
    with tfrecord.Writer(folder, ('cat', 'dog'), ('y/train',), per_shard) as writer:
        for number in range(count):
            writer.add(_example(f'y/{number}'))


def test_round_trip():
    box = [.1, .2, .3, .4]
    found = tfrecord.parse(
        _example('y/1', (box, 2, True), ([0, 0, 1, 1], 1, False)).SerializeToString()
    )
    assert (
        found['image'].numpy(), found['id'].numpy(), int(found['height']), int(found['width'])
    ) == (b'jpeg', b'y/1', 20, 30)
    np.testing.assert_allclose(found['boxes'], [box, [0, 0, 1, 1]], rtol=1e-6)
    assert found['labels'].numpy().tolist() == [2, 1] and found['difficult'].numpy().tolist() == [
        True, False
    ]


def test_crowd_regions():
    objects = dataclasses.replace(_objects(([0, 0, 1, 1], 1, True), ([0, 0, 1, .5], 2, False)),
                                  crowd=np.array([True, False]))
    item = tfrecord.example(b'jpeg', 20, 30, '1.jpg', 'y/1', objects, ('cat', 'dog'))
    assert item.features.feature['image/object/is_crowd'].int64_list.value == [1, 0]
    assert tfrecord.parse(item.SerializeToString())['crowd'].numpy().tolist() == [True, False]
    old = _example('y/1', ([0, 0, 1, 1], 1, True)).SerializeToString()  # without the feature
    assert tfrecord.parse(old)['crowd'].numpy().tolist() == [False]


def test_crowd_regions_are_no_objects(tmp_path):
    objects = dataclasses.replace(_objects(([0, 0, 1, 1], 1, True), ([0, 0, 1, .5], 2, False)),
                                  crowd=np.array([True, False]))
    with tfrecord.Writer(tmp_path / 'records', ('cat', 'dog')) as writer:
        writer.add(tfrecord.example(b'jpeg', 20, 30, '1.jpg', 'y/1', objects, ('cat', 'dog')))
    image, = tfrecord.objects(tfrecord.read_index(tmp_path / 'records'))
    assert image['labels'].tolist() == [2] and image['boxes'].tolist() == [[0, 0, 1, .5]]


def test_image_without_objects():
    found = tfrecord.parse(_example().SerializeToString())
    assert found['boxes'].shape == (0, 4) and found['labels'].shape == (0,)


def test_feature_keys():
    keys = set(_example('y/1', ([0, 0, 1, 1], 1, False)).features.feature)
    assert keys == {
        'image/encoded',
        'image/format',
        'image/height',
        'image/width',
        'image/filename',
        'image/source_id',
        'image/object/bbox/ymin',
        'image/object/bbox/xmin',
        'image/object/bbox/ymax',
        'image/object/bbox/xmax',
        'image/object/class/label',
        'image/object/class/text',
        'image/object/difficult',
        'image/object/truncated',
    }


def test_folder(tmp_path):
    _write(tmp_path / 'records')
    index = tfrecord.read_index(tmp_path / 'records')
    assert (index.images, index.classes, index.image_sets, len(index.files)) == (
        5, ('cat', 'dog'), ('y/train',), 3
    )
    ids = [tfrecord.parse(s)['id'].numpy() for s in tf.data.TFRecordDataset(list(index.files))]
    assert ids == [b'y/0', b'y/1', b'y/2', b'y/3', b'y/4']
    assert [path.name for path in tmp_path.iterdir()] == ['records']


def test_a_shard_that_is_named_twice_is_read_twice(tmp_path):
    _write(tmp_path / 'records')
    path = tmp_path / 'records/index.json'
    content = json.loads(path.read_text())
    content['shards'].append(content['shards'][0])
    path.write_text(json.dumps(content | {'images': 7}))
    assert list(tfrecord.image_ids(tfrecord.read_index(tmp_path / 'records'))) == [
        'y/0', 'y/1', 'y/2', 'y/3', 'y/4', 'y/0', 'y/1']


def test_shards_lie_in_their_folder(tmp_path):
    _write(tmp_path / 'records')
    path = tmp_path / 'records/index.json'
    path.write_text(path.read_text().replace('shard-00001', '/etc/shard-00001'))
    files = tfrecord.read_index(tmp_path / 'records').files
    assert files[1] == str(tmp_path / 'records/shard-00001.tfrecord')


@pytest.mark.parametrize('stop', [KeyboardInterrupt, OSError])
def test_interrupted_writing_leaves_the_older_folder(tmp_path, stop):
    _write(tmp_path / 'records', 3)
    with pytest.raises(stop), tfrecord.Writer(tmp_path / 'records', ('cat',), ()) as writer:
        writer.add(_example())
        raise stop
    assert tfrecord.read_index(tmp_path / 'records').images == 3
    assert [path.name for path in tmp_path.iterdir()] == ['records']


def test_killed_writing_is_cleaned_up(tmp_path):
    (tmp_path / 'records/.writing').mkdir(parents=True)
    (tmp_path / 'records/.writing/shard-00009.tfrecord').write_text('half')
    (tmp_path / 'records/.lock').write_text('1')
    _write(tmp_path / 'records')
    index = tfrecord.read_index(tmp_path / 'records')
    assert sorted(path.name for path in (tmp_path / 'records').iterdir()) == [
        'index.json', *(f'shard-0000{number}.tfrecord' for number in range(3))]
    assert len(index.files) == 3 and index.objects == 0


def test_the_index_counts_objects(tmp_path):
    box = [.1, .2, .3, .4]
    with tfrecord.Writer(tmp_path / 'records', ('cat', 'dog')) as writer:
        writer.add(_example('y/1', (box, 2, True), (box, 1, False)))
        writer.add(_example('y/2', (box, 2, False)))
    assert tfrecord.read_index(tmp_path / 'records').objects == 3


def test_records_land_behind_a_link(tmp_path):
    (tmp_path / 'disk').mkdir()
    (tmp_path / 'records').symlink_to(tmp_path / 'disk')
    for images in (5, 3):
        _write(tmp_path / 'records', images)
        assert tfrecord.read_index(tmp_path / 'disk').images == images
    assert sorted(path.name for path in tmp_path.iterdir()) == ['disk', 'records']
    assert (tmp_path / 'records').is_symlink()


@pytest.mark.parametrize('stop', [None, KeyboardInterrupt])
def test_two_folders_are_replaced_or_none(tmp_path, stop):
    for name in ('train', 'test'):
        _write(tmp_path / name, 3)
    with contextlib.suppress(KeyboardInterrupt), contextlib.ExitStack() as stack:
        for name in ('train', 'test'):
            writer = stack.enter_context(tfrecord.Writer(tmp_path / name, ('cat', 'dog')))
            writer.add(_example())
            writer.finish()
        if stop:
            raise stop
    found = [tfrecord.read_index(tmp_path / name).images for name in ('train', 'test')]
    assert found == ([3, 3] if stop else [1, 1])


def test_nothing_written_is_no_folder(tmp_path):
    _write(tmp_path / 'records', 0)
    assert not (tmp_path / 'records').exists()


def test_folder_of_other_files_is_not_replaced(tmp_path, monkeypatch):
    (tmp_path / 'VOC2007/JPEGImages').mkdir(parents=True)
    (tmp_path / 'VOC2007/classes.txt').write_text('cat')
    (tmp_path / 'empty').mkdir()
    for folder in ('VOC2007', 'VOC2007/classes.txt', '.'):
        monkeypatch.chdir(tmp_path)
        with pytest.raises(
            DataError, match=f'^{re.escape(folder)} (is a file|exists and is no mere record folder)'
        ):
            _write(folder)
    assert (tmp_path / 'VOC2007/classes.txt').read_text() == 'cat'
    assert sorted(path.name for path in tmp_path.iterdir()) == ['VOC2007', 'empty']
    _write('empty')
    _write('empty', 1)
    assert tfrecord.read_index('empty').images == 1
    (tmp_path / 'empty/image.jpg').write_text('')  # somebody put it beside the records
    with pytest.raises(DataError, match='empty exists and is no mere record folder'):
        _write('empty')


def _damage(folder, how):
    shard = folder / 'shard-00001.tfrecord'
    if how == 'missing':
        shard.unlink()
    elif how == 'short':
        shard.write_bytes(shard.read_bytes()[:-3])
    elif how == 'no index':
        (folder / 'index.json').unlink()
    elif how == 'bad index':
        (folder / 'index.json').write_text('{')
    elif how == 'poor index':
        (folder / 'index.json').write_text(json.dumps({'version': 1}))
    else:
        content = json.loads((folder / 'index.json').read_text())
        if how == 'new index':
            content['version'] = 2
        elif how == 'other sum':
            content['images'] = 4
        else:
            del content['shards'][0]['bytes']
        (folder / 'index.json').write_text(json.dumps(content))


@pytest.mark.parametrize(
    'how, message',
    [
        ('missing', 'shard-00001.tfrecord is missing; convert again'),
        ('short', 'has .* bytes instead of'),
        ('no index', 'is no finished conversion'),
        ('bad index', 'is damaged'),
        ('poor index', 'is damaged'),
        ('no size', "index.json is damaged .KeyError: 'bytes'.; convert again"),
        ('new index', 'index.json has version 2, and 1 is read here; convert again'),
        ('other sum', 'index.json: images is 4, but its shards have 5 together; write the sum'),
    ],
)
def test_what_is_not_whole_is_refused(tmp_path, how, message):
    _write(tmp_path / 'records')
    _damage(tmp_path / 'records', how)
    with pytest.raises(DataError, match=message) as error:
        tfrecord.read_index(tmp_path / 'records')
    assert '\n' not in str(error.value)


def test_missing_folder():
    with pytest.raises(
        DataError, match='record folder nowhere does not exist; write it with ssd_image_to_tf.py'
    ):
        tfrecord.read_index(pathlib.Path('nowhere'))
