"""`nets.matching` as TensorFlow operations, for the input pipeline. Tested equal to it."""
import tensorflow as tf

from nets import boxes as box_ops
from nets.matching import SMALLEST_OVERLAP


def match(boxes, labels, defaults, threshold: float = 0.5):
    """Matches objects and default boxes of one image, as `nets.matching.match` does.

    Args:
        boxes: float32 [R, 4] corners; R may be 0.  labels: int [R], from 1.
        defaults: float32 [K, 4] centers, numpy.

    Returns:
        classes int32 [K], offsets float32 [K, 4]; see `nets.matching.Match`.
    """
    corners = tf.constant(box_ops.centers_to_corners(defaults))
    boxes = tf.reshape(boxes, [-1, 4])
    # A row of zeros overlaps nothing, and lets every argmax and gather work on images without objects.
    padded = tf.concat([boxes, tf.zeros([1, 4])], axis=0)
    overlaps = iou(corners, padded)
    best = tf.argmax(overlaps, axis=1, output_type=tf.int32)
    objects = tf.where(tf.reduce_max(overlaps, axis=1) >= threshold, best, -1)
    objects = _bipartite(overlaps, objects, tf.shape(boxes)[0])
    matched = objects >= 0
    index = tf.maximum(objects, 0)
    classes = tf.where(matched, tf.gather(tf.concat([tf.cast(labels, tf.int32), [0]], axis=0), index), 0)
    # Unmatched boxes encode themselves, which gives finite numbers to throw away.
    targets = tf.where(matched[:, None], tf.gather(padded, index), corners)
    offsets = tf.where(matched[:, None], encode(targets, tf.constant(defaults)), 0.)
    return classes, offsets


def _bipartite(overlaps, objects, count):
    """Gives each object its best free default box, largest IoU first. overlaps [K, R + 1], objects int32 [K]."""
    columns = tf.shape(overlaps)[1]

    def body(turn, free, objects):
        flat = tf.argmax(tf.reshape(free, [-1]), output_type=tf.int32)
        default, index = flat // columns, flat % columns
        found = free[default, index] > SMALLEST_OVERLAP
        objects = tf.where(found & (tf.range(tf.shape(objects)[0]) == default), index, objects)
        taken = (tf.range(tf.shape(free)[0]) == default)[:, None] | (tf.range(columns) == index)[None]
        return tf.where(found, turn + 1, count), tf.where(taken, -1., free), objects

    shapes = [tf.TensorShape([]), overlaps.shape, objects.shape]
    _, _, objects = tf.while_loop(lambda turn, *_: turn < count, body, [0, overlaps, objects], shape_invariants=shapes)
    return objects


def iou(first, second):
    """As nets.boxes.iou: first [M, 4], second [N, 4], corners -> [M, N]."""
    first, second = first[:, None], second[None]
    low = tf.maximum(first[..., :2], second[..., :2])
    high = tf.minimum(first[..., 2:], second[..., 2:])
    intersection = _product(tf.maximum(high - low, 0))
    union = _product(tf.maximum(first[..., 2:] - first[..., :2], 0)) \
        + _product(tf.maximum(second[..., 2:] - second[..., :2], 0)) - intersection
    return tf.math.divide_no_nan(intersection, union)


def _product(sides):
    return sides[..., 0] * sides[..., 1]


def encode(boxes, defaults, variances=box_ops.VARIANCES):
    """As nets.boxes.encode: boxes [K, 4] corners, defaults [K, 4] centers -> [K, 4] cy, cx, h, w."""
    low, high = boxes[..., :2], boxes[..., 2:]
    offsets = tf.concat([((low + high) / 2 - defaults[..., :2]) / defaults[..., 2:],
                         tf.math.log((high - low) / defaults[..., 2:])], axis=-1)
    return offsets / tf.constant(variances)


def decode(offsets, defaults, variances=box_ops.VARIANCES):
    """As nets.boxes.decode: offsets [..., K, 4], defaults [K, 4] centers -> [..., K, 4] corners, not clipped."""
    offsets = offsets * tf.constant(variances)
    centers = offsets[..., :2] * defaults[..., 2:] + defaults[..., :2]
    half = tf.exp(offsets[..., 2:]) * defaults[..., 2:] / 2
    return tf.concat([centers - half, centers + half], axis=-1)
