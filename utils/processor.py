"""What the processor can do, where Linux says it."""
from pathlib import Path

_CPUINFO = Path('/proc/cpuinfo')
# Flags of x86 and ARM, of which one is enough for convolutions in this precision.
_FLAGS = {'bfloat16': {'avx512_bf16', 'amx_bf16', 'bf16'}, 'float16': {'avx512_fp16', 'amx_fp16'}}


def lacks(precision: str) -> bool:
    """Whether the processor has to imitate this precision; False where nothing tells."""
    try:
        lines = _CPUINFO.read_text(encoding='utf-8', errors='replace').splitlines()
    except OSError:
        return False
    flags = {flag for line in lines if line.lower().startswith(('flags', 'features'))
             for flag in line.split()}
    return bool(flags) and not flags & _FLAGS.get(precision, flags)
