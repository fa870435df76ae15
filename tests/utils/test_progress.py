"""The line of progress."""
import io

import pytest

from utils.progress import Progress, duration


def test_with_and_without_a_total():
    stream = io.StringIO()
    progress = Progress(8, 'images', stream)
    progress.reach(2)
    progress.reach(4)
    progress.close()
    assert stream.getvalue().startswith('[##########..........] 4/8 images, ') and stream.getvalue().endswith(' s left\n')
    stream = io.StringIO()
    progress = Progress(None, 'frames', stream)
    progress.update(3)
    progress.close()
    assert stream.getvalue().startswith('3 frames, ') and stream.getvalue().endswith('/s\n')


def test_nothing_done_and_more_done_than_stated():
    stream = io.StringIO()
    Progress(0, 'images', stream).close()
    progress = Progress(2, 'images', stream)
    progress.update(3)
    progress.close()
    first, second = stream.getvalue().splitlines()
    assert first.startswith('[....................] 0/0 images, 0.0/s, 0 s left')
    assert second.startswith('[####################] 3/2 images, ') and second.endswith(' 0 s left')


@pytest.mark.parametrize('seconds, text', [(0, '0s'), (45.4, '45s'), (725, '12m05s'), (12000, '3h20m')])
def test_duration(seconds, text):
    assert duration(seconds) == text
