"""InceptionResnetV2 (Szegedy et al. 2016, arXiv 1602.07261): input + scaled Inception block.

Names, shapes and behaviour as in research/slim/nets/inception_resnet_v2.py of tensorflow/models.
"""
from nets.backbones import inception_common
from nets.backbones.inception_common import DOWN, branches, layer
from nets.slim_compat import tf
from nets.spec import BackboneSpec, ImageNetCheckpoint

_STEM = (
    ('Conv2d_1a_3x3', 32, *DOWN),
    ('Conv2d_2a_3x3', 32, 1, 'VALID'),
    ('Conv2d_2b_3x3', 64),
    ('MaxPool_3a_3x3', None, *DOWN),
    ('Conv2d_3b_1x1', 80, 1, 'VALID'),
    ('Conv2d_4a_3x3', 192, 1, 'VALID'),
    ('MaxPool_5a_3x3', None, *DOWN),
)
_MIXED_5B = (
    (('Conv2d_1x1', 96),),
    (('Conv2d_0a_1x1', 48), ('Conv2d_0b_5x5', 64)),
    (('Conv2d_0a_1x1', 64), ('Conv2d_0b_3x3', 96), ('Conv2d_0c_3x3', 96)),
    (('AvgPool_0a_3x3',), ('Conv2d_0b_1x1', 64)),
)
_MIXED_6A = (
    (('Conv2d_1a_3x3', 384, *DOWN),),
    (('Conv2d_0a_1x1', 256), ('Conv2d_0b_3x3', 256), ('Conv2d_1a_3x3', 384, *DOWN)),
    (('MaxPool_1a_3x3', None, *DOWN),),
)
_MIXED_7A = (
    (('Conv2d_0a_1x1', 256), ('Conv2d_1a_3x3', 384, *DOWN)),
    (('Conv2d_0a_1x1', 256), ('Conv2d_1a_3x3', 288, *DOWN)),
    (('Conv2d_0a_1x1', 256), ('Conv2d_0b_3x3', 288), ('Conv2d_1a_3x3', 320, *DOWN)),
    (('MaxPool_1a_3x3', None, *DOWN),),
)
_BLOCK_35 = (
    (('Conv2d_1x1', 32),),
    (('Conv2d_0a_1x1', 32), ('Conv2d_0b_3x3', 32)),
    (('Conv2d_0a_1x1', 32), ('Conv2d_0b_3x3', 48), ('Conv2d_0c_3x3', 64)),
)
_BLOCK_17 = (
    (('Conv2d_1x1', 192),),
    (('Conv2d_0a_1x1', 128), ('Conv2d_0b_1x7', 160), ('Conv2d_0c_7x1', 192)),
)
_BLOCK_8 = (
    (('Conv2d_1x1', 192),),
    (('Conv2d_0a_1x1', 192), ('Conv2d_0b_1x3', 224), ('Conv2d_0c_3x1', 256)),
)


def build(images: tf.Tensor, is_training: bool,
          batch_norm_decay: float | None = None) -> dict[str, tf.Tensor]:
    """images [B, S, S, 3] in [-1, 1] -> end points under slim's names.

    The end points are `Conv2d_1a_3x3` ... `MaxPool_5a_3x3`, `Mixed_5b`, `Repeat` (after the 35 x 35
    blocks; named like their variables, as slim has no end point there), `Mixed_6a`, `PreAuxLogits`
    (after the 17 x 17 blocks), `Mixed_7a` and `Conv2d_7b_1x1` (after the 8 x 8 blocks).
    """
    points = {}
    with tf.compat.v1.variable_scope('InceptionResnetV2'), \
            inception_common.scope(is_training, batch_norm_decay):
        net = images
        for row in _STEM:
            net = points[row[0]] = layer(net, *row)
        net = points['Mixed_5b'] = _mixed(net, 'Mixed_5b', _MIXED_5B)
        net = points['Repeat'] = _repeat(net, 10, 'Repeat/block35', _BLOCK_35, scale=0.17)
        net = points['Mixed_6a'] = _mixed(net, 'Mixed_6a', _MIXED_6A)
        net = points['PreAuxLogits'] = _repeat(net, 20, 'Repeat_1/block17', _BLOCK_17, scale=0.10)
        net = points['Mixed_7a'] = _mixed(net, 'Mixed_7a', _MIXED_7A)
        net = _repeat(net, 9, 'Repeat_2/block8', _BLOCK_8, scale=0.20)
        net = _residual(net, 'Block8', _BLOCK_8)
        points['Conv2d_7b_1x1'] = layer(net, 'Conv2d_7b_1x1', 1536)
    return points


def _mixed(net, name, rows):
    """Parallel branches in a variable scope."""
    with tf.compat.v1.variable_scope(name):
        return branches(net, *rows)


def _residual(net, name, rows, scale=1.0):
    """[B, H, W, D] -> [B, H, W, D]: input + scale * (branches, 1x1 convolution with bias to D)."""
    with tf.compat.v1.variable_scope(name):
        update = layer(branches(net, *rows), 'Conv2d_1x1', net.shape[-1],
                       normalizer_fn=None, activation_fn=None)
    return net + scale * update


def _repeat(net, times, name, rows, scale):
    """Residual blocks `<name>_1` ... `<name>_<times>`, each followed by relu."""
    for i in range(1, times + 1):
        net = tf.nn.relu(_residual(net, f'{name}_{i}', rows, scale))
    return net


def spec(name: str) -> BackboneSpec:
    """Heads after the last block of each resolution.

    The layers of the stem at 71 and 35 cells have receptive fields of 31 and 47 pixels, which is
    less than the default boxes of such grids.
    """
    return inception_common.spec(
        name, build, ('Repeat', 'PreAuxLogits', 'Conv2d_7b_1x1'),
        ImageNetCheckpoint(
            file='inception_resnet_v2_2016_08_30.ckpt',
            scope='InceptionResnetV2',
            url='https://storage.googleapis.com/download.tensorflow.org/models/'
                'inception_resnet_v2_2016_08_30.tar.gz',
        ),
        parameters=54_336_736,
    )
