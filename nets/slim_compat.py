"""Imports tf-slim: `from nets.slim_compat import slim, tf`, before others import TensorFlow.

tf-slim 1.1.0, the last release, is from 2020. On TensorFlow 2.21 it needs:

1. `TF_USE_LEGACY_KERAS=1` before TensorFlow is imported: slim's layers are Keras 2 layers.
2. Keras 2's "legacy layers" under another name: the wheel of tf_keras has them in
   `tf_keras.src.legacy_tf_layers`, TensorFlow imports `tf_keras.legacy_tf_layers`.
3. `tensorflow.python.framework.ops.Tensor` as an alias of `tf.Tensor`: slim tests
   `isinstance(x, ops.Tensor)`, and TensorFlow has moved the class.
4. No AutoGraph. It would rewrite all functions of slim, without effect, as they are plain Python:
   tracing ResNet-50 would take 17 seconds instead of 2.5.
5. A stack of arg scopes per thread: tf.distribute traces each replica in a thread, and switches
   between the threads inside slim's layers. `variable_store` has the same reason.

One thing is for speed alone: gradients of biases in bfloat16 (`_multiply_bias_gradients`).
"""
import contextlib
import importlib
import os
import sys
import threading
import typing
import warnings

os.environ.setdefault('TF_USE_LEGACY_KERAS', '1')
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')  # errors only; 0 shows everything
import tensorflow as tf  # noqa: E402
import tf_keras  # noqa: E402


def _alias_legacy_layers():
    """Makes `tf_keras.src.legacy_tf_layers` importable as `tf_keras.legacy_tf_layers`."""
    old, new = 'tf_keras.legacy_tf_layers', 'tf_keras.src.legacy_tf_layers'
    for part in ('', '.base', '.core', '.convolutional', '.normalization', '.pooling'):
        sys.modules.setdefault(old + part, importlib.import_module(new + part))
    tf_keras.legacy_tf_layers = sys.modules[old]


def _keep_autograph_out(module: str):
    """Makes `tf.function` call the functions of this module unconverted."""
    config: typing.Any = importlib.import_module('tensorflow.python.autograph.core.config')
    config.CONVERSION_RULES = (config.DoNotConvert(module), *config.CONVERSION_RULES)


def _separate_threads():
    """Gives each thread its own stack of arg scopes."""
    local = threading.local()

    def stack():
        if not hasattr(local, 'stack'):
            local.stack = [{}]
        return local.stack

    importlib.import_module('tf_slim.ops.arg_scope')._get_arg_stack = stack


def variable_store(module: object) -> contextlib.AbstractContextManager:
    """Context manager around `strategy.run` of a model with `track_tf1_style_variables`.

    The decorator sets the model's variable store for the time of a call, then restores the one
    before. The calls of two replicas overlap, and the first to end would remove the store that the
    other still uses. Set here before, it stays.
    """
    store = getattr(module, '_tf1_style_var_store', None)
    return store.scope() if store else contextlib.nullcontext()


def _multiply_bias_gradients():
    """On GPUs, gradients of biases in bfloat16 become matrix products with ones.

    TensorFlow's kernel took a quarter of a training step of VGG on an H200 (docs/speed.md). On CPUs
    oneDNN adds them up with the gradients of the kernels.
    """
    entry = _ops._gradient_registry._registry['BiasAdd']
    known = entry['type']

    def gradient(operation, upstream):
        channels_last = operation.get_attr('data_format') == b'NHWC'
        if not (has_gpu() and upstream.dtype == tf.bfloat16 and channels_last):
            return known(operation, upstream)
        # One product per row of an image, so that a GPU has enough to do at a time.
        rows = tf.reshape(upstream, [-1, tf.shape(upstream)[-2], upstream.shape[-1]])
        sums = tf.matmul(tf.ones([1, tf.shape(rows)[1]], tf.bfloat16), rows)
        return upstream, tf.cast(tf.reduce_sum(tf.cast(sums, tf.float32), [0, 1]), tf.bfloat16)

    entry['type'] = gradient


def _silence_known_warnings():
    """Hides the deprecation warnings that every layer of slim causes; all other warnings stay."""
    for message in ('`layer.apply` is deprecated', '`layer.updates` will be removed'):
        warnings.filterwarnings('ignore', message=message)


def has_gpu() -> bool:
    """Whether TensorFlow computes on a GPU."""
    return bool(tf.config.list_logical_devices('GPU'))


def has_onednn() -> bool:
    """Whether TensorFlow computes convolutions on CPUs with oneDNN."""
    return importlib.import_module('tensorflow.python.util._pywrap_util_port').IsMklEnabled()


def prepare_devices(deterministic: bool = False) -> None:
    """Sets up TensorFlow; it allocates GPU memory as needed instead of all of it at once.

    Args:
        deterministic: the same seed gives bit-identical results.
    """
    for gpu in tf.config.list_physical_devices('GPU'):
        tf.config.experimental.set_memory_growth(gpu, True)
    if deterministic:
        tf.config.experimental.enable_op_determinism()
        # Left out, as it adds three gradients of a tensor or more in the order of their arrival.
        tf.config.optimizer.set_experimental_options({'disable_meta_optimizer': True})


_alias_legacy_layers()
_silence_known_warnings()
_ops: typing.Any = importlib.import_module('tensorflow.python.framework.ops')
_ops.Tensor = tf.Tensor
_multiply_bias_gradients()
_keep_autograph_out('tf_slim')
tf.config.list_physical_devices()  # triggers the "no GPU" warning here, while stderr is hidden
slim = importlib.import_module('tf_slim')
_separate_threads()
# Used by slim; not in TensorFlow's public API.
moving_averages = importlib.import_module('tensorflow.python.training.moving_averages')
