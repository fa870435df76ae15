"""Precisions that a processor has to imitate; what a process asks of TensorFlow's kernels."""
import os
import subprocess
import sys

import pytest

from utils import processor

AMD = 'processor\t: 0\nflags\t\t: fpu avx2 fma\n\nprocessor\t: 1\nflags\t\t: fpu avx2 fma\n'
XEON = 'flags\t\t: fpu avx512_bf16 avx512_fp16 amx_bf16\nvmx flags\t: ept\n'
ARM = 'BogoMIPS\t: 243.75\nFeatures\t: fp asimd bf16\n'


@pytest.mark.parametrize(('text', 'has'), [(AMD, False), (XEON, True), (ARM, False), ('', False)])
def test_bfloat16_where_it_was_tried(tmp_path, monkeypatch, text, has):
    (tmp_path / 'cpuinfo').write_text(text)
    monkeypatch.setattr(processor, '_CPUINFO', tmp_path / 'cpuinfo')
    assert processor.has_bfloat16() is has


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
    assert not processor.lacks('bfloat16') and not processor.has_bfloat16()


@pytest.mark.parametrize(('fixed_weights', 'before', 'after'), [
    (False, {}, ('1', '0')), (True, {}, ('1', '1')),
    (False, {'TF_ENABLE_ONEDNN_OPTS': '0', 'TF_ONEDNN_ASSUME_FROZEN_WEIGHTS': '1'}, ('0', '0')),
    (True, {'TF_ENABLE_ONEDNN_OPTS': '0', 'TF_ONEDNN_ASSUME_FROZEN_WEIGHTS': '0'}, ('0', '0'))])
def test_onednn_is_used_and_never_fixes_the_weights_of_a_training(
        monkeypatch, fixed_weights, before, after):
    monkeypatch.setattr(os, 'environ', before.copy())
    processor.use_onednn(fixed_weights)
    assert (os.environ['TF_ENABLE_ONEDNN_OPTS'],
            os.environ['TF_ONEDNN_ASSUME_FROZEN_WEIGHTS']) == after


@pytest.mark.parametrize('script', ['ssd_train', 'ssd_test', 'ssd_demo', 'ssd_export'])
def test_a_script_that_is_imported_fixes_no_weights(script):
    found = subprocess.run(
        [sys.executable, '-c', f'import os, {script}; '
         'print(os.environ["TF_ONEDNN_ASSUME_FROZEN_WEIGHTS"])'], capture_output=True, text=True,
        timeout=120, env=os.environ | {'TF_ONEDNN_ASSUME_FROZEN_WEIGHTS': '1'})
    assert found.stdout == '0\n', found.stderr
