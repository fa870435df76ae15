"""Progress of long work on stderr, and durations in words."""
import sys
from typing import Any

from tqdm import tqdm


class Progress(tqdm):
    """tqdm's bar: images done, rate and time left. In a file, it is written once a minute.

    Args:
        total: number of items; None: unknown.
        unit: the items in words, such as 'images'.
        options: of tqdm.
    """
    monitor_interval = 0  # no thread

    def __init__(self, total: int | None, unit: str, **options: Any):
        interval = 0.2 if sys.stderr.isatty() else 60
        super().__init__(total=total, unit=f' {unit}', file=sys.stderr, dynamic_ncols=True,
                         mininterval=interval, miniters=1, smoothing=0, **options)


def duration(seconds: float) -> str:
    """Seconds as '45s', '12m05s' or '3h20m'."""
    seconds = int(round(seconds))
    if seconds < 60:
        return f'{seconds}s'
    if seconds < 3600:
        return f'{seconds // 60}m{seconds % 60:02d}s'
    return f'{seconds // 3600}h{seconds % 3600 // 60:02d}m'
