"""A network of a few hundred parameters with a spec, which trains in a moment."""
from checkpoints import io as checkpoint
from nets import ssd
from nets.backbones import common
from nets.slim_compat import slim, tf
from nets.spec import BackboneSpec, ExtraLayer, ImageNetCheckpoint


def build(images, is_training, batch_norm_decay=None):
    """images [B, 32, 32, 3] -> one end point `body`, 4 x 4."""
    with tf.compat.v1.variable_scope('Tiny'), common.conv_bn_scope(
            is_training, batch_norm_decay or .9, .001, True,
            tf.compat.v1.glorot_uniform_initializer(), tf.nn.relu6):
        net = slim.conv2d(tf.nn.avg_pool2d(images, 4, 4, 'VALID'), 4, 3, stride=2, scope='body')
    return {'body': net}


SPEC = BackboneSpec(
    name='tiny',
    builder=build,
    image_size=32,
    feature_layers=('body',),
    extra_from='body',
    grids=(4, 2),
    extra_layers=(ExtraLayer(4, 4),),
    box_sets={'coco': (8., 16., 32.)},
    aspect_ratios=((2.,), (2.,)),
    normalization='inception',
    imagenet=ImageNetCheckpoint(file='tiny.ckpt', scope='Tiny', url='http://localhost/tiny.tgz'),
    parameters=124,
)


def write_checkpoint(folder: str, classes: int) -> str:
    """An SSD of random weights, which holds what a classifier holds -> its prefix."""
    model = ssd.SSD(SPEC, classes + 1).build()
    return checkpoint.save(folder, 0, {checkpoint.variable_name(v): v for v in model.variables})
