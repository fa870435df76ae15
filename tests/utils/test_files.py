"""Folders that one process writes to, and files that take the place of others."""
import os
import subprocess
import sys

import pytest

from utils import files
from utils.errors import UserError

_HOLD = """
import sys
from utils import files
with files.held(sys.argv[1]):
    print('held', flush=True)
    sys.stdin.read()
"""


def test_a_second_process_is_refused_until_the_first_ends(tmp_path):
    folder = tmp_path / 'run'
    with subprocess.Popen([sys.executable, '-c', _HOLD, folder], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == 'held\n'
        (tmp_path / 'link').symlink_to(folder)
        for name in ('run', 'link'):
            message = rf'{name} is in use by another process \(number {other.pid}\); wait until'
            with pytest.raises(UserError, match=message), files.held(tmp_path / name):
                pass
        other.kill()
        other.wait()
        with files.held(folder):
            assert (folder / '.lock').read_text() == str(os.getpid())
    assert os.listdir(folder) == []  # what existed before stays


def test_a_folder_that_was_created_for_nothing_is_removed(tmp_path):
    with files.held(tmp_path / 'a/run'):
        assert files.contents(tmp_path / 'a/run') == []
    assert os.listdir(tmp_path / 'a') == []


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / 'file').write_text('')
    message = 'folder .*file/run cannot be used: Not a directory; name another'
    with pytest.raises(UserError, match=message), files.held(tmp_path / 'file/run'):
        pass


def _staged(folder, *names):
    with files.staged(folder, 'index') as stage:
        for name in names:
            with open(os.path.join(stage, name), 'w') as file:
                file.write(name)


def test_staged_files_replace_all_others(tmp_path):
    _staged(tmp_path, 'index', 'a')
    (tmp_path / 'more').mkdir()
    (tmp_path / 'more/b').write_text('')
    _staged(tmp_path, 'index', 'c')
    assert sorted(os.listdir(tmp_path)) == ['c', 'index']


def test_an_unfinished_stage_changes_nothing(tmp_path):
    _staged(tmp_path, 'index', 'a')
    _staged(tmp_path, 'c')
    with pytest.raises(KeyboardInterrupt), files.staged(tmp_path, 'index'):
        raise KeyboardInterrupt
    assert sorted(os.listdir(tmp_path)) == ['a', 'index']
