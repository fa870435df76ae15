"""The check of a GPU, on a machine that may have none."""
import json
import os
import subprocess
import sys

import pytest

from benchmarks import kill_resume


def _call(*arguments, **environment):
    done = subprocess.run([sys.executable, '-m', 'benchmarks.gpu_check', *arguments], text=True,
                          cwd=kill_resume.ROOT, capture_output=True, env=os.environ | environment)
    return done.returncode, done.stdout, done.stderr


def _passed(*arguments, output):
    code, text, _ = _call('--device=cpu', *arguments, f'--output={output}')
    found = json.loads((output / 'gpu_check.json').read_text())
    rows = [(row['name'], row['passed']) for row in found['rows']]
    assert code == 0 and text.endswith(f'\n{len(rows)} passed, 0 failed or left out\n')
    return found['machine'], rows


@pytest.mark.timeout(3600)  # minutes on a busy machine; only a hang takes an hour
def test_three_checks_on_the_cpu(tmp_path):
    machine, rows = _passed('--checks=detections,suppression,xla', '--minutes=50',
                            output=tmp_path / 'report')
    assert machine['TensorFlow'].startswith('2.')
    assert rows == [('detections', True), ('suppression', True), ('XLA, mobilenet_v1: loss', True),
                    ('XLA, mobilenet_v1: gradients', True)]
    page = (tmp_path / 'report/gpu_check.md').read_text()
    assert page.startswith('* device: ') and '\n| detections | ' in page
    assert "; detectors here use the CPU |" in page and '| suppression | 0 of ' in page


@pytest.mark.slow
def test_every_check_on_the_cpu(tmp_path):
    _, rows = _passed('--backbones=mobilenet_v1', output=tmp_path)
    assert [name for name, passed in rows if not passed] == []
    assert {name.split(',')[0] for name, _ in rows} == {
        'XLA', 'by heart', 'detections', 'export', 'mirrored', 'mobilenet_v1', 'resume',
        'suppression', 'two halves'}


def test_a_check_without_time_fails(tmp_path):
    code, text, _ = _call('--device=cpu', '--checks=detections', '--minutes=0',
                          f'--output={tmp_path}')
    assert code == 1 and '\ndetections: not done in time (limit ) FAILED, 0' in text


def test_without_a_gpu_one_line_says_so():
    code, _, error = _call(CUDA_VISIBLE_DEVICES='-1')
    assert code == 2 and error.startswith('error: TensorFlow finds no GPU (docs/gpu.md ')
