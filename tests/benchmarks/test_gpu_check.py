"""The check of a GPU, on a machine that may have none."""
import json
import os
import subprocess
import sys

from benchmarks import kill_resume


def _call(*arguments, **environment):
    done = subprocess.run([sys.executable, '-m', 'benchmarks.gpu_check', *arguments], text=True,
                          cwd=kill_resume.ROOT, capture_output=True, env=os.environ | environment)
    return done.returncode, done.stdout, done.stderr


def test_two_checks_on_the_cpu(tmp_path):
    code, text, _ = _call('--device=cpu', '--checks=detections,xla',
                          f'--output={tmp_path / "report"}')
    assert code == 0 and text.endswith('\n3 passed, 0 failed or left out\n')
    found = json.loads((tmp_path / 'report/gpu_check.json').read_text())
    assert found['machine']['TensorFlow'].startswith('2.')
    assert [(row['name'], row['passed']) for row in found['rows']] == [
        ('detections', True), ('XLA, mobilenet_v1: loss', True),
        ('XLA, mobilenet_v1: gradients', True)]
    page = (tmp_path / 'report/gpu_check.md').read_text()
    assert page.startswith('* device: ') and '\n| detections | ' in page


def test_a_check_without_time_fails(tmp_path):
    code, text, _ = _call('--device=cpu', '--checks=detections', '--minutes=0',
                          f'--output={tmp_path}')
    assert code == 1 and '\ndetections: not done in time (limit ) FAILED, 0' in text


def test_without_a_gpu_one_line_says_so():
    code, _, error = _call(CUDA_VISIBLE_DEVICES='-1')
    assert code == 2 and error.startswith('error: TensorFlow finds no GPU (docs/gpu.md ')
