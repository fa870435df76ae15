"""Splitting by seed and id: the same everywhere, nothing lost, nothing twice."""
import random

import pytest

from datasets import split
from utils.errors import DataError

IDS = [f'{number:06d}' for number in range(10)]


def test_literal_split():
    # By echo -n '1 000000' | sha256sum, and so on. The two highest, ee72310e... and f455753d..., are for test.
    assert split.divide(IDS, 0.8, 1) == (['000000', '000002', '000003', '000005', '000006', '000007', '000008', '000009'],
                                         ['000001', '000004'])


def test_order_does_not_matter():
    mixed = random.Random(0).sample(IDS, len(IDS))
    for first, second in zip(split.divide(IDS, 0.6, 5), split.divide(mixed, 0.6, 5), strict=True):
        assert sorted(first) == sorted(second)


@pytest.mark.parametrize('share', [0.001, 0.25, 0.5, 0.999])
def test_nothing_is_lost_or_twice(share):
    training, test = split.divide(IDS, share, 3)
    assert sorted(training + test) == IDS and len(training) == {0.001: 1, 0.25: 2, 0.5: 5, 0.999: 9}[share]


def test_seeds_differ():
    assert split.divide(IDS, 0.5, 1) != split.divide(IDS, 0.5, 2)


def test_names_of_any_bytes():
    assert sorted(sum(split.divide(['\udcff', 'ä'], 0.5, 1), [])) == ['ä', '\udcff']


@pytest.mark.parametrize('ids', [[], ['a']])
def test_too_few(ids):
    with pytest.raises(DataError, match=f'{len(ids)} images cannot be split'):
        split.divide(ids, 0.5, 1)
