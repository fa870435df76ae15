"""How every command begins and ends, in a process of its own."""
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def _call(program, redirection=''):
    """-> (exit code, stdout, stderr)."""
    program = 'from utils.script import *\n' + program
    done = subprocess.run(
        ['bash', '-c', f'"$0" -c "$1" {redirection}', sys.executable, program],
        cwd=ROOT,
        text=True,
        capture_output=True,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    'program, found',
    [
        ('run(lambda: None)', (0, '', '')),
        ('run(lambda: 3)', (3, '', '')),
        (
            'def main(): raise UserError("key: 3 is too many")\nrun(main)',
            (2, '', 'error: key: 3 is too many\n'),
        ),
        ('def main(): raise KeyboardInterrupt\nrun(main)', (130, '', 'interrupted\n')),
    ],
)
def test_ends(program, found):
    assert _call(program) == found


def test_faults_of_the_code_are_not_hidden():
    code, _, error = _call('run(lambda: 1 / 0)')
    assert code == 1 and error.startswith('Traceback') and 'ZeroDivisionError' in error


def test_what_libraries_say_is_held_back_until_they_fail():
    noise = 'import os\nwith quiet():\n    os.write(2, b"banner")\n'
    assert _call(noise + 'print("done")') == (0, 'done\n', '')
    said = noise.replace('quiet():', 'quiet() as shown:') + '    shown.write("half")\n'
    assert _call(said + 'print("done")') == (0, 'done\n', 'half')
    code, _, error = _call(noise + '    raise ImportError("broken")')
    assert code == 1 and error.startswith('banner')


def test_a_missing_package_is_one_line_with_the_way_out():
    code, out, error = _call('with imports():\n    import nowhere.inner')
    assert (code, out) == (2, '')
    assert error.startswith(f'error: {sys.executable} lacks the package nowhere. Install it: '
                            f'{sys.executable} -m pip install -r {ROOT}/requirements.txt')
    assert error.count('\n') == 1
    code, _, error = _call('with imports():\n    import numpy.nowhere')
    assert code == 2 and ' has a version of numpy without numpy.nowhere. Install it: ' in error
    code, _, error = _call('with imports():\n    import utils.nowhere')
    assert code == 1 and error.startswith('Traceback')  # a fault of this code


@pytest.mark.parametrize('content, message', [
    ('raise ImportError("libGL.so.1: cannot open shared object file")',
     'error: OpenCV does not start (libGL.so.1: cannot open shared object file): '),
    ('', 'error: OpenCV is not whole: ')])
@pytest.mark.parametrize('use', ['import cv2', 'import cv2\n    cv2.FONT_HERSHEY_SIMPLEX'])
def test_a_broken_opencv_is_one_line(tmp_path, content, message, use):
    (tmp_path / 'cv2').mkdir()
    (tmp_path / 'cv2/__init__.py').write_text(content)
    code, out, error = _call(f'sys.path.insert(0, {str(tmp_path)!r})\nwith imports():\n'
                             f'    os.write(2, b"banner")\n    {use}')
    assert (code, out) == (2, '') and error.startswith(message) and error.count('\n') == 1
    assert f'{sys.executable} -m pip install opencv-python-headless' in error


def test_a_broken_package_is_one_line(tmp_path):
    (tmp_path / 'broken.py').write_text('raise ImportError("GLIBC_2.99 not found")')
    use = f'sys.path.insert(0, {str(tmp_path)!r})\nwith imports():\n    '
    code, _, error = _call(f'{use}import broken')
    assert code == 2 and error.count('\n') == 1
    assert ' has a broken that does not start (GLIBC_2.99 not found). Install it: ' in error
    code, _, error = _call(f'{use}from utils import nothing')
    assert code == 1 and error.startswith('Traceback')  # a fault of this code
    code, _, error = _call(f'{use}sys.nothing')
    assert code == 1 and error.startswith('Traceback')


@pytest.mark.parametrize('script', sorted(path.name for path in ROOT.glob('ssd_*.py')))
def test_scripts_without_their_packages(script):
    call = [sys.executable, '-S', script]  # without site-packages
    done = subprocess.run(call, cwd=ROOT, text=True, capture_output=True)
    assert done.returncode == 2 and done.stdout == ''
    assert done.stderr.startswith('error: ') and ' lacks the package ' in done.stderr
    assert done.stderr.count('\n') == 1


def test_no_name_and_no_locale_ends_a_run():
    program = 'run(lambda: print("caf\\u00e9 \\udcff") or print("\\udcff", file=sys.stderr))'
    assert _call(program) == (0, 'café \\udcff\n', '\\udcff\n')
    program = (
        'import os\nos.environ |= {"PYTHONIOENCODING": "ascii"}\n'
        'os.execv(sys.executable, [sys.executable, "-c", '
        '"from utils.script import run; run(lambda: print(chr(233)))"])'
    )
    assert _call(program) == (0, '\\xe9\n', '')


def test_closed_stderr():
    assert _call('with quiet(): pass\nrun(lambda: print("done"))', '2>&-') == (0, 'done\n', '')


def test_the_limit_of_pixels_holds_in_every_script():
    # OpenCV reads its limit when it is first imported, and TensorFlow imports it.
    for script in sorted(ROOT.glob('ssd_*.py')):
        code = (f'import sys; sys.path.insert(0, {str(ROOT)!r}); import configs; '
                'assert "cv2" not in sys.modules; import os; '
                'assert os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"]')
        first = [line for line in script.read_text().splitlines()
                 if line.startswith(('from ', 'import ')) and 'configs' not in line]
        assert not any('cv2' in line or 'tensorflow' in line for line in first), script
    subprocess.run([sys.executable, '-c', code], check=True)
