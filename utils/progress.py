"""Progress of long work on stderr."""
import sys
from typing import Any, TextIO

from tqdm import tqdm


class Progress(tqdm):
    """tqdm's bar: images done, rate and time left. In a file, it is written once a minute.

    Args:
        total: number of items; None: unknown.
        unit: the items in words, such as 'images'.
        file: instead of stderr.
        options: of tqdm.
    """
    monitor_interval = 0  # no thread

    def __init__(self, total: int | None, unit: str, file: TextIO | None = None, **options: Any):
        file = file or sys.stderr
        interval = 0.2 if file.isatty() else 60
        super().__init__(total=total, unit=f' {unit}', file=file, dynamic_ncols=True,
                         mininterval=interval, miniters=1, smoothing=0, **options)
