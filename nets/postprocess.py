"""From the network's output to detections: decoding and non-maximum suppression per class.

Source: weiliu89/caffe, branch ssd, src/caffe/layers/detection_output_layer.cpp and
examples/ssd/ssd_pascal.py (confidence_threshold .01, nms_threshold .45, top_k 400, keep_top_k 200).
"""
import dataclasses
import numbers
import typing

import numpy as np

from nets import boxes_tf, suppression
from nets.slim_compat import has_gpu, tf

# Times keep_top_k: boxes that are tried first where there are many. With the shipped detector and
# threshold 0.01, the 200 detections of all of 400 photographs were among the 2,000 best boxes.
_TRIED = 10


@dataclasses.dataclass(frozen=True)
class Limits:
    """What limits the detections of an image; the names are those of the configuration's keys.

    Attributes:
        score_threshold: scores up to it are dropped, 0..1.
        nms_threshold: IoU above which the weaker of two boxes of a class is dropped, 0..1.
        nms_top_k: boxes per class that enter non-maximum suppression.
        keep_top_k: detections per image.

    Raises:
        ValueError: one of them is out of its range.
    """
    score_threshold: float = 0.01
    nms_threshold: float = 0.45
    nms_top_k: int = 400
    keep_top_k: int = 200

    def __post_init__(self):
        for name in ('score_threshold', 'nms_threshold'):
            value = getattr(self, name)
            if not isinstance(value, numbers.Real) or not 0 <= value <= 1:
                raise ValueError(f'{name}: {value!r} is not a number from 0 to 1')
        for name in ('nms_top_k', 'keep_top_k'):
            value = getattr(self, name)
            if not isinstance(value, numbers.Integral) or value < 1:
                raise ValueError(f'{name}: {value!r} is not a whole number of at least 1')


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
           defaults: np.ndarray, on_gpu: bool | None = None, **limits: typing.Any) -> Detections:
    """Decodes, drops background and weak scores, suppresses overlaps per class, keeps the best.

    Args:
        logits: float32 [B, K, C].
        offsets: float32 [B, K, 4].
        defaults: float32 [K, 4] centers.
        on_gpu: suppress as nets.suppression does; None: where `suppresses_on_gpu` says so.
        limits: fields of `Limits`; those not given have its defaults.
    """
    limit = Limits(**limits)
    scores = tf.nn.softmax(tf.cast(logits, tf.float32))[..., 1:]
    scores = tf.where(scores > limit.score_threshold, scores, 0.)  # NaN is no score either
    outputs = scores, tf.cast(offsets, tf.float32), tf.constant(defaults), limit
    on_gpu = suppresses_on_gpu(limit, len(defaults)) if on_gpu is None else on_gpu
    if on_gpu or len(defaults) <= limit.nms_top_k:
        return _suppress(*outputs, on_gpu)
    many = tf.reduce_max(tf.math.count_nonzero(scores, 1, dtype=tf.float32)) > limit.nms_top_k
    return tf.cond(many, lambda: _suppress_many(*outputs), lambda: _suppress(*outputs))


def suppresses_on_gpu(limit: Limits, boxes: int) -> bool:
    """Whether `detect` suppresses on the GPU: if there is one with the memory for the pairs."""
    return has_gpu() and suppression.fits(min(limit.nms_top_k, boxes))


def _suppress_many(scores, offsets, defaults, limit):
    """As _suppress, of the nms_top_k best of each class. Tries the best boxes first, then all.

    Suppression goes from strong to weak: once keep_top_k are found, weaker boxes change nothing.
    """
    def among(scores, *boxes):
        last = tf.math.top_k(tf.transpose(scores, [0, 2, 1]), limit.nms_top_k).values[..., -1]
        return _suppress(tf.where(scores >= last[:, None], scores, 0.), *boxes, limit)

    tried = max(_TRIED * limit.keep_top_k, limit.nms_top_k)
    if defaults.shape[0] <= tried:
        return among(scores, offsets, defaults)
    best = tf.math.top_k(tf.reduce_max(scores, axis=-1), tried)
    bound, theirs = best.values[:, -1:], tf.gather(scores, best.indices, batch_dims=1)
    # Up to the bound, boxes that are not tried have scores too.
    found = among(tf.where(theirs > bound[..., None], theirs, 0.),
                  tf.gather(offsets, best.indices, batch_dims=1), tf.gather(defaults, best.indices))
    complete = tf.reduce_all((found.counts == limit.keep_top_k) | (bound[:, 0] == 0))
    return tf.cond(complete, lambda: found, lambda: among(scores, offsets, defaults))


def _suppress(scores, offsets, defaults, limit, on_gpu=False):
    """Of N boxes: scores [B, N, C - 1], offsets [B, N, 4], defaults [N, 4] or [B, N, 4]."""
    suppress = suppression.suppress if on_gpu else tf.image.combined_non_max_suppression
    boxes, scores, labels, counts = suppress(
        boxes_tf.decode(offsets, defaults)[:, :, None], scores, limit.nms_top_k, limit.keep_top_k,
        limit.nms_threshold, limit.score_threshold)
    return Detections(boxes, scores, tf.cast(tf.where(scores > 0, labels + 1, 0), tf.int32), counts)
