"""VGG-16 (Simonyan and Zisserman 2014, arXiv 1409.1556), with `fc6` and `fc7` reduced for SSD.

The layers up to conv5_3 have the names, shapes and behaviour of research/slim/nets/vgg.py of
tensorflow/models. The rest follows VGGNetBody of weiliu89/caffe (branch ssd,
python/caffe/model_libs.py).
"""
from nets.slim_compat import has_gpu, has_onednn, slim, tf
from nets.spec import BOX_SETS_512, RATIOS_512, BackboneSpec, ExtraLayer, ImageNetCheckpoint

# In the published classifier fc6, 7x7, follows a pool5 of stride 2. SSD's pool5 has stride 1, so
# the same pixels are twice as far apart: fc6 with dilation 2. Every third of its 7 taps a side is
# kept: 3x3 with dilation 2 * 3 = 6. Every fourth of the 4096 outputs of fc6 and fc7 is kept: 1024.
# This is "VGG_ILSVRC_16_layers_fc_reduced" (Liu et al., ParseNet, arXiv 1506.04579).
_TAPS, _CHANNELS = slice(None, None, 3), slice(None, None, 4)
_IMAGENET = ImageNetCheckpoint(
    file='vgg_16.ckpt',
    scope='vgg_16',
    url='https://storage.googleapis.com/download.tensorflow.org/models/vgg_16_2016_08_28.tar.gz',
    derive={
        # [7, 7, 512, 4096] -> [3, 3, 512, 1024]
        'vgg_16/conv6/weights': ('vgg_16/fc6/weights', lambda w: w[_TAPS, _TAPS, :, _CHANNELS]),
        'vgg_16/conv6/biases': ('vgg_16/fc6/biases', lambda b: b[_CHANNELS]),
        # [1, 1, 4096, 4096] -> [1, 1, 1024, 1024]
        'vgg_16/conv7/weights': ('vgg_16/fc7/weights', lambda w: w[:, :, _CHANNELS, _CHANNELS]),
        'vgg_16/conv7/biases': ('vgg_16/fc7/biases', lambda b: b[_CHANNELS]),
    },
)


def build(images: tf.Tensor, is_training: bool,
          batch_norm_decay: float | None = None) -> dict[str, tf.Tensor]:
    """images [B, S, S, 3], RGB minus its mean -> end points `conv1_2` ... `conv7`, after relu.

    `is_training` and `batch_norm_decay` are unused: VGG has no batch norm, and SSD no dropout.
    """
    del is_training, batch_norm_decay
    points = {}
    with tf.compat.v1.variable_scope('vgg_16'), \
            slim.arg_scope([slim.conv2d, slim.max_pool2d], padding='SAME'):
        net = points['conv1_2'] = slim.repeat(images, 2, slim.conv2d, 64, 3, scope='conv1')
        net = slim.max_pool2d(net, 2, scope='pool1')
        net = points['conv2_2'] = slim.repeat(net, 2, slim.conv2d, 128, 3, scope='conv2')
        net = slim.max_pool2d(net, 2, scope='pool2')
        net = points['conv3_3'] = slim.repeat(net, 3, slim.conv2d, 256, 3, scope='conv3')
        # 75 -> 38, as Caffe rounds. (slim's classifier does not pad: 37.)
        net = slim.max_pool2d(net, 2, scope='pool3')
        net = points['conv4_3'] = slim.repeat(net, 3, slim.conv2d, 512, 3, scope='conv4')
        net = slim.max_pool2d(net, 2, scope='pool4')
        net = points['conv5_3'] = slim.repeat(net, 3, slim.conv2d, 512, 3, scope='conv5')
        net = slim.max_pool2d(net, 3, stride=1, scope='pool5')
        net = points['conv6'] = _dilated_conv2d(net, 1024, 3, rate=6, scope='conv6')
        points['conv7'] = slim.conv2d(net, 1024, 1, scope='conv7')
    return points


def _dilated_conv2d(net, depth, kernel, rate, scope):
    """slim.conv2d with a rate, by TensorFlow's own dilated convolution.

    slim uses space to batch and a plain convolution, a fifth of a training step on CPUs. It stays
    where TensorFlow's has no gradient: on CPUs without oneDNN.
    """
    if not has_gpu() and not has_onednn():
        return slim.conv2d(net, depth, kernel, rate=rate, scope=scope)
    with tf.compat.v1.variable_scope(scope):
        weights = tf.compat.v1.get_variable('weights', [kernel, kernel, net.shape[-1], depth],
                                            initializer=tf.compat.v1.glorot_uniform_initializer())
        biases = tf.compat.v1.get_variable('biases', [depth],
                                           initializer=tf.compat.v1.zeros_initializer())
    net = tf.nn.conv2d(net, weights, 1, 'SAME', dilations=rate)
    return tf.nn.relu(tf.nn.bias_add(net, biases))


def spec(name: str) -> BackboneSpec:
    """SSD300 or SSD512 (Liu et al. 2016, arXiv 1512.02325), default boxes as in Caffe's scripts."""
    return {'vgg_300': _ssd300, 'vgg_512': _ssd512}[name](
        name=name,
        builder=build,
        feature_layers=('conv4_3', 'conv7'),
        extra_from='conv7',
        normalization='vgg',
        extra_batch_norm=False,
        l2_norm={'conv4_3': 20.},
        imagenet=_IMAGENET,
        parameters=20_483_904,
    )


def _ssd300(**common):
    """conv6_2, conv7_2, conv8_2 and conv9_2 of AddExtraLayers (examples/ssd/ssd_pascal.py)."""
    return BackboneSpec(
        image_size=300,
        grids=(38, 19, 10, 5, 3, 1),
        extra_layers=(
            ExtraLayer(256, 512, padding='EXPLICIT'),
            ExtraLayer(128, 256, padding='EXPLICIT'),
            ExtraLayer(128, 256, stride=1, padding='VALID'),
            ExtraLayer(128, 256, stride=1, padding='VALID'),
        ),
        steps=(8., 16., 32., 64., 100., 300.),
        **common,
    )


def _ssd512(**common):
    """As SSD300, with padding and stride 2 up to conv9_2, and a conv10_2 of 4x4 (2 -> 1 cells)."""
    return BackboneSpec(
        image_size=512,
        grids=(64, 32, 16, 8, 4, 2, 1),
        extra_layers=(
            ExtraLayer(256, 512, padding='EXPLICIT'),
            ExtraLayer(128, 256, padding='EXPLICIT'),
            ExtraLayer(128, 256, padding='EXPLICIT'),
            ExtraLayer(128, 256, padding='EXPLICIT'),
            ExtraLayer(128, 256, stride=1, padding='EXPLICIT', kernel=4),
        ),
        box_sets=BOX_SETS_512,
        aspect_ratios=RATIOS_512,
        steps=(8., 16., 32., 64., 128., 256., 512.),
        **common,
    )
