"""Signals that end a loop between two steps, not within one."""
import contextlib
import os
import signal
import stat

# A second one of these interrupts at once. The others often come twice: a closed terminal sends
# SIGHUP from the shell and from the kernel.
_HURRYING = (signal.SIGINT, signal.SIGTERM)
# SIGHUP: a closed terminal. SIGUSR1: a queue's warning before its time limit.
_WARNING = (signal.SIGHUP, signal.SIGUSR1)


class StopRequest:
    """Context manager that turns signals into a flag: SIGINT, SIGTERM, SIGHUP and SIGUSR1.

    A second SIGINT or SIGTERM interrupts at once. SIGHUP and SIGUSR1 stay ignored where they are,
    as under nohup. For the main thread.

    Args:
        answer: the line that says so at once; '': none.

    Attributes:
        name: the signal that came, such as 'SIGTERM', or ''.
    """

    def __init__(self, answer: str = ''):
        self.name, self.answer = '', answer
        self._previous = {}

    def __enter__(self) -> 'StopRequest':
        for number in (*_HURRYING, *_WARNING):
            if number in _HURRYING or signal.getsignal(number) != signal.SIG_IGN:
                self._previous[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_):
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _note(self, number, _frame):
        if number == signal.SIGHUP:
            _leave_closed_terminal()
        if self.name and number in _HURRYING:
            raise KeyboardInterrupt
        if self.name:
            return
        self.name = signal.Signals(number).name
        if self.answer:  # print is not safe here: the signal may have come while it wrote
            with contextlib.suppress(OSError):
                os.write(2, f'{self.name}: {self.answer}\n'.encode())


def _leave_closed_terminal():
    """What is printed goes nowhere where the terminal is gone: to write to it would be an error."""
    for stream in (1, 2):
        try:
            if stat.S_ISCHR(os.fstat(stream).st_mode):
                os.write(stream, b'\r')  # moves nothing on a terminal that is still there
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream)
            os.close(nowhere)
