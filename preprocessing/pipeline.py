"""tf.data pipelines from records to batches: endless and augmented, or one pass for evaluation.

Batches hold uint8 images, a quarter of the bytes of float32; the model normalizes them.
"""
import functools
import os
from collections.abc import Callable, Collection, Sequence

import numpy as np
import tensorflow as tf
from tensorflow.types.experimental import TensorLike

from datasets import tfrecord
from preprocessing import augment

_SHUFFLE_IMAGES, _SHUFFLE_BYTES = 1024, 256 << 20  # limits of the shuffle buffer
_ID_BYTES = 128  # of an id in training batches, which hold no strings: GPUs have none
_read = functools.partial(tf.data.TFRecordDataset, buffer_size=1 << 20)  # bytes read at once


def training_batches(index: tfrecord.RecordIndex, image_size: int, batch_size: int, *,
                     fill: Sequence[float], seed: int, start_step: int = 0,
                     target_fn: Callable | None = None, use_difficult: bool = True,
                     max_objects: int = 100, threads: int = 0, worker: int = 0, workers: int = 1,
                     split: int = 1, **parts: bool | float) -> tf.data.Dataset:
    """Endless batches of augmented images; batch k depends only on the seed and k.

    Position p of the stream is image p modulo n of epoch p // n; the seed gives the order of each
    epoch and the augmentation of each position. A resumed training therefore sees what an
    uninterrupted one would have seen. Batches may span epochs. Crowd regions are left out.

    Args:
        index: the records.
        image_size: S, pixels.
        batch_size: B, over all workers.
        fill: RGB 0..255 outside the image.
        seed: of order and augmentation.
        start_step: batches to skip.
        target_fn: (boxes [R, 4], labels [R]) -> dict of tensors of fixed shape, for each image.
        use_difficult: whether difficult objects take part.
        max_objects: rows of 'boxes' and 'labels', which are for drawing; further objects are cut.
        threads: that prepare images; 0: as many as TensorFlow chooses.
        worker: number of this worker, from 0; `workers` of them share each batch.
        split: number of parts that a worker's share comes in.
        **parts: distort, zoom_out, crop, flip, zoom_out_max; see augment.augment.

    Returns:
        A dataset of dicts, with B = batch_size / workers / split, and target_fn's entries:
        images: uint8 [B, S, S, 3].
        ids: uint8 [B, 128], text and then zeros.
        boxes: float32 [B, max_objects, 4], corners in [0, 1].
        labels: int32 [B, max_objects], 0 for no object.

    Raises:
        ValueError: no images, no worker of that number, or B cannot be divided.
        tf.errors.OpError: damaged records, when they are read; see preprocessing.damage.
    """
    if batch_size % (workers * split):
        raise ValueError(f'batch_size {batch_size} is not divisible by {workers} workers times '
                         f'{split} parts')
    if not 0 <= worker < workers:
        raise ValueError(f'worker {worker} of {workers}: workers are numbered from 0')

    def example(position, serialized):
        record = decode(serialized, len(index.classes))
        used = _used(record, use_difficult)
        boxes = tf.boolean_mask(record['boxes'], used)
        labels = tf.boolean_mask(tf.cast(record['labels'], tf.int32), used)
        key = [tf.cast(seed, tf.int64), position]
        image, boxes, labels = augment.augment(record['image'], boxes, labels, key,
                                               image_size=image_size, fill=fill, **parts)
        result = {'images': image,
                  'ids': tf.io.decode_raw(record['id'], tf.uint8, fixed_length=_ID_BYTES),
                  'boxes': _padded(boxes, max_objects), 'labels': _padded(labels, max_objects)}
        return result | (target_fn(boxes, labels) if target_fn else {})

    share = batch_size // workers
    stream = _positions(index, seed, start_step * batch_size)
    if workers > 1:
        stream = stream.filter(lambda position, _: position % batch_size // share == worker)
    stream = _map(stream, example, threads)
    return stream.batch(share // split, drop_remainder=True).prefetch(4)


def _used(record, use_difficult):
    """Which objects of a record are learned: bool [R]."""
    return ~record['crowd'] if use_difficult else ~(record['crowd'] | record['difficult'])


def _positions(index, seed, first):
    """Endless (position, serialized record), from position `first` on."""
    if not index.images:
        raise ValueError(f'{index.folder} holds no images to train on')
    # The order must depend on the files alone.
    size = sum(os.path.getsize(file) for file in index.files) / index.images
    buffer = int(min(_SHUFFLE_IMAGES, _SHUFFLE_BYTES // size + 1))
    epochs = tf.data.Dataset.range(first // index.images, tf.int64.max)
    stream = epochs.flat_map(lambda number: _epoch(index, seed, number, buffer))
    stream = stream.skip(first % index.images)
    return tf.data.Dataset.zip((tf.data.Dataset.range(first, tf.int64.max), stream))


def _epoch(index, seed, number, buffer):
    """All records once, in the order of epoch `number`, a tensor: shards, interleaved, buffer."""
    # Dataset.shuffle mixes its seed with that of the graph, which tf.random.set_seed has set.
    tf.compat.v1.get_default_graph().seed = None
    seeds = [tf.cast(seed, tf.int64), number]
    numbers = tf.random.stateless_uniform([2], seeds, 0, 2**31 - 1, tf.int32)
    order = tf.argsort(tf.random.stateless_uniform([len(index.files)], numbers))
    files = tf.data.Dataset.from_tensor_slices(tf.gather(tf.constant(list(index.files)), order))
    records = files.interleave(_read, min(8, len(index.files)), block_length=8,
                               num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return records.shuffle(buffer, tf.cast(numbers[0], tf.int64), reshuffle_each_iteration=False)


def decode(serialized: TensorLike, classes: int) -> dict[str, tf.Tensor]:
    """A record as tfrecord.parse gives it, with 'image' decoded: uint8 [H, W, 3].

    InvalidArgumentError if the image cannot be decoded, or an object has a box outside the image
    or a label that is not in 1..classes.
    """
    record = tfrecord.parse(serialized)
    boxes, labels = record['boxes'], record['labels']
    sound = tf.reduce_all((boxes >= 0) & (boxes <= 1))
    sound &= tf.reduce_all((labels >= 1) & (labels <= classes))
    for key in ('boxes', 'difficult', 'crowd'):
        sound &= tf.shape(record[key])[0] == tf.shape(labels)[0]
    tf.debugging.Assert(sound, ['objects'])
    return record | {'image': decode_image(record['image'])}


def _padded(values, rows):
    """[R, ...] -> [rows, ...], cut or filled with zeros."""
    values = values[:rows]
    missing = [[0, rows - tf.shape(values)[0]]] + [[0, 0]] * (values.shape.rank - 1)
    return tf.ensure_shape(tf.pad(values, missing), [rows, *values.shape[1:]])


def _map(stream, function, threads):
    options = tf.data.Options()
    if threads:
        options.threading.private_threadpool_size = threads
    stream = stream.with_options(options)
    return stream.map(function, threads or tf.data.AUTOTUNE, deterministic=True)


def evaluation_batches(index: tfrecord.RecordIndex, image_size: int, batch_size: int, *,
                       max_images: int = 0, threads: int = 0,
                       target_fn: Callable | None = None,
                       use_difficult: bool = True) -> tf.data.Dataset:
    """Every record once, or the first max_images, in order; the last batch may be smaller.

    Args:
        target_fn, use_difficult: as in `training_batches`.

    Returns:
        A dataset of dicts, R is the largest number of objects in the batch:
        images: uint8 [B, S, S, 3].
        ids: string [B].
        heights, widths: int64 [B], pixels before resizing.
        boxes: float32 [B, R, 4], corners in [0, 1].
        labels: int32 [B, R], 0 for no object.
        difficult, crowd: bool [B, R].
    """
    def example(serialized):
        record = decode(serialized, len(index.classes))
        labels = tf.cast(record['labels'], tf.int32)
        used = _used(record, use_difficult)
        extra = target_fn(tf.boolean_mask(record['boxes'], used), tf.boolean_mask(labels, used)) \
            if target_fn else {}
        return {'images': resize_image(record['image'], image_size), 'ids': record['id'],
                'heights': record['height'], 'widths': record['width'], 'labels': labels,
                **{key: record[key] for key in ('boxes', 'difficult', 'crowd')}} | extra

    records = _read(list(index.files)).take(max_images or -1)
    return _map(records, example, threads).padded_batch(batch_size).prefetch(2)


def read_images(index: tfrecord.RecordIndex, ids: Collection[str]) -> dict[str, np.ndarray]:
    """{id: uint8 RGB [H, W, 3]} of some images; ids that the records lack are left out."""
    wanted = tf.constant(list(ids), tf.string)
    records = _read(list(index.files)).map(tfrecord.parse)
    found = records.filter(lambda record: tf.reduce_any(record['id'] == wanted)) if ids else ()
    return {record['id'].numpy().decode(): decode_image(record['image']).numpy()
            for record in found}


def resize_image(image: TensorLike, image_size: int) -> tf.Tensor:
    """uint8 [H, W, 3] -> uint8 [S, S, 3] by warping (ssd_pascal.py, test_transform_param WARP).

    Bilinear, after averaging if a side shrinks to half or less, as in training: both then see
    pixels of the same sharpness, and large images do not alias.
    """
    sides = tf.shape(image)[:2]
    factors = tf.maximum(sides // image_size, 1)
    shrunk = tf.cond(tf.reduce_any(factors > 1),
                     lambda: tf.image.resize(image, sides // factors, method='area'),
                     lambda: tf.cast(image, tf.float32))
    return tf.cast(tf.image.resize(shrunk, [image_size, image_size]) + 0.5, tf.uint8)


def decode_image(encoded: TensorLike) -> tf.Tensor:
    """A JPEG, PNG, BMP or GIF (first frame) -> uint8 RGB [H, W, 3], or InvalidArgumentError.

    The one decoder of training, evaluation and exports. JPEG by the accurate cosine transform,
    which gives OpenCV's pixels, those of the demo. TensorFlow's default, which is not faster,
    differs by 1 of 255 on average; in 400 photographs of VOC by up to 7, in saturated noise by more
    than 100. The EXIF orientation is ignored.
    """
    image = tf.cond(
        tf.io.is_jpeg(encoded),
        lambda: tf.io.decode_jpeg(encoded, channels=3, dct_method='INTEGER_ACCURATE'),
        lambda: tf.io.decode_image(encoded, channels=3, expand_animations=False))
    return tf.ensure_shape(image, [None, None, 3])
