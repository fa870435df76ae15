"""What the tests of the backbones share: modules, published networks' data, golden weights.

tests/data/slim/<scope>.json.gz is described, and made, by benchmarks/make_golden.py.
"""
import gzip
import json
import pathlib
import zlib

import numpy as np
import pytest

from nets import backbones
from nets.slim_compat import tf
from nets.ssd import FLOAT32_NAMES

DATA = pathlib.Path(__file__).parents[2] / 'data/slim'
# Every (name, depth) of the registry; depth is None where there is no choice.
BACKBONES = [(name, depth) for name in backbones.names() for depth in backbones.depths(name)]


def marks(depth):
    """Tests of the deeper ResNets are slow ones."""
    return [pytest.mark.slow] if depth not in (None, 50) else []


class Body(tf.Module):
    """A backbone alone: images [B, S, S, 3] -> its end points, or only `layers` of them.

    dtype: of the activations; variables stay float32 and are handed out cast, as in the SSD.
    """

    def __init__(self, spec, dtype=tf.float32, layers=()):
        super().__init__()
        self.spec, self.dtype, self.layers = spec, dtype, layers

    @tf.compat.v1.keras.utils.track_tf1_style_variables
    def __call__(self, images, is_training=False):
        with tf.compat.v1.variable_scope('', custom_getter=self._cast_kernels):
            points = self.spec.builder(tf.cast(images, self.dtype), is_training)
        return {name: points[name] for name in self.layers or points}

    def trace(self, shape, is_training=False):
        """The concrete function of images of this shape; creates the variables, computes nothing.
        """
        return tf.function(self).get_concrete_function(tf.TensorSpec(shape), is_training)

    def by_name(self):
        """Name as in a checkpoint -> variable."""
        return {variable.name.removesuffix(':0'): variable for variable in self.variables}

    def _cast_kernels(self, getter, name, *args, **kwargs):
        kwargs['dtype'] = tf.float32
        variable = getter(name, *args, **kwargs)
        if name.split('/')[-1] in FLOAT32_NAMES:
            return variable
        return tf.cast(variable, self.dtype)


def published(scope):
    """The data of the published network, or None where there is none."""
    path = DATA / f'{scope}.json.gz'
    return json.loads(gzip.decompress(path.read_bytes())) if path.exists() else None


def golden_value(name, shape):
    """Weights that anyone can make again: the seed is the CRC-32 of the variable's name. float32
    array of `shape`.
    """
    random = np.random.RandomState(zlib.crc32(name.encode()))
    kind = name.split('/')[-1]
    if kind == 'weights':
        value = random.standard_normal(shape) * np.sqrt(2 / np.prod(shape[:-1]))
    elif kind == 'depthwise_weights':
        value = random.standard_normal(shape) * np.sqrt(2 / np.prod(shape[:2]))
    elif kind == 'gamma':
        value = 1 + 0.1 * random.standard_normal(shape)
    elif kind == 'moving_variance':
        value = random.uniform(0.5, 1.5, shape)
    else:  # biases, beta, moving_mean
        value = 0.1 * random.standard_normal(shape)
    return value.astype(np.float32)


def golden_input(shape):
    """float32 images in [-1, 1]."""
    return np.random.RandomState(1).uniform(-1, 1, shape).astype(np.float32)


def golden_run(spec, shape):
    """End point -> array, in inference mode, with the golden weights and input."""
    body = Body(spec)
    run = body.trace(shape)
    for name, variable in body.by_name().items():
        variable.assign(golden_value(name, variable.shape.as_list()))
    return {name: point.numpy() for name, point in run(tf.constant(golden_input(shape))).items()}


def golden_error(point, expected):
    """Largest difference of the 16 values, mean and standard deviation, relative to the latter.
    `point`: array.
    """
    assert list(point.shape) == expected['shape']
    values = point.reshape(-1)[np.linspace(0, point.size - 1, 16).astype(int)]
    differences = [
        *(values - expected['values']),
        point.mean() - expected['mean'],
        point.std() - expected['std'],
    ]
    return np.abs(differences).max() / expected['std']
