"""Damaged shards are named."""
import pytest
import tensorflow as tf

from preprocessing import damage, pipeline
from tests.preprocessing.records import write
from utils.errors import DataError


def _spoil(path, position):
    data = bytearray(path.read_bytes())
    data[position] ^= 255
    path.write_bytes(data)


def _read(index, batch_size=4):
    return [name.decode() for batch in pipeline.evaluation_batches(index, 32, batch_size)
            for name in batch['ids'].numpy()]


def test_an_undecodable_image(tmp_path):
    index = write(tmp_path / 'bad', 6, encoded={4: b'\xff\xd8\xff no image'})
    message = '^record shard .*bad/shard-00001.tfrecord is damaged; convert again$'
    with pytest.raises(DataError, match=message), damage.named(index):
        _read(index)


def test_flipped_bytes(tmp_path):
    index = write(tmp_path / 'bad', 12)
    _spoil(tmp_path / 'bad/shard-00000.tfrecord', 200)
    _spoil(tmp_path / 'bad/shard-00002.tfrecord', -1)
    message = r'/shard-00000.tfrecord is damaged \(and 1 more shards\); convert again$'
    with pytest.raises(DataError, match=message), damage.named(index):
        _read(index)


def test_other_errors_pass(tmp_path):
    index = write(tmp_path / 'good', 2)
    with pytest.raises(tf.errors.InvalidArgumentError, match='mine'), damage.named(index):
        raise tf.errors.InvalidArgumentError(None, None, 'mine')


@pytest.mark.parametrize(
    'key, feature',
    [
        ('image/object/class/label', tf.train.Feature(int64_list=tf.train.Int64List(value=[3]))),
        ('image/object/class/label', tf.train.Feature(int64_list=tf.train.Int64List(value=[0]))),
        ('image/object/class/label', tf.train.Feature(int64_list=tf.train.Int64List(value=[1, 2]))),
        ('image/object/class/label', tf.train.Feature(float_list=tf.train.FloatList(value=[1]))),
        (
            'image/object/bbox/ymax',
            tf.train.Feature(float_list=tf.train.FloatList(value=[float('nan')])),
        ),
        ('image/object/bbox/ymax', tf.train.Feature(float_list=tf.train.FloatList(value=[1.5]))),
        ('image/object/bbox/ymax', tf.train.Feature(float_list=tf.train.FloatList(value=[]))),
        ('image/object/is_crowd', tf.train.Feature(int64_list=tf.train.Int64List(value=[1, 0]))),
        ('image/source_id', tf.train.Feature(int64_list=tf.train.Int64List(value=[1]))),
    ],
)
def test_impossible_objects(tmp_path, key, feature):
    index = write(tmp_path / 'bad', 3)
    path = tmp_path / 'bad/shard-00000.tfrecord'
    records = [tf.train.Example.FromString(record.numpy())
               for record in tf.data.TFRecordDataset(str(path))]
    records[1].features.feature[key].CopyFrom(feature)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record.SerializeToString())
    message = '^record shard .*/shard-00000.tfrecord is damaged; convert again$'
    with pytest.raises(DataError, match=message), damage.named(index):
        _read(index)
