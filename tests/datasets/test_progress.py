"""The line of progress."""
import io

from datasets.progress import Progress


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
