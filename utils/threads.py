"""A prefetching `map` over threads. Image decoding releases the interpreter's lock."""
import collections
import concurrent.futures
import itertools
import typing
from collections.abc import Callable, Iterable, Iterator

_In = typing.TypeVar('_In')
_Out = typing.TypeVar('_Out')


def in_order(function: Callable[[_In], _Out], items: Iterable[_In], under_way: int,
             workers: int | None = None) -> Iterator[_Out]:
    """Yields function(item) for each item, in order.

    Args:
        items: may be endless.
        under_way: largest number of results that are computed ahead of the consumer.
        workers: threads; None: Python's default. A single one calls function in the items' order.
    """
    items = iter(items)
    pool = concurrent.futures.ThreadPoolExecutor(workers)
    try:
        waiting = collections.deque(
            pool.submit(function, item) for item in itertools.islice(items, under_way))
        while waiting:
            result = waiting.popleft().result()
            waiting.extend(pool.submit(function, item) for item in itertools.islice(items, 1))
            yield result
    finally:
        pool.shutdown(cancel_futures=True)
