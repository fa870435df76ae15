"""ResNet v2 (He et al. 2016, arXiv 1603.05027): batch norm, relu, convolution; the sum is plain.

Names, shapes and behaviour as in research/slim/nets/resnet_v2.py of tensorflow/models.
"""
import functools

from nets.backbones import resnet_common
from nets.backbones.common import batch_norm
from nets.slim_compat import slim, tf
from nets.spec import BackboneSpec

_PARAMETERS = {50: 23_564_800, 101: 42_626_560, 152: 58_331_648}  # moving statistics included
_PLAIN = {'normalizer_fn': None, 'activation_fn': None}  # convolution with bias only


def build(images: tf.Tensor, is_training: bool, batch_norm_decay: float | None = None,
          depth: int = 50) -> dict[str, tf.Tensor]:
    """images [B, S, S, 3] in [-1, 1] -> end points.

    `conv1`, `block1` ... `block4`: the plain sums, which have these names in slim.
    `block1/unit_1` ...: the sum of each unit after batch norm and relu: the input of the next unit
    of the block. `postnorm`: the same of block4, the input of the classifier.
    """
    points = {}
    with tf.compat.v1.variable_scope(f'resnet_v2_{depth}'), \
            resnet_common.scope(is_training, batch_norm_decay):
        net = resnet_common.conv2d_same(images, 64, 7, stride=2, scope='conv1', **_PLAIN)
        points['conv1'] = net
        net = slim.max_pool2d(net, 3, stride=2, scope='pool1')
        for block, units in resnet_common.blocks(depth):
            for i, (bottleneck, stride) in enumerate(units, start=1):
                with tf.compat.v1.variable_scope(f'{block}/unit_{i}/bottleneck_v2'):
                    preact = batch_norm(net, activation_fn=tf.nn.relu, scope='preact')
                    net = _unit(net, preact, bottleneck, stride)
                if i > 1:
                    points[f'{block}/unit_{i - 1}'] = preact
            points[block] = net
        points['postnorm'] = batch_norm(net, activation_fn=tf.nn.relu, scope='postnorm')
    return points


def _unit(net, preact, bottleneck, stride):
    """Shortcut + convolutions: [B, H, W, D] -> [B, H / stride, W / stride, 4 bottleneck].

    preact: `net` after batch norm and relu.
    """
    depth = 4 * bottleneck
    if net.shape[-1] == depth:
        shortcut = resnet_common.subsample(net, stride)
    else:
        shortcut = slim.conv2d(preact, depth, 1, stride=stride, scope='shortcut', **_PLAIN)
    net = slim.conv2d(preact, bottleneck, 1, scope='conv1')
    net = resnet_common.conv2d_same(net, bottleneck, 3, stride, scope='conv2')
    return shortcut + slim.conv2d(net, depth, 1, scope='conv3', **_PLAIN)


def spec(name: str, depth: int) -> BackboneSpec:
    """Heads after batch norm and relu, as the next layers of the published network.

    The plain sums are not normalized, and grow from unit to unit. With the published weights, on
    eight photographs, the standard deviations at the ends of block2, block3 and block4 are 2.3, 2.6
    and 2.0 at depth 50, and 3.0, 5.9 and 2.0 at depth 152. After batch norm and relu they are 0.61
    for all three and every depth. This needs no variable: the published network has these batch
    norms (`preact` in the last unit of block2 and of block3, and `postnorm`).

    Pixels in [-1, 1]: "ResNet V2 models use Inception pre-processing" (research/slim/README.md,
    footnote of the table).
    """
    return resnet_common.spec(
        name,
        depth,
        builder=functools.partial(build, depth=depth),
        feature_layers='{block}/unit_{unit}',
        last='postnorm',
        normalization='inception',
        parameters=_PARAMETERS,
        date='2017_04_14',
    )
