"""From the network's output to detections: decoding and non-maximum suppression per class.

Source: weiliu89/caffe, branch ssd, src/caffe/layers/detection_output_layer.cpp and
examples/ssd/ssd_pascal.py (confidence_threshold .01, nms_threshold .45, top_k 400, keep_top_k 200).
"""
import dataclasses
import typing

import numpy as np
import tensorflow as tf

from nets import boxes_tf


@dataclasses.dataclass(frozen=True)
class Limits:
    """What limits the detections of an image; the names are those of the configuration's keys.

    Attributes:
        score_threshold: scores up to it are dropped, 0..1.
        nms_threshold: IoU above which the weaker of two boxes of a class is dropped, 0..1.
        nms_top_k: boxes per class that enter non-maximum suppression.
        keep_top_k: detections per image.
    """
    score_threshold: float = 0.01
    nms_threshold: float = 0.45
    nms_top_k: int = 400
    keep_top_k: int = 200


class Detections(typing.NamedTuple):
    """D detections per image, best first; rows from `counts` on are zeros.

    Attributes:
        boxes: float32 [B, D, 4] corners clipped to [0, 1].
        scores: float32 [B, D] in [0, 1].
        classes: int32 [B, D], from 1.
        counts: int32 [B].
    """
    boxes: tf.Tensor
    scores: tf.Tensor
    classes: tf.Tensor
    counts: tf.Tensor


def detect(logits: tf.types.experimental.TensorLike, offsets: tf.types.experimental.TensorLike,
           defaults: np.ndarray, **limits: typing.Any) -> Detections:
    """Decodes, drops background and weak scores, suppresses overlaps per class, keeps the best.

    Args:
        logits: float32 [B, K, C].
        offsets: float32 [B, K, 4].
        defaults: float32 [K, 4] centers.
        limits: fields of `Limits`; those not given have its defaults.
    """
    limit = Limits(**limits)
    scores = tf.nn.softmax(tf.cast(logits, tf.float32))[..., 1:]
    boxes = boxes_tf.decode(tf.cast(offsets, tf.float32), tf.constant(defaults))
    boxes, scores, classes, counts = tf.image.combined_non_max_suppression(
        boxes[:, :, None], _strongest(scores, limit.score_threshold, limit.nms_top_k),
        max_output_size_per_class=limit.nms_top_k, max_total_size=limit.keep_top_k,
        iou_threshold=limit.nms_threshold, score_threshold=limit.score_threshold, clip_boxes=True)
    valid = tf.sequence_mask(counts, limit.keep_top_k)
    return Detections(boxes, scores, tf.where(valid, tf.cast(classes, tf.int32) + 1, 0), counts)


def _strongest(scores, threshold, top_k):
    """Sets all but the top_k scores of each image and class to 0. scores: [B, K, C - 1]."""
    def cut():
        bound = tf.math.top_k(tf.transpose(scores, [0, 2, 1]), top_k).values[..., -1]
        return tf.where(scores >= bound[:, None], scores, 0.)

    if scores.shape[1] is not None and scores.shape[1] <= top_k:
        return scores
    # Sorting takes long: it is left out where no class has more candidates than top_k.
    most = tf.reduce_max(tf.reduce_sum(tf.cast(scores > threshold, tf.float32), axis=1))
    return tf.cond(most > top_k, cut, lambda: scores)
