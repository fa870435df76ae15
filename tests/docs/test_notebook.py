"""The notebook: no outputs are stored, and its cells run one after the other."""
import json
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / 'docs/ssd.ipynb'


def _cells():
    return json.loads(NOTEBOOK.read_text())['cells']


def test_commands_use_the_python_of_the_notebook():
    lines = [line for cell in _cells() if cell['cell_type'] == 'code' for line in cell['source']]
    commands = [line for line in lines if line.startswith('!')]
    assert len(commands) == 6 and all(line.startswith('!{PYTHON} ') for line in commands)


def test_outputs_are_stripped():
    for cell in _cells():
        if cell['cell_type'] == 'code':
            assert cell['outputs'] == [] and cell['execution_count'] is None


@pytest.mark.slow
def test_cells_run(tmp_path):
    # As Jupyter would, which this does not need: a line with ! is a command, {name} a value in it.
    for name in ('docs', 'checkpoints', 'configs', 'datasets', 'detection', 'evaluation', 'export',
                 'nets', 'preprocessing', 'training', 'utils'):
        (tmp_path / name).symlink_to(ROOT / name)
    for path in ROOT.glob('*.py'):
        shutil.copy(path, tmp_path)
    lines = ['import matplotlib, subprocess', 'matplotlib.use("agg")']
    for cell in _cells():
        if cell['cell_type'] == 'code':
            for line in ''.join(cell['source']).replace('STEPS = 60', 'STEPS = 2').splitlines():
                lines.append(f'subprocess.run(f{line[1:]!r}, shell=True, check=True)'
                             if line.startswith('!') else line)
    (tmp_path / 'notebook.py').write_text('\n'.join(lines))
    subprocess.run([sys.executable, 'notebook.py'], cwd=tmp_path, check=True)
    assert (tmp_path / 'quickstart/exported/detector_float16.tflite').stat().st_size > 5e6
