"""Flipped and cut bytes in shards: named, counted, and left out on request."""
import pytest
import tensorflow as tf

from datasets import tfrecord
from preprocessing import damage, pipeline
from tests.preprocessing.records import write
from utils.errors import DataError


def _spoil(path, position):
    data = bytearray(path.read_bytes())
    data[position] ^= 255
    path.write_bytes(data)


def _read(index, batch_size=4):
    return [name.decode() for batch in pipeline.evaluation_batches(index, 32, batch_size) for name in batch['ids'].numpy()]


def _starts(path):
    """Positions of a shard's records."""
    lengths = [len(record.numpy()) for record in tf.data.TFRecordDataset(str(path))]
    return [sum(lengths[:number]) + 16 * number for number in range(len(lengths))]


def test_an_undecodable_image_is_named(tmp_path):
    index = write(tmp_path / 'bad', 6, encoded={4: b'\xff\xd8\xff no picture'})
    message = r"image '4', record 0 of .*shard-00001.tfrecord, cannot be decoded, or has impossible objects; convert again, or"
    with pytest.raises(DataError, match=message), damage.named(index):
        _read(index)
    sound, texts = damage.sound_copy(index, tmp_path / 'sound')
    assert _read(sound) == ['0', '1', '2', '3', '5'] and sound.images == 5
    assert texts[-1] == f'1 of 6 records of {tmp_path}/bad are left out'


def test_flipped_bytes_are_named_and_left_out(tmp_path):
    index = write(tmp_path / 'bad', 12)
    first, second = tmp_path / 'bad/shard-00000.tfrecord', tmp_path / 'bad/shard-00002.tfrecord'
    starts = _starts(first)
    _spoil(first, starts[1] + 50)
    _spoil(first, starts[3] + 50)
    _spoil(second, -1)
    with pytest.raises(DataError, match=r'^record 1 of .*shard-00000.tfrecord is damaged \(and 2 more places\); .*=skip$'), \
            damage.named(index):
        _read(index)
    sound, texts = damage.sound_copy(index, tmp_path / 'sound')
    assert _read(sound) == ['0', '2', '4', '5', '6', '7', '8', '9', '10'] and sound.images == 9
    assert texts == [f'record 1 of {first} is damaged', f'record 3 of {first} is damaged', f'record 3 of {second} is damaged',
                     f'3 of 12 records of {tmp_path}/bad are left out']
    assert sound.files[1] == index.files[1]  # a sound shard is not copied


def test_behind_a_damaged_length_the_shard_is_lost(tmp_path):
    index = write(tmp_path / 'bad', 4)
    path = tmp_path / 'bad/shard-00000.tfrecord'
    _spoil(path, _starts(path)[2])
    sound, texts = damage.sound_copy(index, tmp_path / 'sound')
    assert _read(sound) == ['0', '1']
    assert texts == [f'record 2 of {path} is damaged', f'2 of 4 records of {tmp_path}/bad are left out']


def test_cut_shard(tmp_path):
    write(tmp_path / 'bad', 4)
    path = tmp_path / 'bad/shard-00000.tfrecord'
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(DataError, match='bytes instead of .*--damaged_records=skip'):
        tfrecord.read_index(tmp_path / 'bad')
    sound, _ = damage.sound_copy(tfrecord.read_index(tmp_path / 'bad', cut_allowed=True), tmp_path / 'sound')
    assert _read(sound) == ['0', '1', '2']


def test_sound_records_stay_as_they_are(tmp_path):
    index = write(tmp_path / 'good', 5)
    assert damage.sound_copy(index, tmp_path / 'sound') == (index, [])
    assert not (tmp_path / 'sound').exists()


def test_other_errors_pass(tmp_path):
    index = write(tmp_path / 'good', 2)
    with pytest.raises(tf.errors.InvalidArgumentError, match='mine'), damage.named(index):
        raise tf.errors.InvalidArgumentError(None, None, 'mine')


def test_checksum_is_that_of_a_record(tmp_path):
    path = tmp_path / 'one.tfrecord'
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(b'hello')
    data = path.read_bytes()
    assert damage.masked_crc32c(data[:8]) == int.from_bytes(data[8:12], 'little')
    assert damage.masked_crc32c(b'hello') == int.from_bytes(data[17:21], 'little')


@pytest.mark.parametrize('key, feature', [
    ('image/object/class/label', tf.train.Feature(int64_list=tf.train.Int64List(value=[3]))),
    ('image/object/class/label', tf.train.Feature(int64_list=tf.train.Int64List(value=[0]))),
    ('image/object/class/label', tf.train.Feature(int64_list=tf.train.Int64List(value=[1, 2]))),
    ('image/object/class/label', tf.train.Feature(float_list=tf.train.FloatList(value=[1]))),
    ('image/object/bbox/ymax', tf.train.Feature(float_list=tf.train.FloatList(value=[float('nan')]))),
    ('image/object/bbox/ymax', tf.train.Feature(float_list=tf.train.FloatList(value=[1.5]))),
    ('image/object/bbox/ymax', tf.train.Feature(float_list=tf.train.FloatList(value=[]))),
    ('image/source_id', tf.train.Feature(int64_list=tf.train.Int64List(value=[1]))),
])
def test_impossible_objects_are_named(tmp_path, key, feature):
    index = write(tmp_path / 'bad', 3)
    path = tmp_path / 'bad/shard-00000.tfrecord'
    records = [tf.train.Example.FromString(record.numpy()) for record in tf.data.TFRecordDataset(str(path))]
    records[1].features.feature[key].CopyFrom(feature)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record.SerializeToString())
    with pytest.raises(DataError, match=r"^image '[1?]', record 1 of .*, cannot be decoded, or has impossible objects; "), \
            damage.named(index):
        _read(index)
    assert damage.sound_copy(index, tmp_path / 'sound')[0].images == 2
