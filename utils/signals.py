"""Signals as a flag: work ends between two steps, not within one."""
import signal


class StopRequest:
    """Turns SIGINT and SIGTERM into a flag that a loop looks at between steps; a second one interrupts at once.

    name: of the signal that came, such as 'SIGTERM'; '' before. For `with`, in the main thread.
    """

    def __init__(self):
        self.name = ''
        self._previous = {}

    def __enter__(self) -> 'StopRequest':
        for number in (signal.SIGINT, signal.SIGTERM):
            self._previous[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_):
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _note(self, number, _frame):
        if self.name:
            raise KeyboardInterrupt
        self.name = signal.Signals(number).name
