"""MobilenetV2 1.0 (Sandler et al. 2018, arXiv 1801.04381): inverted residuals.

Names, shapes and behaviour as in research/slim/nets/mobilenet of tensorflow/models (mobilenet_v2.py
and conv_blocks.py).
"""
from nets.backbones.common import conv_bn_scope, depthwise
from nets.slim_compat import slim, tf
from nets.spec import BackboneSpec, ExtraLayer, ImageNetCheckpoint

_EXPANSION = 6
# (depth, stride) of `expanded_conv`, `expanded_conv_1`, ..., `expanded_conv_16`, which slim's end
# points call layer_2 ... layer_18. A 1x1 convolution to 1280 follows, `Conv_1` or layer_19.
_BLOCKS = ((16, 1), (24, 2), (24, 1), (32, 2), (32, 1), (32, 1),
           (64, 2), (64, 1), (64, 1), (64, 1), (96, 1), (96, 1), (96, 1),
           (160, 2), (160, 1), (160, 1), (320, 1))
_LAST = 'layer_15/expansion_output'


def build(images: tf.Tensor, is_training: bool, batch_norm_decay: float | None = None,
          last: str = _LAST) -> dict[str, tf.Tensor]:
    """images [B, S, S, 3] in [-1, 1] -> end points under slim's names.

    The end points are `layer_1`; `layer_<i>/expansion_output`, `/depthwise_output` and `/output`
    for i = 2 ... 18 (layer_2 has no expansion); and `layer_19`; up to `last`, an expansion or
    `layer_19`.
    """
    points = {}
    with tf.compat.v1.variable_scope('MobilenetV2'), conv_bn_scope(
        is_training, decay=0.997 if batch_norm_decay is None else batch_norm_decay,
        epsilon=0.001, scale=True, activation=tf.nn.relu6,
        initializer=tf.compat.v1.truncated_normal_initializer(stddev=0.09),
    ):
        net = points['layer_1'] = slim.conv2d(images, 32, 3, stride=2, scope='Conv')
        for i, (depth, stride) in enumerate(_BLOCKS):
            with tf.compat.v1.variable_scope(f'expanded_conv_{i}' if i else 'expanded_conv'):
                if last == f'layer_{i + 2}/expansion_output':
                    _expand(net, f'layer_{i + 2}', points)
                    return points
                net = _inverted_residual(net, depth, stride, f'layer_{i + 2}', points, expand=i > 0)
        points['layer_19'] = slim.conv2d(net, 1280, 1, scope='Conv_1')
    return points


def _expand(net, name, points):
    """[B, H, W, D] -> [B, H, W, 6 D], stored as the block's `expansion_output`."""
    net = slim.conv2d(net, _EXPANSION * net.shape[-1], 1, scope='expand')
    points[f'{name}/expansion_output'] = net
    return net


def _inverted_residual(net, depth, stride, name, points, expand):
    """Expansion, depth-wise convolution, linear projection; adds the input if shapes are equal."""
    inputs = net
    if expand:
        net = _expand(net, name, points)
    net = points[f'{name}/depthwise_output'] = depthwise(net, stride, 'depthwise')
    net = slim.conv2d(net, depth, 1, activation_fn=None, scope='project')
    if stride == 1 and inputs.shape[-1] == depth:
        net += inputs
    points[f'{name}/output'] = net
    return net


def spec(name: str) -> BackboneSpec:
    """Heads on the last layers at stride 8 and 16, the expansions that precede stride 2.

    The output of a block is a linear bottleneck of 32 or 96 channels, without activation. The
    expansion after it has 192 or 576 channels, with batch norm and relu6, and is the last layer of
    that resolution. Other detectors use it too (models/research/object_detection,
    ssd_mobilenet_v2_feature_extractor.py: layer_15/expansion_output). The extra layers follow
    layer_15, as in MobilenetV1: they replace the published 10 x 10 stage, which is not built.
    """
    return BackboneSpec(
        name=name,
        builder=build,
        image_size=300,
        feature_layers=('layer_8/expansion_output', 'layer_15/expansion_output'),
        extra_from='layer_15/expansion_output',
        grids=(38, 19, 10, 5, 3, 1),
        extra_layers=(
            ExtraLayer(256, 512),
            ExtraLayer(128, 256),
            ExtraLayer(128, 256),
            ExtraLayer(128, 256, stride=1, padding='VALID'),
        ),
        normalization='inception',
        imagenet=ImageNetCheckpoint(
            file='mobilenet_v2_1.0_224.ckpt',
            scope='MobilenetV2',
            url='https://storage.googleapis.com/mobilenet_v2/checkpoints/mobilenet_v2_1.0_224.tgz',
        ),
        parameters=616_256,
    )
