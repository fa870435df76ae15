"""The progress bar."""
import re
import sys
import time

from utils.progress import Progress


def test_a_file_gets_one_line(capsys):
    with Progress(8, 'images') as progress:
        for _ in range(4):
            progress.update(2)
    text = capsys.readouterr().err
    assert text.count('\n') == 1 and text.count('\r') == 2
    assert ' 8/8 [' in text and ' images/s]' in text


def test_a_terminal_sees_rate_and_time_left(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, 'isatty', lambda: True, raising=False)
    with Progress(8, 'images') as progress:
        time.sleep(0.25)
        progress.update(4)
        assert re.search(r' 50%.* 4/8 \[00:00<00:00, .* images/s\]', capsys.readouterr().err)


def test_without_a_total_and_more_done_than_stated(capsys):
    with Progress(None, 'frames') as progress:
        progress.update(3)
    assert '3 frames [' in capsys.readouterr().err
    with Progress(2, 'images') as progress:
        progress.update(3)
    assert '3' in capsys.readouterr().err
    Progress(0, 'images').close()
