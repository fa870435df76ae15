"""The SSD network: a backbone's body, extra layers on top, and a multibox head on several layers.

Source: SSD paper section 2.1; weiliu89/caffe, branch ssd, examples/ssd/ssd_pascal.py
(AddExtraLayers) and python/caffe/model_libs.py (CreateMultiBoxHead, VGGNetBody).
"""
import fnmatch

from nets.backbones.common import batch_norm
from nets.slim_compat import slim, tf
from nets.spec import BackboneSpec, ExtraLayer

SCOPE = 'ssd'
# Parameters that stay float32 in mixed precision: batch norm's, depth-wise kernels (see
# backbones.common.depthwise), and the L2 norm's scale.
FLOAT32_NAMES = ('gamma', 'beta', 'moving_mean', 'moving_variance', 'depthwise_weights', 'scale')
# Batch norm of the extra layers, where the backbone has batch norm.
_EXTRA_DECAY = 0.997
_EXTRA_EPSILON = 1e-3


class SSD(tf.Module):
    """model(images, is_training) -> (logits [B, K, C], offsets [B, K, 4]), both float32.

    images: float32 [B, S, S, 3] in the spec's normalization.  is_training: Python bool.
    Offsets are cy, cx, h, w. Backbone variables have the names of the ImageNet checkpoint, all
    others start with 'ssd/'.

    Args:
        spec: the backbone's.
        num_classes: C, background included.
        precision: 'float32', 'bfloat16' or 'float16', of activations and kernels in use.
        frozen: patterns of backbone variables, as of `fnmatch`, without the backbone's scope:
            ('Conv2d_0/*', ...). These layers neither learn nor update their batch norm statistics.
            ('*',): the whole backbone.
        freeze_batch_norm: batch norm keeps its statistics and computes with them; gamma and beta
            learn.
        batch_norm_decay: of the statistics' moving average; None: the published value.
        synchronized: batch norm in training takes the statistics of all devices' images together.
    """

    def __init__(self, spec: BackboneSpec, num_classes: int, *, precision: str = 'float32',
                 frozen: tuple[str, ...] = (), freeze_batch_norm: bool = False,
                 batch_norm_decay: float | None = None, synchronized: bool = False):
        super().__init__(name='ssd_' + spec.name)
        if num_classes < 2:
            raise ValueError(f'num_classes is {num_classes}; '
                             'background and at least one class make 2')
        self.spec, self.num_classes = spec, num_classes
        self.dtype = tf.as_dtype(precision)
        self.frozen = tuple(f'{spec.imagenet.scope}/{pattern}' for pattern in frozen)
        self.freeze_batch_norm, self.synchronized = freeze_batch_norm, synchronized
        self.batch_norm_decay = batch_norm_decay

    @tf.compat.v1.keras.utils.track_tf1_style_variables
    def __call__(self, images: tf.Tensor, is_training: bool = False) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.compat.v1.variable_scope('', custom_getter=self._cast_kernels), \
                slim.arg_scope([batch_norm], learns=self._learns, synchronized=self.synchronized):
            points = dict(self.spec.builder(tf.cast(images, self.dtype),
                                            is_training and not self.freeze_batch_norm,
                                            batch_norm_decay=self.batch_norm_decay,
                                            **({'last': self.spec.last} if self.spec.last else {})))
            with tf.compat.v1.variable_scope(SCOPE):
                self._add_extra_layers(points, is_training and not self.freeze_batch_norm)
                return self._multibox_head(points)

    def build(self) -> 'SSD':
        """Creates the variables, without computing anything; returns self."""
        size, gpus = self.spec.image_size, tf.config.list_logical_devices('GPU')
        images = tf.TensorSpec([None, size, size, 3], tf.float32)
        # A traced function creates variables on the CPU, and a GPU would fetch them at every step.
        # Strategies place their own.
        with tf.device(gpus[0].name if gpus and not tf.distribute.has_strategy() else None):
            tf.function(self, autograph=False).get_concrete_function(images, False)
        return self

    @property
    def learned_variables(self) -> list[tf.Variable]:
        """The variables that training changes: all trainable ones but the frozen ones."""
        return [v for v in self.trainable_variables if self._learns(v.name)]

    @property
    def learns_statistics(self) -> bool:
        """Whether batch norm takes statistics from the images, in some layer, while training."""
        return not self.freeze_batch_norm and any(
            self._learns(v.name.replace('moving_mean:0', 'gamma'))
            for v in self.variables if v.name.endswith('/moving_mean:0'))

    def _learns(self, name):
        return not any(fnmatch.fnmatchcase(name, pattern) for pattern in self.frozen)

    def _cast_kernels(self, getter, name, *args, **kwargs):
        """Creates variables as float32, and casts kernels and biases to the compute type."""
        kwargs['dtype'] = tf.float32
        variable = getter(name, *args, **kwargs)
        if self.dtype == tf.float32 or name.split('/')[-1] in FLOAT32_NAMES:
            return variable
        return tf.cast(variable, self.dtype)

    def _add_extra_layers(self, points, is_training):
        """Adds 'extra_1', 'extra_2', ... to points, each on top of the one before."""
        net = points[self.spec.extra_from]
        with slim.arg_scope(self._extra_arg_scope(is_training)):
            for number, layer in enumerate(self.spec.extra_layers, start=1):
                net = points[f'extra_{number}'] = _extra_layer(net, layer, f'extra_{number}')

    def _extra_arg_scope(self, is_training):
        options = {'weights_initializer': _xavier()}
        if self.spec.extra_batch_norm:
            options['normalizer_fn'] = batch_norm
            options['normalizer_params'] = {
                'is_training': is_training, 'epsilon': _EXTRA_EPSILON,
                'decay': _EXTRA_DECAY if self.batch_norm_decay is None else self.batch_norm_decay,
                'scale': True}
        with slim.arg_scope([slim.conv2d], **options) as scope:
            return scope

    def _multibox_head(self, points):
        """Convolutions on every head layer: 4 offsets and C logits per default box."""
        logits, offsets = [], []
        spec = self.spec
        heads = zip(spec.head_layers, spec.grids, spec.boxes_per_cell, spec.kernels, strict=True)
        for layer, grid, boxes, kernel in heads:
            net = points[layer]
            if net.shape[1:3].as_list() != [grid, grid]:
                raise ValueError(f'{spec.name}: {layer} is {net.shape[1]} x {net.shape[2]}, '
                                 f'its spec says {grid}')
            with tf.compat.v1.variable_scope(layer.replace('/', '_')):
                if layer in spec.l2_norm:
                    net = _l2_norm(net, spec.l2_norm[layer])
                offsets.append(_head(net, boxes, 4, kernel, 'offsets'))
                logits.append(_head(net, boxes, self.num_classes, kernel, 'logits'))
        return tf.concat(logits, axis=1), tf.concat(offsets, axis=1)


