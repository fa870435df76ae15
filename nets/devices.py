"""Settings of TensorFlow's devices, to be made before anything computes."""
from nets.slim_compat import tf


def prepare(deterministic: bool = False, xla: bool = False) -> None:
    """Lets GPU memory grow as it is needed instead of taking all of it.

    deterministic: the same seed gives the same numbers to the last bit.  xla: graphs are compiled, in parts, for GPUs.
    """
    for gpu in tf.config.list_physical_devices('GPU'):
        tf.config.experimental.set_memory_growth(gpu, True)
    if deterministic:
        tf.config.experimental.enable_op_determinism()
    if xla:
        tf.config.optimizer.set_jit('autoclustering')
