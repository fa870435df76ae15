"""MobilenetV1 1.0 (Howard et al. 2017, arXiv 1704.04861): 3x3 depthwise and 1x1 convolutions.

Names, shapes and behaviour as in research/slim/nets/mobilenet_v1.py of tensorflow/models.
"""
from nets.backbones.common import conv_bn_scope, depthwise
from nets.slim_compat import slim, tf
from nets.spec import BackboneSpec, ExtraLayer, ImageNetCheckpoint

# (depth, stride) of Conv2d_1 ... Conv2d_13, the published network.
_SEPARABLE = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1),
              (512, 2), (512, 1), (512, 1), (512, 1), (512, 1), (512, 1), (1024, 2), (1024, 1))


def build(images: tf.Tensor, is_training: bool, batch_norm_decay: float | None = None,
          last: str = 'Conv2d_11_pointwise') -> dict[str, tf.Tensor]:
    """images [B, S, S, 3] in [-1, 1] -> end points, all [B, side, side, depth].

    The end points are `Conv2d_0`, `Conv2d_<i>_depthwise` and `Conv2d_<i>_pointwise` for
    i = 1 ... 13, up to `last`.
    """
    points = {}
    with tf.compat.v1.variable_scope('MobilenetV1'), conv_bn_scope(
        is_training, decay=0.9997 if batch_norm_decay is None else batch_norm_decay,
        epsilon=0.001, scale=True, activation=tf.nn.relu6,
        initializer=tf.compat.v1.truncated_normal_initializer(stddev=0.09),
    ):
        net = points['Conv2d_0'] = slim.conv2d(images, 32, 3, stride=2, scope='Conv2d_0')
        for i, (depth, stride) in enumerate(_SEPARABLE, start=1):
            name = f'Conv2d_{i}_depthwise'
            net = points[name] = depthwise(net, stride, name)
            name = f'Conv2d_{i}_pointwise'
            net = points[name] = slim.conv2d(net, depth, 1, scope=name)
            if name == last:
                break
    return points


def spec(name: str) -> BackboneSpec:
    """Heads on the last layers at stride 8 and 16; extra layers in place of Conv2d_12."""
    return BackboneSpec(
        name=name,
        builder=build,
        image_size=300,
        feature_layers=('Conv2d_5_pointwise', 'Conv2d_11_pointwise'),
        extra_from='Conv2d_11_pointwise',
        grids=(38, 19, 10, 5, 3, 1),
        extra_layers=(
            ExtraLayer(256, 512),
            ExtraLayer(128, 256),
            ExtraLayer(128, 256),
            ExtraLayer(128, 256, stride=1, padding='VALID'),
        ),
        normalization='inception',
        imagenet=ImageNetCheckpoint(
            file='mobilenet_v1_1.0_224.ckpt',
            scope='MobilenetV1',
            url='https://storage.googleapis.com/download.tensorflow.org/models/'
                'mobilenet_v1_2018_08_02/mobilenet_v1_1.0_224.tgz',
        ),
        parameters=1_627_840,
    )
