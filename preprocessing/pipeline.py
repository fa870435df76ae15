"""tf.data pipelines from records to batches: endless, augmented and resumable for training; one plain pass for evaluation.

Batches carry uint8 images, a quarter of the bytes of float32; the model's side normalises them on its own device.
"""
import os
from collections.abc import Callable, Collection, Sequence

import numpy as np
import tensorflow as tf
from tensorflow.types.experimental import TensorLike

from datasets import tfrecord
from preprocessing import augment

# Encoded images held back to be shuffled: so many, and no more than this many bytes.
_SHUFFLE_IMAGES, _SHUFFLE_BYTES = 1024, 256 << 20
# Bytes of an id in training batches, which hold numbers alone: GPUs keep no strings.
_ID_BYTES = 128
# Bytes read from a shard at once.
_READ_BUFFER = 1 << 20


def training_batches(index: tfrecord.RecordIndex, image_size: int, batch_size: int, *, fill: Sequence[float], seed: int,
                     start_step: int = 0, target_fn: Callable[[tf.Tensor, tf.Tensor], dict[str, tf.Tensor]] | None = None,
                     use_difficult: bool = True, max_objects: int = 100, threads: int = 0, worker: int = 0, workers: int = 1,
                     split: int = 1, **parts: bool | float) -> tf.data.Dataset:
    """Endless batches of augmented images; batch k depends on the seed and k alone.

    Position p of the stream is image p modulo n of epoch p // n; the epoch's order and the position's augmentation derive from
    the seed. A training resumed at a step therefore sees what an uninterrupted one would have seen, for the price of reading,
    not decoding, one epoch at most. Batches run across the ends of epochs, so that n may be smaller than B.

    Args:
        image_size: S.  batch_size: B, over all workers.
        fill: RGB 0..255 outside the image.  start_step: batches that are passed over, without decoding them.
        target_fn: (boxes [R, 4], labels [R]) -> dict of tensors of fixed shape, computed per image from all its objects.
        use_difficult: objects marked difficult take part.  max_objects: rows of 'boxes' and 'labels', which are for drawing;
            objects beyond them are left out there.
        threads: that prepare images; 0: as many as TensorFlow finds useful.
        worker, workers: this one's number, and how many share each batch.  split: a worker's share comes in so many parts.
        parts: distort, zoom_out, crop, flip, zoom_out_max; see preprocessing.augment.augment.

    Returns:
        tf.data.Dataset of dicts: images uint8 [B, S, S, 3], ids uint8 [B, 128] (text, then zeros), boxes
        float32 [B, max_objects, 4] and labels int32 [B, max_objects] (label 0: no object), and what target_fn returns,
        batched. B is then batch_size / workers / split.

    Raises:
        ValueError: there are no images, no worker of that number, or B cannot be divided.
        tf.errors.OpError: on damaged records, while they are read; see preprocessing.damage.
    """
    if batch_size % (workers * split):
        raise ValueError(f'batch_size {batch_size} is not divisible by {workers} workers times {split} parts')
    if not 0 <= worker < workers:
        raise ValueError(f'worker {worker} of {workers}: workers are numbered from 0')

    def example(position, serialized):
        record = decode(serialized, len(index.classes))
        boxes, labels = _learnt(record, use_difficult)
        image, boxes, labels = augment.augment(record['image'], boxes, labels, [tf.cast(seed, tf.int64), position],
                                               image_size=image_size, fill=fill, **parts)
        result = {'images': image, 'ids': tf.io.decode_raw(record['id'], tf.uint8, fixed_length=_ID_BYTES),
                  'boxes': _padded(boxes, max_objects), 'labels': _padded(labels, max_objects)}
        return result | (target_fn(boxes, labels) if target_fn else {})

    share = batch_size // workers
    stream = _positions(index, seed, start_step * batch_size)
    if workers > 1:
        stream = stream.filter(lambda position, _: position % batch_size // share == worker)
    stream = stream.map(example, num_parallel_calls=threads or tf.data.AUTOTUNE, deterministic=True)
    return _with_threads(stream.batch(share // split, drop_remainder=True).prefetch(4), threads)


def _learnt(record, use_difficult):
    """(boxes [R, 4], labels int32 [R]) of a record that take part in training."""
    boxes, labels = record['boxes'], tf.cast(record['labels'], tf.int32)
    if use_difficult:
        return boxes, labels
    return tf.boolean_mask(boxes, ~record['difficult']), tf.boolean_mask(labels, ~record['difficult'])


def _positions(index, seed, first):
    """Endless (position, serialized record), from position `first` on."""
    if not index.images:
        raise ValueError(f'{index.folder} holds no images to train on')
    # Depends on the files alone, as the order must.
    size = sum(os.path.getsize(file) for file in index.files) / index.images
    buffer = int(min(_SHUFFLE_IMAGES, _SHUFFLE_BYTES // size + 1))
    epochs = tf.data.Dataset.range(first // index.images, tf.int64.max)
    stream = epochs.flat_map(lambda number: _epoch(index, seed, number, buffer))
    stream = stream.skip(first % index.images)
    return tf.data.Dataset.zip((tf.data.Dataset.range(first, tf.int64.max), stream))


def _epoch(index, seed, number, buffer):
    """All records once, in an order that follows from seed and epoch: shards shuffled, interleaved, then a buffer.

    For `flat_map`: number is a tensor.
    """
    # Dataset.shuffle mixes its seed with that of the graph, here of this function, which takes it from tf.random.set_seed.
    tf.compat.v1.get_default_graph().seed = None
    numbers = tf.random.stateless_uniform([2], [tf.cast(seed, tf.int64), number], 0, 2**31 - 1, tf.int32)
    order = tf.argsort(tf.random.stateless_uniform([len(index.files)], numbers))
    files = tf.data.Dataset.from_tensor_slices(tf.gather(tf.constant([str(file) for file in index.files]), order))
    records = files.interleave(_records, cycle_length=min(8, len(index.files)), block_length=8,
                               num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return records.shuffle(buffer, seed=tf.cast(numbers[0], tf.int64), reshuffle_each_iteration=False)


def _records(files):
    return tf.data.TFRecordDataset(files, buffer_size=_READ_BUFFER)


def decode(serialized: TensorLike, classes: int) -> dict[str, tf.Tensor]:
    """A record as `tfrecord.parse` gives it, but with 'image' decoded: uint8 [H, W, 3].

    InvalidArgumentError where the image cannot be decoded, or an object has a box outside of it or no label of the `classes`.
    """
    record = tfrecord.parse(serialized)
    boxes, labels = record['boxes'], record['labels']
    sound = (tf.reduce_all((boxes >= 0) & (boxes <= 1)) & tf.reduce_all((labels >= 1) & (labels <= classes))
             & (tf.shape(boxes)[0] == tf.shape(labels)[0]) & (tf.shape(boxes)[0] == tf.shape(record['difficult'])[0]))
    with tf.control_dependencies([tf.debugging.Assert(sound, ['objects'])]):
        serialized = tf.identity(record['image'])
    image = tf.io.decode_image(serialized, channels=3, expand_animations=False)
    return record | {'image': tf.ensure_shape(image, [None, None, 3])}


def _padded(values, rows):
    """[R, ...] -> [rows, ...], cut or filled with zeros."""
    values = values[:rows]
    missing = rows - tf.shape(values)[0]
    padded = tf.pad(values, [[0, missing]] + [[0, 0]] * (values.shape.rank - 1))
    return tf.ensure_shape(padded, [rows, *values.shape[1:]])


def _with_threads(dataset, threads):
    options = tf.data.Options()
    options.deterministic = True
    if threads:
        options.threading.private_threadpool_size = threads
    return dataset.with_options(options)


def evaluation_batches(index: tfrecord.RecordIndex, image_size: int, batch_size: int, *, max_images: int = 0,
                       threads: int = 0) -> tf.data.Dataset:
    """Every record once, or the first max_images, in the order of the files; the last batch may be smaller.

    Returns:
        tf.data.Dataset of dicts: images uint8 [B, S, S, 3], ids string [B], heights and widths int64 [B], boxes float32
        [B, R, 4], labels int32 and difficult bool [B, R]; R is the batch's largest number of objects, label 0 no object.

    Raises:
        tf.errors.OpError: on damaged records, while they are read; see preprocessing.damage.
    """
    def example(serialized):
        record = decode(serialized, len(index.classes))
        return {'images': resize_image(record['image'], image_size), 'ids': record['id'],
                'heights': record['height'], 'widths': record['width'], 'boxes': record['boxes'],
                'labels': tf.cast(record['labels'], tf.int32), 'difficult': record['difficult']}

    records = _records([str(file) for file in index.files])
    records = records.take(max_images) if max_images else records
    examples = records.map(example, num_parallel_calls=threads or tf.data.AUTOTUNE, deterministic=True)
    return _with_threads(examples.padded_batch(batch_size).prefetch(2), threads)


def pictures(index: tfrecord.RecordIndex, ids: Collection[str]) -> dict[str, np.ndarray]:
    """{id: uint8 RGB [H, W, 3]} of some images of the records; ids that are not there are left out."""
    if not ids:
        return {}
    wanted = tf.constant(list(ids), tf.string)
    records = _records([str(file) for file in index.files])
    records = records.filter(lambda serialized: tf.reduce_any(tfrecord.parse(serialized)['id'] == wanted)) \
        .map(lambda serialized: decode(serialized, len(index.classes)))
    return {record['id'].numpy().decode(): record['image'].numpy() for record in records}


def resize_image(image: TensorLike, image_size: int) -> tf.Tensor:
    """uint8 [H, W, 3] -> uint8 [S, S, 3] by warping, as SSD does at test time (ssd_pascal.py test_transform_param WARP).

    Bilinear between pixel centres, after averaging where a side shrinks to half or less, as in training: so both see pixels of
    the same sharpness, and large pictures do not alias. Test and demo both use it.
    """
    height, width = tf.shape(image)[0], tf.shape(image)[1]
    factors = tf.maximum(tf.stack([height, width]) // image_size, 1)
    shrunk = tf.cond(tf.reduce_any(factors > 1),
                     lambda: tf.image.resize(image, tf.stack([height, width]) // factors, method='area'),
                     lambda: tf.cast(image, tf.float32))
    return tf.cast(tf.image.resize(shrunk, [image_size, image_size]) + 0.5, tf.uint8)


def decode_picture(encoded: TensorLike) -> tf.Tensor:
    """Bytes of a JPEG, PNG, BMP or GIF file (its first frame) -> uint8 RGB [H, W, 3]; other bytes raise InvalidArgumentError.

    JPEG by the accurate cosine transform, which gives OpenCV's pixels; by the fast one, TensorFlow's own choice, they are off by
    1 of 255 on average. The EXIF orientation is not followed.
    """
    image = tf.cond(tf.io.is_jpeg(encoded),
                    lambda: tf.io.decode_jpeg(encoded, channels=3, dct_method='INTEGER_ACCURATE'),
                    lambda: tf.io.decode_image(encoded, channels=3, expand_animations=False))
    return tf.ensure_shape(image, [None, None, 3])
