"""Commands and programs in any folder; packages of the same names that take the place of ours."""
import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]


def _run(folder, *arguments, path=ROOT, packages=False):
    """(exit code, lines of stderr) of Python, without the packages of requirements.txt."""
    done = subprocess.run(
        [sys.executable, *([] if packages else ['-S']), *arguments], cwd=folder, text=True,
        capture_output=True, env=os.environ | {'PYTHONPATH': str(path)})
    return done.returncode, done.stderr.splitlines()


def test_every_room_looks_whether_the_others_are_there():
    packages = {path.parent for path in ROOT.glob('*/__init__.py')}
    assert len(packages) == 12
    for package in packages - {ROOT / 'utils'}:
        lines = (package / '__init__.py').read_text(encoding='utf-8').splitlines()
        ours = [line for line in lines if line.startswith(('import rooms', 'from '))
                and not line.startswith(('from collections', 'from argparse', 'from typing'))]
        assert ours[0] == 'import rooms  # noqa: F401', package


@pytest.mark.parametrize('command', ['datasets.browse', 'ssd_image_to_tf'])
def test_commands_run_in_any_folder(tmp_path, command):
    assert _run(tmp_path, '-m', command, '--help', packages=True) == (0, [])


@pytest.mark.parametrize('command', ['datasets.fetch', 'checkpoints.convert', 'evaluation.compare',
                                     'benchmarks.fuzz', 'ssd_demo'])
def test_a_package_in_the_way_of_a_command_is_one_line(tmp_path, command):
    (tmp_path / 'utils.py').touch()
    code, lines = _run(tmp_path, '-m', command)
    assert code == 2 and lines == [
        f'error: {tmp_path}/utils.py takes the place of {ROOT}/utils/__init__.py: put {ROOT} first '
        'in sys.path or PYTHONPATH, and start in a folder without a utils of its own. A program '
        'that needs both uses an exported detector']


@pytest.mark.parametrize('name', ['utils', 'datasets', 'nets'])
def test_a_package_in_the_way_of_a_program(tmp_path, name):
    other = tmp_path / 'other' / name / '__init__.py'
    other.parent.mkdir(parents=True)
    other.touch()
    first, last = f'{other.parents[1]}:{ROOT}', f'{ROOT}:{other.parents[1]}'
    code, lines = _run(tmp_path, '-c', 'import detection', path=first)
    assert code == 1 and lines[-1].startswith(
        f'ImportError: {other} takes the place of {ROOT}/{name}/__init__.py: put {ROOT} first')
    assert _run(tmp_path, '-c', 'import detection', path=last) == (0, [])
    code, lines = _run(tmp_path, '-c', f'import sys, {name}; sys.path[:0] = [{str(ROOT)!r}]; '
                       'import detection', path=first)  # it is imported already
    assert code == 1 and lines[-1].startswith(f'ImportError: {other} takes the place')


def test_a_folder_without_python_is_in_nobodys_way(tmp_path):
    for name in ('utils', 'datasets', 'training'):
        (tmp_path / name).mkdir()
    (tmp_path / 'training/__init__.py').touch()  # no detector needs it
    assert _run(tmp_path, '-c', 'import detection') == (0, [])
