"""Normalization: the pixel range that each family of ImageNet weights was trained with.

Source: tensorflow/models research/slim, preprocessing/vgg_preprocessing.py and
inception_preprocessing.py; 'caffe': weiliu89/caffe, branch ssd, examples/ssd/ssd_pascal.py. The
spec of a backbone says which one it takes.
"""
import tensorflow as tf
from tensorflow.types.experimental import TensorLike

# Name -> (mean colour RGB, scale): normalized = (pixel - mean) * scale.
_CONSTANTS = {
    'vgg': ((123.68, 116.78, 103.94), 1.0),           # RGB minus ImageNet's mean; -124 .. 151
    'caffe': ((123., 117., 104.), 1.0),               # the same mean in whole numbers
    'inception': ((127.5, 127.5, 127.5), 1 / 127.5),  # -1 .. 1
}
NORMALIZATIONS = tuple(_CONSTANTS)


def _constants(normalization):
    if normalization not in _CONSTANTS:
        raise ValueError(f"unknown normalization '{normalization}'; "
                         f"known: {', '.join(NORMALIZATIONS)}")
    return _CONSTANTS[normalization]


def normalize(images: TensorLike, normalization: str, dtype: tf.DType = tf.float32) -> tf.Tensor:
    """Normalizes images, in float32, and casts the result.

    Args:
        images: [..., 3] RGB 0..255, any number type.
        normalization: one of NORMALIZATIONS.
        dtype: of the result.
    """
    mean, scale = _constants(normalization)
    return tf.cast((tf.cast(images, tf.float32) - tf.constant(mean)) * scale, dtype)


def denormalize(images: TensorLike, normalization: str) -> tf.Tensor:
    """The inverse of `normalize`: float [..., 3] -> uint8 RGB, rounded and clipped to 0..255."""
    mean, scale = _constants(normalization)
    pixels = tf.cast(images, tf.float32) / scale + tf.constant(mean)
    return tf.saturate_cast(tf.round(pixels), tf.uint8)


def mean_colour(normalization: str) -> tuple[float, float, float]:
    """The RGB colour, 0..255, that normalizes to 0: the fill colour of zoom-out."""
    return _constants(normalization)[0]
