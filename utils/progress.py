"""One line of progress on stderr: how far, how fast, how long still; and durations in words."""
import sys
import time
import typing


class Progress:
    """Progress(total, label).update(n) ... .close(). On a terminal the line is rewritten; in a file, one line every 10 s.

    total: None where it is not known; the line then has no bar and no time left.  stream: None for stderr.
    """

    def __init__(self, total: int | None, label: str, stream: typing.TextIO | None = None):
        self.total, self.label, self.stream = total, label, stream or sys.stderr
        self.done, self.start = 0, time.monotonic()
        self._terminal = self.stream.isatty()
        self._every = 0.2 if self._terminal else 10.0
        self._shown = self.start

    def update(self, count: int = 1) -> None:
        """Counts `count` more as done."""
        self.done += count
        now = time.monotonic()
        if now - self._shown >= self._every:
            self._shown = now
            self._show(now)

    def reach(self, done: int) -> None:
        """So many are done now."""
        self.update(done - self.done)

    def close(self) -> None:
        """The last line, with the total time."""
        self._show(time.monotonic())
        if self._terminal:
            self.stream.write('\n')

    def _show(self, now):
        spent = now - self.start
        pace = self.done / max(spent, 1e-9)
        line = f'{self.done} {self.label}, {pace:.1f}/s' if self.total is None else self._of_total(pace)
        self.stream.write(f'\r{line}   ' if self._terminal else f'{line}\n')
        self.stream.flush()

    def _of_total(self, pace):
        left = max(0, self.total - self.done) / pace if self.done else 0
        bar = ('#' * round(20 * min(1, self.done / max(1, self.total)))).ljust(20, '.')
        return f'[{bar}] {self.done}/{self.total} {self.label}, {pace:.1f}/s, {left:.0f} s left'


def duration(seconds: float) -> str:
    """Seconds as '45s', '12m05s' or '3h20m'."""
    seconds = int(round(seconds))
    if seconds < 60:
        return f'{seconds}s'
    if seconds < 3600:
        return f'{seconds // 60}m{seconds % 60:02d}s'
    return f'{seconds // 3600}h{seconds % 3600 // 60:02d}m'
