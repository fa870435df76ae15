"""Precisions that a processor has to imitate."""
import pytest

from utils import processor

AMD = 'processor\t: 0\nflags\t\t: fpu avx2 fma\n\nprocessor\t: 1\nflags\t\t: fpu avx2 fma\n'
XEON = 'flags\t\t: fpu avx512_bf16 avx512_fp16 amx_bf16\nvmx flags\t: ept\n'
ARM = 'BogoMIPS\t: 243.75\nFeatures\t: fp asimd bf16\n'


@pytest.mark.parametrize(('text', 'precision', 'lacks'), [
    (AMD, 'bfloat16', True), (AMD, 'float16', True), (AMD, 'float32', False),
    (XEON, 'bfloat16', False), (XEON, 'float16', False), (ARM, 'bfloat16', False),
    ('', 'bfloat16', False), ('model name : ?\n', 'bfloat16', False)])
def test_flags_tell(tmp_path, monkeypatch, text, precision, lacks):
    (tmp_path / 'cpuinfo').write_text(text)
    monkeypatch.setattr(processor, '_CPUINFO', tmp_path / 'cpuinfo')
    assert processor.lacks(precision) == lacks


def test_nothing_is_said_where_there_is_no_such_file(tmp_path, monkeypatch):
    monkeypatch.setattr(processor, '_CPUINFO', tmp_path / 'absent')
    assert not processor.lacks('bfloat16')
