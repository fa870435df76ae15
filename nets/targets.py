"""`nets.matching` as TensorFlow operations. Tested equal to it."""
import typing

import numpy as np
import tensorflow as tf

from nets import boxes as box_ops
from nets import boxes_tf
from nets.matching import SMALLEST_OVERLAP

TensorLike: typing.TypeAlias = tf.types.experimental.TensorLike


def match(boxes: TensorLike, labels: TensorLike, defaults: np.ndarray,
          threshold: float = 0.5) -> tuple[tf.Tensor, tf.Tensor]:
    """Matches objects and default boxes of one image, as `nets.matching.match` does.

    Args:
        boxes: float32 [R, 4] corners; R may be 0.
        labels: int [R], from 1.
        defaults: float32 [K, 4] centers.
        threshold: IoU from which a default box takes an object.

    Returns:
        classes int64 [K] (TensorFlow keeps int32 in the host's memory, even with a GPU), offsets
        float32 [K, 4]; see `nets.matching.Match`.
    """
    corners = tf.constant(box_ops.centers_to_corners(defaults))
    boxes = tf.reshape(boxes, [-1, 4])
    # A row of zeros overlaps nothing; with it, argmax and gather work on images without objects.
    padded = tf.concat([boxes, tf.zeros([1, 4])], axis=0)
    overlaps = boxes_tf.iou(padded, corners)
    least = max(threshold, SMALLEST_OVERLAP)
    best = tf.argmax(overlaps, axis=0, output_type=tf.int32)
    objects = tf.where(tf.reduce_max(overlaps, axis=0) >= least, best, -1)
    objects = _bipartite(overlaps, objects, tf.shape(boxes)[0])
    matched = objects >= 0
    index = tf.maximum(objects, 0)
    labels = tf.concat([tf.cast(labels, tf.int64), [0]], axis=0)
    classes = tf.where(matched, tf.gather(labels, index), 0)
    # Unmatched boxes encode themselves, which gives finite numbers to throw away.
    targets = tf.where(matched[:, None], tf.gather(padded, index), corners)
    offsets = tf.where(matched[:, None], boxes_tf.encode(targets, tf.constant(defaults)), 0.)
    return classes, offsets


def _bipartite(overlaps, objects, count):
    """Gives each object its best free default box, largest IoU first.

    Of R objects, none has to look further than its R best default boxes: the others can take R - 1
    of them at most.

    Args:
        overlaps: [R + 1, K], IoU.
        objects: int32 [K], each default box's object so far, -1 for none.
        count: R.

    Returns:
        `objects` with the pairs.
    """
    columns = tf.shape(overlaps)[0]
    # Of equal values the lower default box comes first.
    values, defaults = tf.math.top_k(overlaps, tf.minimum(columns, tf.shape(overlaps)[1]))
    # Ties go to the lower default box, then to the lower object.
    order = defaults * columns + tf.range(columns)[:, None]
    width = tf.shape(values)[1]

    def body(turn, free, chosen):
        largest = tf.reduce_max(free)
        candidates = tf.where(free == largest, order, order.dtype.max)
        winner = tf.argmin(tf.reshape(candidates, [-1]), output_type=tf.int32)
        index, default = winner // width, tf.reshape(defaults, [-1])[winner]
        found = largest > SMALLEST_OVERLAP
        mine = tf.range(columns) == index
        chosen = tf.where(found & mine, default, chosen)
        free = tf.where(mine[:, None] | (defaults == default), -1., free)
        return tf.where(found, turn + 1, count), free, chosen

    start = [0, values, tf.fill([columns], -1)]
    _, _, chosen = tf.while_loop(lambda turn, *_: turn < count, body, start)
    paired = tf.where(chosen >= 0)[:, 0]
    return tf.tensor_scatter_nd_update(objects, tf.gather(chosen, paired)[:, None],
                                       tf.cast(paired, tf.int32))
