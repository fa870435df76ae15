"""Records that a disk or a copy has damaged: found, named, and on request left out."""
import contextlib
import dataclasses
import os
import pathlib
import shutil
import struct
import tempfile
from collections.abc import Iterator

import tensorflow as tf
from google.protobuf import message

from datasets import tfrecord
from preprocessing import pipeline
from utils.errors import DataError

# A TFRecord is its length (8 bytes), the length's checksum (4), the data, and the data's checksum (4).
_HEADER = struct.Struct('<QI')
_AROUND = _HEADER.size + 4


@contextlib.contextmanager
def named(index: tfrecord.RecordIndex, skippable: bool = True) -> Iterator[None]:
    """Around the use of batches: turns TensorFlow's error on a damaged record into a DataError that names what is damaged.

    with damage.named(index): for batch in batches: ...

    TensorFlow's error tells neither shard nor image. Searching reads all records, which a training that has ended can afford. An
    error with another cause passes.  skippable: these are training records, which damaged_records=skip can do without.
    """
    try:
        yield
    except (tf.errors.DataLossError, tf.errors.InvalidArgumentError) as error:
        found = [text for file in index.files for _, text in examine(file, len(index.classes)) if text]
        if not found:
            raise
        more = f' (and {len(found) - 1} more places)' if len(found) > 1 else ''
        way_out = ', or train without them: --damaged_records=skip' if skippable else ''
        raise DataError(f'{found[0]}{more}; convert again{way_out}') from error


def examine(file: str, classes: int) -> Iterator[tuple[bytes | None, str]]:
    """Yields (serialized, '') for every sound record of a shard, and (None, what is wrong and where) for the others.

    classes: how many there are; higher labels are wrong.
    """
    for number, serialized in enumerate(_records(file)):
        if serialized is None:
            yield None, f'record {number} of {file} is damaged'
        elif _decodes(serialized, classes):
            yield serialized, ''
        else:
            yield None, f"image '{_name(serialized)}', record {number} of {file}, cannot be decoded, or has impossible objects"


def _records(file):
    """Yields the bytes of each record, and None for a damaged one. Behind a damaged length nothing can be found: one None."""
    with tempfile.TemporaryDirectory() as room:
        source = file
        while source:
            position = 0
            try:
                for serialized in tf.data.TFRecordDataset(str(source)):
                    position += len(serialized.numpy()) + _AROUND
                    yield serialized.numpy()
                return
            except tf.errors.DataLossError:  # the reader does not go on behind it; one that starts there does
                yield None
                source = _rest(source, _end(source, position), room)


def _end(file, position):
    """Where the record at a position ends; None where that cannot be known."""
    with open(file, 'rb') as opened:
        opened.seek(position)
        header = opened.read(_HEADER.size)
    if len(header) < _HEADER.size:
        return None
    length, checksum = _HEADER.unpack(header)
    end = position + length + _AROUND
    return end if checksum == masked_crc32c(header[:8]) and end < os.path.getsize(file) else None


def _rest(file, position, room):
    if position is None:
        return None
    handle, path = tempfile.mkstemp(dir=room)
    with open(file, 'rb') as old, open(handle, 'wb') as new:
        old.seek(position)
        shutil.copyfileobj(old, new)
    return path


def masked_crc32c(data: bytes) -> int:
    """The checksum of TFRecords (tensorflow/core/lib/hash/crc32c.h), bit by bit: for a few bytes."""
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    crc ^= 0xffffffff
    return ((crc >> 15 | crc << 17) + 0xa282ead8) & 0xffffffff


def _name(serialized):
    """The image's id, as far as there is one."""
    try:
        return tf.train.Example.FromString(serialized).features.feature['image/source_id'].bytes_list.value[0].decode()
    except (message.DecodeError, IndexError, UnicodeDecodeError):
        return '?'


def _decodes(serialized, classes) -> bool:
    try:
        pipeline.decode(serialized, classes)
    except tf.errors.InvalidArgumentError:
        return False
    return True


def sound_copy(index: tfrecord.RecordIndex, folder: str | os.PathLike) -> tuple[tfrecord.RecordIndex, list[str]]:
    """The records without their damaged ones -> (their index, texts that name what is left out).

    Reads everything once, and damaged shards once more. Shards that are sound stay where they are; of the others the sound
    records are copied to `folder`. The order of training follows from what is left: the same damage, the same order.
    """
    texts, files, images = [], [], 0
    for file in index.files:
        wrong, sound = _counted(file, len(index.classes))
        texts += wrong
        images += sound
        files.append(_copied(file, folder, len(index.classes)) if wrong else file)
    if texts:
        texts.append(f'{index.images - images} of {index.images} records of {index.folder} are left out')
    return dataclasses.replace(index, files=tuple(files), images=images), texts


def _counted(file, classes):
    wrong, sound = [], 0
    for serialized, text in examine(file, classes):
        wrong += [text] if text else []
        sound += serialized is not None
    return wrong, sound


def _copied(file, folder, classes):
    pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
    path = os.path.join(folder, os.path.basename(file))
    with tf.io.TFRecordWriter(path) as writer:
        for serialized, _ in examine(file, classes):
            if serialized is not None:
                writer.write(serialized)
    return path
