"""The only door to tf-slim: `from nets.slim_compat import slim, tf`, before anything else imports TensorFlow.

tf-slim 1.1.0, the last release, is of 2020. On TensorFlow 2.21 it needs:

1. `TF_USE_LEGACY_KERAS=1` before TensorFlow is imported: slim's layers are Keras 2 layers.
2. Keras 2's "legacy layers" under the name that `tensorflow.python.layers` looks for them: the wheel of tf_keras has
   them in `tf_keras.src.legacy_tf_layers`, TensorFlow asks for `tf_keras.legacy_tf_layers`.
3. `tensorflow.python.framework.ops.Tensor` to be the public `tf.Tensor`: slim asks `isinstance(x, ops.Tensor)`, and
   TensorFlow keeps the class elsewhere today.
4. AutoGraph to leave slim alone. It would rewrite slim's every function and branch, to no effect, as all of them are plain
   Python: tracing ResNet-50 then takes 17 seconds instead of 2.5.
5. arg scopes of each thread's own: tf.distribute traces one replica per thread, and the threads take turns inside slim's layers.
   `variable_store` is for the same reason.
"""
import contextlib
import importlib
import os
import sys
import threading
import typing
import warnings

os.environ.setdefault('TF_USE_LEGACY_KERAS', '1')
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')  # errors only; set it to 0 to see everything


def _import(module: str, package: str):
    """The module, or an ImportError of one line that says what to install."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        # A package that is there, but lacks one of its own parts, is another fault: let it show itself.
        if error.name != module.split('.')[0]:
            raise
        raise ImportError(f"'{package}' is not installed; run: pip install -r requirements.txt") from None


def _alias_legacy_layers():
    """Makes `tf_keras.legacy_tf_layers` and its five parts importable from where tf_keras keeps them."""
    old, new = 'tf_keras.legacy_tf_layers', 'tf_keras.src.legacy_tf_layers'
    for part in ('', '.base', '.core', '.convolutional', '.normalization', '.pooling'):
        sys.modules.setdefault(old + part, importlib.import_module(new + part))
    sys.modules['tf_keras'].legacy_tf_layers = sys.modules[old]


def _keep_autograph_out(module: str):
    """`tf.function` calls the functions of this module as they are."""
    config: typing.Any = importlib.import_module('tensorflow.python.autograph.core.config')
    config.CONVERSION_RULES = (config.DoNotConvert(module), *config.CONVERSION_RULES)


def _separate_threads():
    """Gives each thread a stack of arg scopes."""
    local = threading.local()

    def stack():
        if not hasattr(local, 'stack'):
            local.stack = [{}]
        return local.stack

    importlib.import_module('tf_slim.ops.arg_scope')._get_arg_stack = stack


def variable_store(module: object) -> contextlib.AbstractContextManager:
    """Around `strategy.run` of a model that wears `track_tf1_style_variables`: makes its variables known to all replicas.

    The decorator puts the model's store of variables in place for the time of a call and restores the one before it. Calls of two
    replicas overlap, so that the first one to end would take the store away from the other; unless it is there already.
    """
    store = getattr(module, '_tf1_style_var_store', None)
    return store.scope() if store else contextlib.nullcontext()


def _silence_known_warnings():
    """Hides what slim's age makes TensorFlow and Keras say at every layer; all other warnings stay."""
    for message in ('`layer.apply` is deprecated', '`layer.updates` will be removed'):
        warnings.filterwarnings('ignore', message=message)


def has_gpu() -> bool:
    """Whether TensorFlow computes on a GPU."""
    return bool(tf.config.list_logical_devices('GPU'))


def prepare_devices(deterministic: bool = False, xla: bool = False) -> None:
    """Lets GPU memory grow as it is needed instead of taking all of it.

    deterministic: the same seed gives the same numbers to the last bit.  xla: graphs are compiled, in parts, for GPUs.
    """
    for gpu in tf.config.list_physical_devices('GPU'):
        tf.config.experimental.set_memory_growth(gpu, True)
    if deterministic:
        tf.config.experimental.enable_op_determinism()
    if xla:
        tf.config.optimizer.set_jit('autoclustering')


tf = _import('tensorflow', 'tensorflow')
_import('tf_keras', 'tf_keras')
_alias_legacy_layers()
_silence_known_warnings()
_ops: typing.Any = importlib.import_module('tensorflow.python.framework.ops')
_ops.Tensor = tf.Tensor
_keep_autograph_out('tf_slim')
tf.config.list_physical_devices()  # a machine without GPU is complained of at the first look: now, while scripts hold that back
slim = _import('tf_slim', 'tf-slim')
_separate_threads()
moving_averages = importlib.import_module('tensorflow.python.training.moving_averages')  # slim's own; TensorFlow hides it
