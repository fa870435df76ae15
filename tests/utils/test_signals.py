"""Which signals end a loop between two steps. Each test signals a process of its own."""
import os
import pathlib
import pty
import signal
import subprocess
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Counts until it is asked to stop, ends its step, and writes what it knows then into `done`.
LOOP = '''
import pathlib, sys, time
from utils.signals import StopRequest
with StopRequest('stopping after this step') as request:
    for step in range(600):
        print('step', step, flush=True)
        time.sleep(.05)
        if step == 0:
            pathlib.Path(sys.argv[1], 'ready').touch()
        if request.name:
            break
    print('saved', flush=True)
pathlib.Path(sys.argv[1], 'done').write_text(request.name)
'''


def _wait(path):
    end = time.monotonic() + 120
    while not path.exists():
        assert time.monotonic() < end, f'no {path}'
        time.sleep(.02)


def _started(folder, *before):
    process = subprocess.Popen([*before, sys.executable, '-c', LOOP, str(folder)], cwd=ROOT,
                               text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    _wait(folder / 'ready')
    return process


@pytest.mark.parametrize('name', ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1'])
def test_a_signal_ends_the_loop_after_its_step(tmp_path, name):
    process = _started(tmp_path)
    os.kill(process.pid, signal.Signals[name])
    out, error = process.communicate(timeout=120)
    assert (process.returncode, error) == (0, f'{name}: stopping after this step\n')
    assert out.endswith('\nsaved\n') and (tmp_path / 'done').read_text() == name


def test_under_nohup_a_closed_terminal_is_ignored(tmp_path):
    process = _started(tmp_path, 'nohup')
    os.kill(process.pid, signal.SIGHUP)
    time.sleep(.3)
    assert process.poll() is None and not (tmp_path / 'done').exists()
    process.terminate()
    process.communicate(timeout=120)
    assert (tmp_path / 'done').read_text() == 'SIGTERM'


def test_the_step_is_done_although_the_terminal_is_gone(tmp_path):
    """Nothing can be written to it any more, and SIGHUP comes twice."""
    child, terminal = pty.fork()
    if not child:
        os.chdir(ROOT)
        os.execv(sys.executable, [sys.executable, '-c', LOOP, str(tmp_path)])
    _wait(tmp_path / 'ready')
    os.close(terminal)
    os.kill(child, signal.SIGHUP)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert (tmp_path / 'done').read_text() == 'SIGHUP'


def test_a_second_one_interrupts_at_once(tmp_path):
    process = _started(tmp_path)
    for _ in range(2):
        os.kill(process.pid, signal.SIGTERM)
        time.sleep(.01)
    _, error = process.communicate(timeout=120)
    assert process.returncode != 0 and error.rstrip().endswith('KeyboardInterrupt')
