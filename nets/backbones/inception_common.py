"""What the two Inceptions share: blocks of parallel branches, written as tables of layer names.

A layer's name tells its kind and kernel, so a branch is a row of (name, depth, stride, padding):
`('Conv2d_0b_1x7', 224)` is a 1x7 convolution to 224 channels, `('MaxPool_1a_3x3', None, 2, 'VALID')` a pool of stride 2.
"""
import contextlib
import re
from collections.abc import Iterable

from nets.backbones.common import conv_bn_scope
from nets.slim_compat import slim, tf

DOWN = (2, 'VALID')  # stride and padding of the layers that shrink the grid


def scope(is_training: bool, batch_norm_decay: float | None) -> contextlib.AbstractContextManager[None]:
    """slim's inception_arg_scope: batch norm without gamma. Its weight decay is left to the loss.

    batch_norm_decay: None for the published value, 0.9997.
    """
    return conv_bn_scope(
        is_training,
        decay=0.9997 if batch_norm_decay is None else batch_norm_decay,
        epsilon=0.001,
        scale=False,
        initializer=slim.variance_scaling_initializer(),
        activation=tf.nn.relu,
    )


def layer(net: tf.Tensor, name: str, depth: int | None = None, stride: int = 1, padding: str = 'SAME',
          **options: object) -> tf.Tensor:
    """The layer that `name` tells of: Conv2d_<place>_<h>x<w>, MaxPool_..., or AvgPool_.... options: of slim.conv2d."""
    kernel = [int(side) for side in re.search(r'(\d)x(\d)$', name).groups()]
    if name.startswith('Conv2d'):
        return slim.conv2d(net, depth, kernel, stride=stride, padding=padding, scope=name, **options)
    pool = {'MaxPool': slim.max_pool2d, 'AvgPool': slim.avg_pool2d}[name.split('_')[0]]
    return pool(net, kernel, stride=stride, padding=padding, scope=name)


def chain(net: tf.Tensor, layers: Iterable[tuple]) -> tf.Tensor:
    """The rows of `layers` one after the other."""
    for row in layers:
        net = layer(net, *row)
    return net


def branches(net: tf.Tensor, *rows: Iterable[tuple[str | int | None, ...]]) -> tf.Tensor:
    """Branch_0, Branch_1, ... side by side on the same input, concatenated: [B, H, W, D] -> [B, H', W', sum of depths]."""
    outputs = []
    for i, layers in enumerate(rows):
        with tf.compat.v1.variable_scope(f'Branch_{i}'):
            outputs.append(chain(net, layers))
    return tf.concat(outputs, axis=3)
