"""What the backbones with batch norm share."""
import contextlib
from collections.abc import Callable, Iterator

from nets.slim_compat import has_gpu, moving_averages, slim, tf


@slim.add_arg_scope
def batch_norm(inputs: tf.Tensor, is_training: bool = True,
               learns: Callable[[str], bool] | None = None, synchronized: bool = False,
               **options: object) -> tf.Tensor:
    """slim's batch norm; in inference mode if the layer around it does not learn.

    Args:
        inputs: [B, H, W, D].
        is_training: use the statistics of the batch.
        learns: name of a variable -> whether training changes it; None: always. See nets.ssd.SSD.
        synchronized: the batch is the images of all devices, instead of those of one device.
        **options: decay, epsilon, scale, activation_fn and scope, as of slim.batch_norm.
    """
    gamma = f'{tf.compat.v1.get_variable_scope().name}/{options.get("scope") or "BatchNorm"}/gamma'
    is_training = is_training and (learns is None or learns(gamma))
    if is_training and synchronized:
        return _synchronized_batch_norm(inputs, **options)
    # tf.function updates the statistics without a collection. With None, slim lets the output wait
    # for the update, and TensorFlow fuses no batch norm with the relu after it.
    return slim.batch_norm(inputs, is_training=is_training, fused=True, updates_collections=(),
                           **options)


def _synchronized_batch_norm(inputs, decay=0.999, epsilon=0.001, scale=False, activation_fn=None,
                             scope=None):
    """Batch norm in training mode over all replicas' images; variables and formula as slim's."""
    replicas = tf.distribute.get_replica_context()
    values = tf.cast(inputs, tf.float32)
    with tf.compat.v1.variable_scope(scope or 'BatchNorm'):
        def variable(name, initial, trainable):
            return tf.compat.v1.get_variable(
                name, [inputs.shape[-1]], tf.float32, trainable=trainable,
                initializer=tf.compat.v1.constant_initializer(initial))
        beta = variable('beta', 0., True)
        gamma = variable('gamma', 1., True) if scale else None
        moving = variable('moving_mean', 0., False), variable('moving_variance', 1., False)
    # Two passes: E[x^2] - E[x]^2 would lose the variance of a channel whose mean is far from 0.
    count = replicas.all_reduce('sum', tf.cast(tf.size(values) / values.shape[-1], tf.float32))
    mean = replicas.all_reduce('sum', tf.reduce_sum(values, [0, 1, 2])) / count
    squares = tf.reduce_sum(tf.square(values - mean), [0, 1, 2])
    variance = replicas.all_reduce('sum', squares) / count
    # The moving variance is unbiased, as in TensorFlow's fused batch norm.
    unbiased = variance * count / tf.maximum(count - 1, 1)
    for average, value in zip(moving, (mean, unbiased), strict=True):
        moving_averages.assign_moving_average(average, tf.stop_gradient(value), decay,
                                              zero_debias=False)
    result = tf.nn.batch_normalization(values, mean, variance, beta, gamma, epsilon)
    result = tf.cast(result, inputs.dtype)
    return activation_fn(result) if activation_fn else result


@contextlib.contextmanager
def conv_bn_scope(is_training: bool, decay: float, epsilon: float, scale: bool,
                  initializer: Callable[..., tf.Tensor],
                  activation: Callable[[tf.Tensor], tf.Tensor]) -> Iterator[None]:
    """Scope in which slim's convolutions have batch norm, an activation, no bias and SAME padding.

    Args:
        is_training: use the statistics of the batch, and update their moving averages.
        decay: of the moving averages.
        epsilon: of batch norm, as published with the weights.
        scale: whether batch norm has a gamma, as published with the weights.
        initializer: of the kernels.
        activation: after batch norm.
    """
    convolutions = [slim.conv2d, slim.separable_conv2d]
    with slim.arg_scope(
        [batch_norm], is_training=is_training, decay=decay, epsilon=epsilon, scale=scale,
    ), slim.arg_scope(
        convolutions, normalizer_fn=batch_norm, activation_fn=activation,
        weights_initializer=initializer,
    ), slim.arg_scope(
        [*convolutions, slim.max_pool2d, slim.avg_pool2d], padding='SAME',
    ), slim.arg_scope(
        [depthwise], grouped=is_training and has_gpu(), initializer=initializer,
        activation=activation,
    ):
        yield


@slim.add_arg_scope
def depthwise(net: tf.Tensor, stride: int, scope: str, grouped: bool = False,
              initializer: Callable[..., tf.Tensor] | None = None,
              activation: Callable[[tf.Tensor], tf.Tensor] | None = None) -> tf.Tensor:
    """3x3 depth-wise convolution, batch norm and activation. For use inside `conv_bn_scope`.

    On CPUs and in inference it computes in float32, whatever the precision. On CPUs TensorFlow's
    bfloat16 gradients of a depth-wise convolution with stride 2 take 6 to 9 times as long as the
    float32 ones. Training MobilenetV1 in bfloat16 went from 18.9 to 21.7 images/s on two cores.

    Args:
        net: [B, H, W, D].
        stride: 1 or 2.
        scope: name of the layer.
        grouped: compute it as a convolution with one group per channel, by cuDNN; for training on
            GPUs. With TensorFlow's depth-wise convolution the gradient of the kernel took a third
            of a step: MobilenetV1 went from 886 to 1,315 images/s on an H200.
        initializer: of the kernel, for `grouped`.
        activation: for `grouped`.

    Returns:
        [B, H / stride, W / stride, D].
    """
    if grouped:
        return _grouped(net, stride, scope, initializer, activation)
    dtype = net.dtype
    net = slim.separable_conv2d(tf.cast(net, tf.float32), None, 3, depth_multiplier=1,
                                stride=stride, scope=scope)
    return tf.cast(net, dtype)


def _grouped(net, stride, scope, initializer, activation):
    depth = net.shape[-1]
    with tf.compat.v1.variable_scope(scope):
        weights = tf.compat.v1.get_variable('depthwise_weights', [3, 3, depth, 1],
                                            initializer=initializer)
        kernel = tf.cast(tf.reshape(weights, [3, 3, 1, depth]), net.dtype)
        net = tf.nn.conv2d(net, kernel, stride, 'SAME')
        return batch_norm(net, activation_fn=activation, scope='BatchNorm')
