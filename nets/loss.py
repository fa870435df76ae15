"""The multibox loss: softmax over classes plus smooth L1 over offsets, with hard negatives per image.

Source: SSD paper equations (1) to (3) and "Hard negative mining"; weiliu89/caffe, branch ssd,
src/caffe/layers/multibox_loss_layer.cpp and examples/ssd/ssd_pascal.py (neg_pos_ratio 3, loc_weight 1, VALID normalisation).
"""
import typing

import tensorflow as tf

TensorLike: typing.TypeAlias = tf.types.experimental.TensorLike


class Losses(typing.NamedTuple):
    """Sums over the batch, not yet normalised. confidence, localization: float32 scalars.  matched: float32 count."""
    confidence: tf.Tensor
    localization: tf.Tensor
    matched: tf.Tensor


def multibox_loss(logits: TensorLike, offsets: TensorLike, classes: TensorLike, targets: TensorLike,
                  negative_ratio: float = 3.0) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """-> (confidence, localization, matched): the two losses divided by max(1, matched), and the count of matched boxes.

    Args:
        logits: float32 [B, K, C].  offsets: float32 [B, K, 4].
        classes: int32 [B, K], 0 where a default box has no object.  targets: float32 [B, K, 4], offsets to learn.
        negative_ratio: negatives kept per matched box, in each image.
    """
    sums = multibox_sums(logits, offsets, classes, targets, negative_ratio)
    count = tf.maximum(sums.matched, 1.)
    return sums.confidence / count, sums.localization / count, sums.matched


def multibox_sums(logits: TensorLike, offsets: TensorLike, classes: TensorLike, targets: TensorLike,
                  negative_ratio: float = 3.0) -> Losses:
    """The losses of `multibox_loss` before division, for batches that are spread over several devices."""
    positive = tf.cast(classes, tf.float32) > 0  # GPUs compare int32 on the host
    confidence = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=classes, logits=logits)  # [B, K]
    negative = hard_negatives(confidence, positive, negative_ratio)
    kept = tf.cast(positive | negative, tf.float32)
    localization = tf.reduce_sum(smooth_l1(offsets - targets), axis=-1) * tf.cast(positive, tf.float32)
    return Losses(tf.reduce_sum(confidence * kept), tf.reduce_sum(localization),
                  tf.reduce_sum(tf.cast(positive, tf.float32)))


def smooth_l1(x: TensorLike) -> tf.Tensor:
    """0.5 x^2 where |x| < 1, else |x| - 0.5 (Fast R-CNN, equation 3)."""
    size = tf.abs(x)
    return tf.where(size < 1, 0.5 * tf.square(x), size - 0.5)


def hard_negatives(losses: TensorLike, positive: TensorLike, ratio: float) -> tf.Tensor:
    """The unmatched boxes of largest loss, `ratio` times as many as there are matched ones, image by image.

    Args:
        losses: float32 [B, K].  positive: bool [B, K].

    Returns:
        bool [B, K]. Exactly min(floor(ratio * matched), unmatched) per image; of equal losses the first ones.
    """
    losses = tf.stop_gradient(losses)
    # Counts are float32, which is exact here: TensorFlow sums and compares int32 on the host, at the cost of a copy from the GPU.
    matched = tf.reduce_sum(tf.cast(positive, tf.float32), axis=1, keepdims=True)
    unmatched = tf.reduce_sum(tf.cast(~positive, tf.float32), axis=1, keepdims=True)
    wanted = tf.minimum(tf.floor(ratio * matched), unmatched)  # [B, 1]
    ranked = tf.where(positive, -1., tf.maximum(losses, 0.))
    last = tf.cast(tf.maximum(wanted - 1, 0), tf.int32)
    bound = tf.gather(tf.sort(ranked, axis=1, direction='DESCENDING'), last, batch_dims=1)
    above = ranked > bound
    ties = (ranked == bound) & ~positive
    missing = wanted - tf.reduce_sum(tf.cast(above, tf.float32), axis=1, keepdims=True)
    chosen = above | (ties & (tf.cumsum(tf.cast(ties, tf.float32), axis=1) <= missing))
    return chosen & (wanted > 0)
