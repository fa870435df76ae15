"""What the backbones with batch norm share."""
import contextlib
from collections.abc import Callable, Iterator

from nets.slim_compat import has_gpu, moving_averages, slim, tf


@slim.add_arg_scope
def batch_norm(inputs: tf.Tensor, is_training: bool = True, learns: Callable[[str], bool] | None = None,
               synchronized: bool = False, **options: object) -> tf.Tensor:
    """slim's batch norm, in inference mode where the layer around it does not learn.

    learns: name of a variable -> whether training changes it; None: always. See nets.ssd.SSD.
    synchronized: statistics of the images on all devices, not of each device's own.
    options: of slim.batch_norm.
    """
    gamma = f'{tf.compat.v1.get_variable_scope().name}/{options.get("scope") or "BatchNorm"}/gamma'
    is_training = is_training and (learns is None or learns(gamma))
    if is_training and synchronized:
        return _synchronized_batch_norm(inputs, **options)
    return slim.batch_norm(inputs, is_training=is_training, **options)


def _synchronized_batch_norm(inputs, decay=0.999, epsilon=0.001, scale=False, activation_fn=None, scope=None, **_):
    """Batch norm in training mode over the images of all replicas; variables and formula as slim's.

    Left unread are slim's options that choose an implementation: fused, updates_collections.
    """
    replicas = tf.distribute.get_replica_context()
    values = tf.cast(inputs, tf.float32)
    with tf.compat.v1.variable_scope(scope or 'BatchNorm'):
        def variable(name, initial, trainable):
            return tf.compat.v1.get_variable(name, [inputs.shape[-1]], tf.float32, trainable=trainable,
                                             initializer=tf.compat.v1.constant_initializer(initial))
        beta = variable('beta', 0., True)
        gamma = variable('gamma', 1., True) if scale else None
        moving = variable('moving_mean', 0., False), variable('moving_variance', 1., False)
    # Two passes: a difference of large squares would lose the variance of a channel far from 0.
    count = replicas.all_reduce('sum', tf.cast(tf.size(values) / values.shape[-1], tf.float32))
    mean = replicas.all_reduce('sum', tf.reduce_sum(values, [0, 1, 2])) / count
    variance = replicas.all_reduce('sum', tf.reduce_sum(tf.square(values - mean), [0, 1, 2])) / count
    # Moving variance is unbiased, as in TensorFlow's fused batch norm.
    for average, value in zip(moving, (mean, variance * count / tf.maximum(count - 1, 1)), strict=True):
        moving_averages.assign_moving_average(average, tf.stop_gradient(value), decay, zero_debias=False)
    result = tf.cast(tf.nn.batch_normalization(values, mean, variance, beta, gamma, epsilon), inputs.dtype)
    return activation_fn(result) if activation_fn else result


@contextlib.contextmanager
def conv_bn_scope(is_training: bool, decay: float, epsilon: float, scale: bool, initializer: Callable[..., tf.Tensor],
                  activation: Callable[[tf.Tensor], tf.Tensor]) -> Iterator[None]:
    """Inside this scope every slim convolution is followed by batch norm and `activation`, and has no bias; padding is SAME.

    is_training: True uses the batch's statistics and moves the averages by 1 - `decay`.
    epsilon, scale: as published with the weights; `scale` says whether batch norm has a gamma.
    initializer: of the kernels.
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
        [slim.conv2d, slim.separable_conv2d, slim.max_pool2d, slim.avg_pool2d], padding='SAME',
    ), slim.arg_scope(
        [depthwise], grouped=is_training and has_gpu(), initializer=initializer, activation=activation,
    ):
        yield


@slim.add_arg_scope
def depthwise(net: tf.Tensor, stride: int, scope: str, grouped: bool = False, initializer: Callable[..., tf.Tensor] | None = None,
              activation: Callable[[tf.Tensor], tf.Tensor] | None = None) -> tf.Tensor:
    """3x3 depth-wise convolution, batch norm and activation, inside `conv_bn_scope`: [B, H, W, D] -> [B, H / stride, ..., D].

    On CPUs, and in inference, computed in float32 whatever the precision: TensorFlow's bfloat16 gradients of a depth-wise
    convolution with stride 2 take six to nine times as long as its float32 ones on CPUs, and there are no multiply-adds to save.
    Training MobilenetV1 in bfloat16 went from 18.9 to 21.7 images/s on two cores.

    grouped: as a convolution with one group per channel, for training on GPUs. cuDNN computes that, while the gradient of the kernel
    of TensorFlow's own depth-wise convolution took a third of a step: MobilenetV1 went from 886 to 1,315 images/s on an H200.
    """
    if grouped:
        return _grouped(net, stride, scope, initializer, activation)
    dtype = net.dtype
    net = slim.separable_conv2d(tf.cast(net, tf.float32), None, 3, depth_multiplier=1, stride=stride, scope=scope)
    return tf.cast(net, dtype)


def _grouped(net, stride, scope, initializer, activation):
    depth = net.shape[-1]
    with tf.compat.v1.variable_scope(scope):
        weights = tf.compat.v1.get_variable('depthwise_weights', [3, 3, depth, 1], initializer=initializer)
        kernel = tf.cast(tf.reshape(weights, [3, 3, 1, depth]), net.dtype)
        return batch_norm(tf.nn.conv2d(net, kernel, stride, 'SAME'), activation_fn=activation, scope='BatchNorm')
