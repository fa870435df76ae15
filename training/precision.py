"""The number format of a training that leaves it open: --precision=auto."""
from nets.slim_compat import has_gpu, has_onednn, tf
from nets.spec import BackboneSpec
from training import distribution
from utils import processor

# Compute capability from which on NVIDIA's GPUs multiply fast in this format.
_CAPABILITY = {'float16': (7, 0), 'bfloat16': (8, 0)}


def choose(precision: str, spec: BackboneSpec, strategy: tf.distribute.Strategy) -> str:
    """One of nets.spec.PRECISIONS for a training; one line says what 'auto' is, and why."""
    if precision == 'auto':
        precision, reason = _fastest(spec, distribution.worker(strategy)[1])
        distribution.say(strategy, f'precision {precision}: {reason}')
    return precision


def _fastest(spec, machines):
    """(precision, reason): what was measured to be fastest (docs/speed.md), else float32."""
    if machines > 1:
        return 'float32', 'machines may differ; --precision=bfloat16 is faster where all have it'
    if has_gpu():
        if spec.name.startswith('vgg') and _gpus_have('float16'):
            return 'float16', 'on a GPU the fastest for VGG'
        if _gpus_have('bfloat16'):
            return 'bfloat16', 'the GPU has it'
        return 'float32', 'the GPU has no bfloat16'
    if not processor.has_bfloat16():
        return 'float32', 'this processor has no bfloat16 of its own'
    if not has_onednn():
        return 'float32', 'bfloat16 needs oneDNN, which TF_ENABLE_ONEDNN_OPTS=0 leaves out'
    return 'bfloat16', 'this processor has it'


def _gpus_have(precision):
    details = map(tf.config.experimental.get_device_details, tf.config.list_physical_devices('GPU'))
    return all(each.get('compute_capability', (0, 0)) >= _CAPABILITY[precision] for each in details)
