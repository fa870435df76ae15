"""Names the shards of damaged records."""
import contextlib
import os
from collections.abc import Iterator

import tensorflow as tf

from datasets import tfrecord
from preprocessing import pipeline
from utils.errors import DataError


@contextlib.contextmanager
def named(index: tfrecord.RecordIndex) -> Iterator[None]:
    """Around the use of batches: turns TensorFlow's error on a damaged record into a DataError.

    TensorFlow's error names no file. After an error all shards are read once more, and those that
    are missing or cannot be read are named. An error with another cause passes.
    """
    try:
        yield
    except (tf.errors.DataLossError, tf.errors.InvalidArgumentError,
            tf.errors.NotFoundError) as error:
        if missing := [file for file in index.files if not os.path.isfile(file)]:
            raise DataError(f'record shard {missing[0]} is gone, which was there at the start; did '
                            'another conversion replace it?') from error
        damaged = [file for file in index.files if not _sound(file, len(index.classes))]
        if not damaged:
            raise
        more = f' (and {len(damaged) - 1} more shards)' if len(damaged) > 1 else ''
        raise DataError(f'record shard {damaged[0]} is damaged{more}; convert again') from error


def _sound(file, classes) -> bool:
    records = tf.data.TFRecordDataset(file)
    try:
        for _ in records.map(lambda serialized: pipeline.decode(serialized, classes)):
            pass
    except tf.errors.OpError:
        return False
    return True
