"""The process in which TensorFlow computes."""
import os

_first: int | None = None


def check() -> None:
    """Notes the first process that calls it; RuntimeError in a fork of that one.

    A fork has none of TensorFlow's threads, and would wait for them for ever.
    """
    global _first
    _first = _first or os.getpid()
    if os.getpid() != _first:
        raise RuntimeError(
            f'TensorFlow runs in process {_first}, of which this one is a fork, and cannot run '
            'here: load the detector in each process, started by '
            "multiprocessing.get_context('spawn'); or share it among threads")