def _xavier():
    """Caffe's 'xavier' (include/caffe/filler.hpp): uniform, variance 1 / fan in."""
    return tf.compat.v1.variance_scaling_initializer(1., 'fan_in', 'uniform')


def _extra_layer(net, layer: ExtraLayer, scope):
    activation = {'relu': tf.nn.relu, 'relu6': tf.nn.relu6}[layer.activation]
    with tf.compat.v1.variable_scope(scope):
        net = slim.conv2d(net, layer.squeeze, 1, activation_fn=activation, scope='conv1x1')
        padding = layer.padding
        if padding == 'EXPLICIT':
            net = tf.pad(net, [[0, 0], [layer.pad] * 2, [layer.pad] * 2, [0, 0]])
            padding = 'VALID'
        return slim.conv2d(net, layer.depth, layer.kernel, stride=layer.stride, padding=padding,
                           activation_fn=activation, scope='conv3x3')


def _l2_norm(net, initial_scale: float):
    """Each pixel's channels to length 1, times a learned scale (ParseNet; Caffe's Normalize)."""
    scale = tf.compat.v1.get_variable('l2_norm/scale', [net.shape[-1]],
                                      initializer=tf.compat.v1.constant_initializer(initial_scale))
    normalized = tf.nn.l2_normalize(tf.cast(net, tf.float32), axis=-1, epsilon=1e-10)
    return tf.cast(normalized * scale, net.dtype)


def _head(net, boxes: int, values: int, kernel: int, scope):
    """[B, grid, grid, D] -> float32 [B, grid * grid * boxes, values]."""
    net = slim.conv2d(net, boxes * values, kernel, activation_fn=None, normalizer_fn=None,
                      weights_initializer=_xavier(), scope=scope)
    return tf.reshape(tf.cast(net, tf.float32), [-1, net.shape[1] * net.shape[2] * boxes, values])
