"""Non-maximum suppression in operations that GPUs have; TensorFlow's own computes on the CPU.

Greedy suppression goes from the best box to the weakest and keeps those that no better kept one
overlaps. This is a fixed point. At first all boxes are kept. A turn keeps those that none of the
better ones which the turn before kept overlaps: after n turns the first n links of every chain of
overlaps are right, and once a turn changes nothing, all are.
"""
import functools

import numpy as np
import tensorflow as tf

from nets import boxes_tf

# Pairs of boxes that are compared at a time, which bounds the memory: 540 MiB, since a pair takes
# 17 bytes (measured on a CPU). With 400 boxes per class they are the 20 classes of 10 images.
PAIRS = 2 ** 25


def fits(top_k: int) -> bool:
    """Whether so many boxes per class can be compared with each other: 5,792 at most."""
    return top_k ** 2 <= PAIRS


def suppress(boxes: tf.Tensor, scores: tf.Tensor, top_k: int, keep_top_k: int,
             iou_threshold: float, score_threshold: float
             ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    """As tf.image.combined_non_max_suppression, among the top_k best boxes of each class.

    Of boxes with the same score the first is the better one, of classes too; TensorFlow leaves the
    order of these to its heap.

    Args:
        boxes: float32 [B, N, 1, 4] corners.
        scores: float32 [B, N, C - 1], none of them NaN.
        top_k: boxes per class that enter suppression.
        keep_top_k: D, detections per image.
        iou_threshold: IoU above which the weaker of two boxes of a class is dropped.
        score_threshold: scores up to it are dropped, at least 0.

    Returns:
        boxes [B, D, 4] clipped to [0, 1], scores [B, D] and classes [B, D] from 0, all of them
        float32, best first, with zeros behind the last one; number of detections, int32 [B].
    """
    best = tf.math.top_k(tf.transpose(scores, [0, 2, 1]), min(top_k, boxes.shape[1]))
    classes, top_k = best.values.shape[1:]
    boxes = tf.gather(boxes[:, :, 0], best.indices, batch_dims=1)  # [B, C - 1, top_k, 4]
    kept = _in_slices(
        functools.partial(_kept, iou_threshold=iou_threshold), tf.reshape(boxes, [-1, top_k, 4]),
        tf.reshape(best.values > score_threshold, [-1, top_k]))
    scores = tf.where(tf.reshape(kept, tf.shape(best.values)), best.values, 0.)
    found = tf.math.top_k(tf.reshape(scores, [-1, classes * top_k]),
                          min(keep_top_k, classes * top_k))
    valid = found.values > 0
    boxes = tf.gather(tf.reshape(boxes, [-1, classes * top_k, 4]), found.indices, batch_dims=1)
    boxes = tf.where(valid[..., None], tf.clip_by_value(boxes, 0., 1.), 0.)
    # Not in int32, with which TensorFlow computes on the host.
    labels = tf.cast(tf.where(valid, tf.cast(found.indices, tf.int64) // top_k, 0), tf.float32)
    counts = tf.cast(tf.reduce_sum(tf.cast(valid, tf.float32), axis=-1), tf.int32)
    more = [[0, 0], [0, keep_top_k - found.values.shape[-1]]]
    return tf.pad(boxes, [*more, [0, 0]]), tf.pad(found.values, more), tf.pad(labels, more), counts


def _in_slices(function, boxes, candidates):
    """function((boxes [R, N, 4], candidates [R, N])) -> [R, N], for up to PAIRS at a time."""
    count, size = tf.shape(candidates)[0], candidates.shape[-1]
    slices = tf.maximum(-(-count // max(PAIRS // size ** 2, 1)), 1)
    rows = -(-count // slices)
    more = [[0, slices * rows - count], [0, 0]]
    parts = (tf.reshape(tf.pad(boxes, [*more, [0, 0]]), [slices, rows, size, 4]),
             tf.reshape(tf.pad(candidates, more), [slices, rows, size]))
    found = tf.map_fn(function, parts, parallel_iterations=1,
                      fn_output_signature=tf.TensorSpec([None, size], tf.bool))
    return tf.reshape(found, [-1, size])[:count]


def _kept(given, iou_threshold):
    """Those that stay, bool [R, N], of boxes [R, N, 4], best first, and candidates, bool [R, N]."""
    boxes, candidates = given
    ranks = np.arange(boxes.shape[1], dtype=np.float32)
    # [R, N, N]: the box of a column is better than that of the row, and overlaps it.
    overlaps = (boxes_tf.iou(boxes, boxes) > iou_threshold) & (ranks[:, None] > ranks)

    def turn(kept, _):
        found = candidates & ~tf.reduce_any(overlaps & kept[:, None], axis=-1)
        return found, tf.reduce_any(found != kept)

    return tf.while_loop(lambda _, changed: changed, turn, (candidates, True))[0]
