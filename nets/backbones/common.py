"""What the backbones with batch norm share."""
import contextlib

from nets.slim_compat import slim, tf


@slim.add_arg_scope
def batch_norm(inputs, is_training=True, learns=None, **options):
    """slim's batch norm, in inference mode where the layer around it does not learn.

    learns: name of a variable -> whether training changes it; None: always. See nets.ssd.SSD.
    """
    gamma = f'{tf.compat.v1.get_variable_scope().name}/{options.get("scope") or "BatchNorm"}/gamma'
    return slim.batch_norm(inputs, is_training=is_training and (learns is None or learns(gamma)), **options)


@contextlib.contextmanager
def conv_bn_scope(is_training, decay, epsilon, scale, initializer, activation, padding='SAME'):
    """Inside this scope every slim convolution is followed by batch norm and `activation`, and has no bias.

    is_training: Python bool; True uses the batch's statistics and moves the averages by 1 - `decay`.
    epsilon, scale: as published with the weights; `scale` says whether batch norm has a gamma.
    """
    with slim.arg_scope(
        [batch_norm],
        is_training=is_training,
        decay=decay,
        epsilon=epsilon,
        scale=scale,
        fused=True,
        updates_collections=None,  # update with the layer itself: tf.function has no update collection
    ), slim.arg_scope(
        [slim.conv2d, slim.separable_conv2d],
        normalizer_fn=batch_norm,
        activation_fn=activation,
        weights_initializer=initializer,
    ), slim.arg_scope(
        [slim.conv2d, slim.separable_conv2d, slim.max_pool2d, slim.avg_pool2d], padding=padding,
    ):
        yield


def depthwise(net, stride, scope):
    """3x3 depth-wise convolution, batch norm and activation, inside `conv_bn_scope`: [B, H, W, D] -> [B, H / stride, ..., D].

    Computed in float32 whatever the precision: TensorFlow's bfloat16 gradients of a depth-wise convolution with stride 2 take
    six to nine times as long as its float32 ones on CPUs, and there are no multiply-adds to save. Training MobilenetV1 in
    bfloat16 went from 18.9 to 21.7 images/s on two cores.
    """
    dtype = net.dtype
    net = slim.separable_conv2d(tf.cast(net, tf.float32), None, 3, depth_multiplier=1, stride=stride, scope=scope)
    return tf.cast(net, dtype)
