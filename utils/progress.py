"""Progress of long work on stderr."""
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
