"""Signals that end a loop between two steps, not within one."""
import os
import signal


class StopRequest:
    """Context manager that turns SIGINT and SIGTERM into a flag; a second one interrupts at once.

    For the main thread.

    Args:
        answer: the line that says so at once; '': none.

    Attributes:
        name: the signal that came, such as 'SIGTERM', or ''.
    """

    def __init__(self, answer: str = ''):
        self.name, self.answer = '', answer
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
        if self.answer:  # print is not safe here: the signal may have come while it wrote
            os.write(2, f'{self.name}: {self.answer}\n'.encode())
