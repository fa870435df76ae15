"""What the two Inceptions share: blocks of parallel branches, written as tables of layer names.

The name of a layer gives its kind and kernel. A row of a table is (name, depth, stride, padding):
('Conv2d_0b_1x7', 224) is a 1x7 convolution to 224 channels, ('MaxPool_1a_3x3', None, 2, 'VALID')
a max pool of stride 2.
"""
import contextlib
import re
from collections.abc import Callable, Iterable

from nets.backbones.common import conv_bn_scope
from nets.slim_compat import slim, tf
from nets.spec import BackboneSpec, ExtraLayer, ImageNetCheckpoint

DOWN = (2, 'VALID')  # stride and padding of the layers that halve the grid


def scope(is_training: bool,
          batch_norm_decay: float | None) -> contextlib.AbstractContextManager[None]:
    """slim's inception_arg_scope, batch norm without gamma. Weight decay: see training.trainer."""
    return conv_bn_scope(
        is_training, decay=0.9997 if batch_norm_decay is None else batch_norm_decay, epsilon=0.001,
        scale=False, initializer=slim.variance_scaling_initializer(), activation=tf.nn.relu)


def layer(net: tf.Tensor, name: str, depth: int | None = None, stride: int = 1,
          padding: str = 'SAME', **options: object) -> tf.Tensor:
    """Adds a layer: kind and kernel are in its name, {Conv2d|MaxPool|AvgPool}_<place>_<h>x<w>."""
    kernel = [int(side) for side in re.search(r'(\d)x(\d)$', name).groups()]
    if name.startswith('Conv2d'):
        return slim.conv2d(net, depth, kernel, stride=stride, padding=padding, scope=name,
                           **options)
    pool = {'MaxPool': slim.max_pool2d, 'AvgPool': slim.avg_pool2d}[name.split('_')[0]]
    return pool(net, kernel, stride=stride, padding=padding, scope=name)


def chain(net: tf.Tensor, layers: Iterable[tuple]) -> tf.Tensor:
    """Adds the layers of a table, one after the other."""
    for row in layers:
        net = layer(net, *row)
    return net


def branches(net: tf.Tensor, *rows: Iterable[tuple]) -> tf.Tensor:
    """Concatenates Branch_0, Branch_1, ...: [B, H, W, D] -> [B, H', W', sum of depths]."""
    outputs = []
    for i, layers in enumerate(rows):
        with tf.compat.v1.variable_scope(f'Branch_{i}'):
            outputs.append(chain(net, layers))
    return tf.concat(outputs, axis=3)


def spec(name: str, builder: Callable[..., dict[str, tf.Tensor]], feature_layers: tuple[str, ...],
         imagenet: ImageNetCheckpoint, parameters: int) -> BackboneSpec:
    """Returns the spec of an Inception: heads at 35, 17 and 8 cells, extra layers of 4, 2 and 1.

    The stem and the reductions do not pad, so the centers of the cells do not reach the border of
    the image. The default boxes are centered in the receptive fields: 8, 16, 32 ... pixels apart,
    the first at 13.5, 21.5, 37.5 ... pixels. An even grid over the image would put them up to 12.7
    pixels away from there at 17 cells, and up to 18.8 at 8. Extra layers have kernel 4, which
    halves an even grid without a shift to one side.
    """
    return BackboneSpec(
        name=name,
        builder=builder,
        image_size=299,
        feature_layers=feature_layers,
        extra_from=feature_layers[-1],
        grids=(35, 17, 8, 4, 2, 1),
        steps=(8., 16., 32., 64., 128., 256.),
        first_centers=(13.5, 21.5, 37.5, 53.5, 85.5, 149.5),
        extra_layers=tuple(ExtraLayer(squeeze, depth, padding='EXPLICIT', kernel=4)
                           for squeeze, depth in ((256, 512), (128, 256), (128, 256))),
        normalization='inception',
        imagenet=imagenet,
        parameters=parameters,
    )
