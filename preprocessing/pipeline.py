"""tf.data pipelines from records to batches: endless, augmented and resumable for training; one plain pass for evaluation.

Batches carry uint8 images, a quarter of the bytes of float32; the model's side normalises them on its own device.
"""
import tensorflow as tf

from datasets import tfrecord
from preprocessing import augment

# Encoded images held back to be shuffled; about 100 KB each.
_SHUFFLE_BUFFER = 1024
# Bytes read from a shard at once.
_READ_BUFFER = 1 << 20


def training_batches(index, image_size, batch_size, *, fill, seed, start_step=0, target_fn=None, use_difficult=True,
                     max_objects=100, threads=0, worker=0, workers=1, **parts):
    """Endless batches of augmented images; batch k depends on the seed and k alone.

    Position p of the stream is image p modulo n of epoch p // n; the epoch's order and the position's augmentation derive from
    the seed. A training resumed at a step therefore sees what an uninterrupted one would have seen.

    Args:
        index: datasets.tfrecord.RecordIndex.  image_size: S.  batch_size: B, over all workers.
        fill: RGB 0..255 outside the image.  start_step: batches that are passed over, without decoding them.
        target_fn: (boxes [R, 4], labels [R]) -> dict of tensors of fixed shape, computed per image.
        use_difficult: objects marked difficult take part.  max_objects: rows of 'boxes' and 'labels'.
        worker, workers: this one's number, and how many share each batch.
        parts: distort, zoom_out, crop, flip; see preprocessing.augment.augment.

    Returns:
        tf.data.Dataset of dicts: images uint8 [B, S, S, 3], ids string [B], boxes float32 [B, max_objects, 4] and labels
        int32 [B, max_objects] (label 0: no object), and what target_fn returns, batched.
    """
    if batch_size % workers:
        raise ValueError(f'batch_size {batch_size} is not divisible by {workers} workers')

    def example(position, serialized):
        record = _decoded(serialized)
        boxes, labels = record['boxes'], tf.cast(record['labels'], tf.int32)
        if not use_difficult:
            easy = ~record['difficult']
            boxes, labels = tf.boolean_mask(boxes, easy), tf.boolean_mask(labels, easy)
        image, boxes, labels = augment.augment(record['image'], boxes, labels, tf.stack([tf.cast(seed, tf.int64), position]),
                                               image_size=image_size, fill=fill, **parts)
        result = {'images': image, 'ids': record['id'], 'boxes': _padded(boxes, max_objects),
                  'labels': _padded(labels, max_objects)}
        return result | (target_fn(boxes, labels) if target_fn else {})

    share = batch_size // workers
    stream = _positions(index, seed, start_step * batch_size)
    if workers > 1:
        stream = stream.filter(lambda position, _: position % batch_size // share == worker)
    stream = stream.map(example, num_parallel_calls=threads or tf.data.AUTOTUNE, deterministic=True)
    return _with_threads(stream.batch(share, drop_remainder=True).prefetch(4), threads)


def _positions(index, seed, first):
    """Endless (position, serialized record), from position `first` on."""
    epoch = tf.data.Dataset.range(first // index.images, tf.int64.max)
    stream = epoch.flat_map(lambda number: _epoch(index, seed, number))
    stream = stream.skip(first % index.images)
    return tf.data.Dataset.zip((tf.data.Dataset.range(first, tf.int64.max), stream))


def _epoch(index, seed, number):
    """All records once, in an order that follows from seed and epoch: shards shuffled, interleaved, then a buffer."""
    numbers = tf.random.stateless_uniform([2], [seed, tf.cast(number, tf.int32)], 0, 2**31 - 1, tf.int32)
    order = tf.argsort(tf.random.stateless_uniform([len(index.files)], numbers))
    files = tf.data.Dataset.from_tensor_slices(tf.gather(tf.constant([str(file) for file in index.files]), order))
    records = files.interleave(_records, cycle_length=min(8, len(index.files)), block_length=8,
                               num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return records.shuffle(_SHUFFLE_BUFFER, seed=tf.cast(numbers[0], tf.int64), reshuffle_each_iteration=False)


def _records(files):
    return tf.data.TFRecordDataset(files, buffer_size=_READ_BUFFER)


def _decoded(serialized):
    """Parsed record with 'image' as uint8 [H, W, 3]; undecodable bytes raise InvalidArgumentError."""
    record = tfrecord.parse(serialized)
    image = tf.io.decode_image(record['image'], channels=3, expand_animations=False)
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


def evaluation_batches(index, image_size, batch_size, *, max_images=0, max_objects=200, threads=0):
    """Every record once, in the order of the files; the last batch may be smaller.

    Returns:
        tf.data.Dataset of dicts: images uint8 [B, S, S, 3], ids string [B], heights and widths int64 [B], boxes float32
        [B, max_objects, 4], labels int32 and difficult bool [B, max_objects] (label 0: no object).
    """
    def example(serialized):
        record = _decoded(serialized)
        return {'images': resize_image(record['image'], image_size), 'ids': record['id'],
                'heights': record['height'], 'widths': record['width'], 'boxes': _padded(record['boxes'], max_objects),
                'labels': _padded(tf.cast(record['labels'], tf.int32), max_objects),
                'difficult': tf.cast(_padded(tf.cast(record['difficult'], tf.int32), max_objects), tf.bool)}

    records = _records([str(file) for file in index.files])
    records = records.take(max_images) if max_images else records
    batches = records.map(example, num_parallel_calls=threads or tf.data.AUTOTUNE, deterministic=True).batch(batch_size)
    return _with_threads(batches.prefetch(2), threads)


def resize_image(image, image_size):
    """uint8 [H, W, 3] -> uint8 [S, S, 3] by warping, as SSD does at test time (ssd_pascal.py test_transform_param WARP).

    Read like a training window, so that training and test see pixels of the same sharpness.
    """
    image = augment.read_window(image, tf.constant([0., 0., 1., 1.]), image_size, (127.5, 127.5, 127.5))
    return tf.saturate_cast(tf.round(image), tf.uint8)
