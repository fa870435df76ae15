"""ResNet v1 (He et al. 2015, arXiv 1512.03385): convolution, batch norm, relu; relu after the sum.

Names, shapes and behaviour as in research/slim/nets/resnet_v1.py of tensorflow/models.
"""
import functools

from nets.backbones import resnet_common
from nets.slim_compat import slim, tf
from nets.spec import BackboneSpec

_PARAMETERS = {50: 23_561_152, 101: 42_605_504, 152: 58_295_232}  # moving statistics included


def build(images: tf.Tensor, is_training: bool, batch_norm_decay: float | None = None,
          depth: int = 50) -> dict[str, tf.Tensor]:
    """images [B, S, S, 3], RGB minus its mean -> end points, all after relu.

    The end points are `conv1`, `block1` ... `block4`, and those of the units, `block1/unit_1` ...
    """
    points = {}
    with tf.compat.v1.variable_scope(f'resnet_v1_{depth}'), \
            resnet_common.scope(is_training, batch_norm_decay):
        net = points['conv1'] = resnet_common.conv2d_same(images, 64, 7, stride=2, scope='conv1')
        net = slim.max_pool2d(net, 3, stride=2, scope='pool1')
        for block, units in resnet_common.blocks(depth):
            for i, (bottleneck, stride) in enumerate(units, start=1):
                with tf.compat.v1.variable_scope(f'{block}/unit_{i}/bottleneck_v1'):
                    net = points[f'{block}/unit_{i}'] = _unit(net, bottleneck, stride)
            points[block] = net
    return points


def _unit(net, bottleneck, stride):
    """relu(shortcut + convolutions): [B, H, W, D] -> [B, H / stride, W / stride, 4 bottleneck]."""
    depth = 4 * bottleneck
    if net.shape[-1] == depth:
        shortcut = resnet_common.subsample(net, stride)
    else:
        shortcut = slim.conv2d(net, depth, 1, stride=stride, activation_fn=None, scope='shortcut')
    net = slim.conv2d(net, bottleneck, 1, scope='conv1')
    net = resnet_common.conv2d_same(net, bottleneck, 3, stride, scope='conv2')
    net = slim.conv2d(net, depth, 1, activation_fn=None, scope='conv3')
    return tf.nn.relu(shortcut + net)


def spec(name: str, depth: int) -> BackboneSpec:
    """The published weights were trained with VGG's preprocessing."""
    return resnet_common.spec(
        name,
        depth,
        builder=functools.partial(build, depth=depth),
        feature_layers='{block}/unit_{unit}',
        last='block4',
        normalization='vgg',
        parameters=_PARAMETERS,
        date='2016_08_28',
    )
