"""Threads ahead of a consumer."""
import itertools
import threading

import pytest

from utils import threads


def test_order_is_kept_whatever_finishes_first():
    late = threading.Event()

    def work(number):
        if number == 0:
            assert late.wait(10)
        else:
            late.set()
        return number * number

    assert list(threads.in_order(work, range(5), under_way=3, workers=2)) == [0, 1, 4, 9, 16]
    assert list(threads.in_order(work, [], under_way=3)) == []


def test_endless_items_are_taken_a_few_ahead():
    taken = []
    results = threads.in_order(taken.append, itertools.count(), under_way=4, workers=1)
    next(results)
    next(results)
    results.close()
    assert taken == list(range(len(taken))) and 2 <= len(taken) <= 6


def test_an_error_reaches_the_consumer():
    with pytest.raises(ZeroDivisionError):
        list(threads.in_order(lambda number: 1 / number, [1, 0], under_way=2))
