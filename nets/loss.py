"""The multibox loss: softmax over classes, smooth L1 over offsets, hard negatives per image.

Source: SSD paper equations (1) to (3) and "Hard negative mining"; weiliu89/caffe, branch ssd,
src/caffe/layers/multibox_loss_layer.cpp and examples/ssd/ssd_pascal.py (neg_pos_ratio 3,
loc_weight 1, VALID normalization).
"""
import typing

import tensorflow as tf

TensorLike: typing.TypeAlias = tf.types.experimental.TensorLike


def multibox_loss(logits: TensorLike, offsets: TensorLike, classes: TensorLike,
                  targets: TensorLike, negative_ratio: float = 3.0,
                  matched: TensorLike | None = None,
                  min_negatives: int = 0) -> dict[str, tf.Tensor]:
    """The terms of the loss, by name; their sum is what training minimizes.

    Training, its progress line, its log and its curves take every term of the result.

    Args:
        logits: float32 [B, K, C].
        offsets: float32 [B, K, 4].
        classes: int64 [B, K], 0 where a default box has no object.
        targets: float32 [B, K, 4], the offsets to learn.
        negative_ratio: negatives kept per matched box, in each image.
        matched: the `divisor`. None: that of `classes`. For images that are a part of a batch, that
            of the whole batch: the terms of all parts then add up to those of the batch.
        min_negatives: negatives kept at least, in each image. With 0, as in Caffe, an image without
            a matched box teaches nothing.

    Returns:
        {name: float32 scalar}, each divided by `matched`.
    """
    positive = classes > 0
    is_positive = tf.cast(positive, tf.float32)
    if matched is None:
        matched = divisor(tf.reduce_sum(is_positive), tf.shape(classes)[0], negative_ratio,
                          min_negatives)
    cross_entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=classes, logits=logits)
    negative = hard_negatives(cross_entropy, positive, negative_ratio, min_negatives)
    kept = tf.cast(positive | negative, tf.float32)
    errors = tf.reduce_sum(smooth_l1(offsets - targets), axis=-1)  # [B, K], as cross_entropy
    return {'confidence': tf.reduce_sum(cross_entropy * kept) / matched,
            'localization': tf.reduce_sum(errors * is_positive) / matched}


def divisor(matched: TensorLike, images: TensorLike, negative_ratio: float,
            min_negatives: int) -> tf.Tensor:
    """What the loss of a batch is divided by: its number of matched default boxes, at least 1.

    With `min_negatives`, images without objects have terms too; the divisor is then at least the
    number of matched boxes that would have as many negatives. A ratio below 1 counts as 1.
    """
    least = tf.cast(images, tf.float32) * (min_negatives / max(negative_ratio, 1.))
    return tf.maximum(matched, tf.maximum(least, 1.))


def smooth_l1(x: TensorLike) -> tf.Tensor:
    """0.5 x^2 where |x| < 1, else |x| - 0.5 (Fast R-CNN, equation 3)."""
    size = tf.abs(x)
    return tf.where(size < 1, 0.5 * tf.square(x), size - 0.5)


def hard_negatives(losses: TensorLike, positive: TensorLike, ratio: float,
                   least: int = 0) -> tf.Tensor:
    """The unmatched boxes of largest loss, `ratio` times as many as matched ones, image by image.

    Args:
        losses: float32 [B, K].
        positive: bool [B, K], the matched boxes.
        ratio: at least 0.
        least: boxes chosen at least, in each image.

    Returns:
        bool [B, K]. Exactly min(max(floor(ratio * matched), least), unmatched) per image; of equal
        losses the first ones.
    """
    losses = tf.stop_gradient(losses)
    # Counts are float32, which is exact here: TensorFlow sums and compares int32 on the host, at
    # the cost of a copy from the GPU.
    matched = tf.reduce_sum(tf.cast(positive, tf.float32), axis=1, keepdims=True)
    unmatched = tf.reduce_sum(tf.cast(~positive, tf.float32), axis=1, keepdims=True)
    wanted = tf.minimum(tf.maximum(tf.floor(ratio * matched), least), unmatched)  # [B, 1]
    ranked = tf.where(positive, -1., tf.maximum(losses, 0.))
    last = tf.cast(tf.maximum(wanted - 1, 0), tf.int32)
    bound = tf.gather(tf.sort(ranked, axis=1, direction='DESCENDING'), last, batch_dims=1)
    above = ranked > bound
    ties = (ranked == bound) & ~positive
    missing = wanted - tf.reduce_sum(tf.cast(above, tf.float32), axis=1, keepdims=True)
    chosen = above | (ties & (tf.cumsum(tf.cast(ties, tf.float32), axis=1) <= missing))
    return chosen & (wanted > 0)
