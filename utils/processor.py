"""What the processor can do, where Linux says it, and TensorFlow's kernels for it."""
import os
from pathlib import Path

_CPUINFO = Path('/proc/cpuinfo')
# Flags of x86 and ARM, of which one is enough for convolutions in this precision.
_FLAGS = {'bfloat16': {'avx512_bf16', 'amx_bf16', 'bf16'}, 'float16': {'avx512_fp16', 'amx_fp16'}}


def lacks(precision: str) -> bool:
    """Whether the processor has to imitate this precision; False where nothing tells."""
    flags = _flags()
    return bool(flags) and not flags & _FLAGS.get(precision, flags)


def has_bfloat16() -> bool:
    """Whether it is an x86 processor with bfloat16; TensorFlow's kernels of others are untried."""
    return bool(_flags() & {'avx512_bf16', 'amx_bf16'})


def _flags():
    try:
        lines = _CPUINFO.read_text(encoding='utf-8', errors='replace').splitlines()
    except OSError:
        return set()
    return {flag for line in lines if line.lower().startswith(('flags', 'features'))
            for flag in line.split()}


def use_onednn(fixed_weights: bool = False) -> None:
    """Has TensorFlow compute with oneDNN, unless the environment says otherwise.

    TensorFlow itself leaves it out on processors older than AVX512-VNNI (docs/speed.md). Call it
    before TensorFlow is imported.

    Args:
        fixed_weights: this process only detects, in functions. oneDNN then arranges each kernel
            once, not at every call. A training would go on with the kernels of its first step,
            and convolutions outside of a tf.function would share those of the first one.
    """
    os.environ.setdefault('TF_ENABLE_ONEDNN_OPTS', '1')
    if fixed_weights:
        os.environ.setdefault('TF_ONEDNN_ASSUME_FROZEN_WEIGHTS', '1')
    else:  # even where the environment says otherwise
        os.environ['TF_ONEDNN_ASSUME_FROZEN_WEIGHTS'] = '0'
