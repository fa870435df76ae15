"""InceptionV4 (Szegedy et al. 2016, arXiv 1602.07261).

Names, shapes and behaviour as in research/slim/nets/inception_v4.py of tensorflow/models.
"""
from nets.backbones import inception_common
from nets.backbones.inception_common import DOWN, chain, layer
from nets.slim_compat import tf
from nets.spec import BackboneSpec, ImageNetCheckpoint

_STEM = (('Conv2d_1a_3x3', 32, *DOWN), ('Conv2d_2a_3x3', 32, 1, 'VALID'), ('Conv2d_2b_3x3', 64))
_MIXED_3A = (
    (('MaxPool_0a_3x3', None, *DOWN),),
    (('Conv2d_0a_3x3', 96, *DOWN),),
)
_MIXED_4A = (
    (('Conv2d_0a_1x1', 64), ('Conv2d_1a_3x3', 96, 1, 'VALID')),
    (('Conv2d_0a_1x1', 64), ('Conv2d_0b_1x7', 64), ('Conv2d_0c_7x1', 64),
     ('Conv2d_1a_3x3', 96, 1, 'VALID')),
)
_MIXED_5A = (
    (('Conv2d_1a_3x3', 192, *DOWN),),
    (('MaxPool_1a_3x3', None, *DOWN),),
)
_BLOCK_A = (
    (('Conv2d_0a_1x1', 96),),
    (('Conv2d_0a_1x1', 64), ('Conv2d_0b_3x3', 96)),
    (('Conv2d_0a_1x1', 64), ('Conv2d_0b_3x3', 96), ('Conv2d_0c_3x3', 96)),
    (('AvgPool_0a_3x3',), ('Conv2d_0b_1x1', 96)),
)
_REDUCTION_A = (
    (('Conv2d_1a_3x3', 384, *DOWN),),
    (('Conv2d_0a_1x1', 192), ('Conv2d_0b_3x3', 224), ('Conv2d_1a_3x3', 256, *DOWN)),
    (('MaxPool_1a_3x3', None, *DOWN),),
)
_BLOCK_B = (
    (('Conv2d_0a_1x1', 384),),
    (('Conv2d_0a_1x1', 192), ('Conv2d_0b_1x7', 224), ('Conv2d_0c_7x1', 256)),
    (('Conv2d_0a_1x1', 192), ('Conv2d_0b_7x1', 192), ('Conv2d_0c_1x7', 224),
     ('Conv2d_0d_7x1', 224), ('Conv2d_0e_1x7', 256)),
    (('AvgPool_0a_3x3',), ('Conv2d_0b_1x1', 128)),
)
_REDUCTION_B = (
    (('Conv2d_0a_1x1', 192), ('Conv2d_1a_3x3', 192, *DOWN)),
    (('Conv2d_0a_1x1', 256), ('Conv2d_0b_1x7', 256), ('Conv2d_0c_7x1', 320),
     ('Conv2d_1a_3x3', 320, *DOWN)),
    (('MaxPool_1a_3x3', None, *DOWN),),
)
# The blocks in order, with the name of each block's variables and end point.
_MIXED = (
    ('Mixed_3a', _MIXED_3A),
    ('Mixed_4a', _MIXED_4A),
    ('Mixed_5a', _MIXED_5A),
    *((f'Mixed_5{letter}', _BLOCK_A) for letter in 'bcde'),
    ('Mixed_6a', _REDUCTION_A),
    *((f'Mixed_6{letter}', _BLOCK_B) for letter in 'bcdefgh'),
    ('Mixed_7a', _REDUCTION_B),
)


def build(images: tf.Tensor, is_training: bool,
          batch_norm_decay: float | None = None) -> dict[str, tf.Tensor]:
    """images [B, S, S, 3] in [-1, 1] -> end points `Conv2d_2b_3x3`, `Mixed_3a` ... `Mixed_7d`."""
    points = {}
    with tf.compat.v1.variable_scope('InceptionV4'), \
            inception_common.scope(is_training, batch_norm_decay):
        net = points['Conv2d_2b_3x3'] = chain(images, _STEM)
        for name, branches in _MIXED:
            with tf.compat.v1.variable_scope(name):
                net = points[name] = inception_common.branches(net, *branches)
        for name in ('Mixed_7b', 'Mixed_7c', 'Mixed_7d'):
            with tf.compat.v1.variable_scope(name):
                net = points[name] = _block_c(net)
    return points


def _block_c(net):
    """[B, 8, 8, 1536] -> the same. Two branches fork at their end, which a table cannot express."""
    with tf.compat.v1.variable_scope('Branch_0'):
        branch_0 = layer(net, 'Conv2d_0a_1x1', 256)
    with tf.compat.v1.variable_scope('Branch_1'):
        fork = layer(net, 'Conv2d_0a_1x1', 384)
        branch_1 = [layer(fork, 'Conv2d_0b_1x3', 256), layer(fork, 'Conv2d_0c_3x1', 256)]
    with tf.compat.v1.variable_scope('Branch_2'):
        fork = chain(net, (('Conv2d_0a_1x1', 384), ('Conv2d_0b_3x1', 448), ('Conv2d_0c_1x3', 512)))
        branch_2 = [layer(fork, 'Conv2d_0d_1x3', 256), layer(fork, 'Conv2d_0e_3x1', 256)]
    with tf.compat.v1.variable_scope('Branch_3'):
        branch_3 = chain(net, (('AvgPool_0a_3x3',), ('Conv2d_0b_1x1', 256)))
    return tf.concat([branch_0, *branch_1, *branch_2, branch_3], axis=3)


def spec(name: str) -> BackboneSpec:
    """Heads after the last block of each resolution."""
    return inception_common.spec(
        name, build, ('Mixed_5e', 'Mixed_6h', 'Mixed_7d'),
        ImageNetCheckpoint(
            file='inception_v4.ckpt',
            scope='InceptionV4',
            url='https://storage.googleapis.com/download.tensorflow.org/models/'
                'inception_v4_2016_09_09.tar.gz',
        ),
        parameters=41_174_400,
    )
