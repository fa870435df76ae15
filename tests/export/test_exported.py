"""The comparison of results, sizes and times."""
import numpy as np
import pytest

from export import exported
from nets.postprocess import Detections


def _found(*rows, padding=2):
    """Detections in one image from rows of class, score, box."""
    rows = np.array([*rows, *[(0, 0, 0, 0, 0, 0)] * padding])[None]
    return Detections(rows[..., 2:], rows[..., 1], rows[..., 0],
                      np.array([rows.shape[1] - padding]))


CAT, DOG = (8, .9, .1, .2, .5, .6), (12, .8, .3, .3, .4, .4)


@pytest.mark.parametrize('one, other, largest, count', [
    ([CAT, DOG], [DOG, CAT], 0, 2),
    ([CAT], [(8, .9, .1, .25, .5, .6)], .05, 1),
    ([CAT], [(8, .7, .1, .2, .5, .6)], .2, 1),
    ([CAT, DOG], [CAT], float('inf'), 2),
    ([CAT], [CAT, DOG], float('inf'), 1),
    ([CAT], [(12, *CAT[1:])], float('inf'), 1),
    ([CAT, (8, .09, 0, 0, 1, 1)], [CAT], 0, 1),  # unsure
    ([], [], 0, 0),
])
def test_difference(one, other, largest, count):
    found = exported.difference(_found(*one), _found(*other), score_threshold=.01)
    assert found == (pytest.approx(largest), count)


def test_scores_at_the_threshold_do_not_count():
    found = _found(CAT, (12, .51, 0, 0, 1, 1))
    assert exported.difference(found, _found(CAT), score_threshold=.5) == (0, 1)


def test_the_last_of_a_full_list_does_not_count():
    full = _found(CAT, (12, .4, 0, 0, 1, 1), padding=0)
    other = _found(CAT, (15, .4, 0, 0, .5, .5), padding=0)
    assert exported.difference(full, other, score_threshold=.01) == (0, 1)
    assert exported.difference(full, _found(CAT), score_threshold=.01) == (0, 1)
    other = _found((12, .4, 0, 0, 1, 1))
    assert exported.difference(full, other, score_threshold=.01) == (float('inf'), 1)


def test_size_of_a_file_and_of_a_folder(tmp_path):
    (tmp_path / 'a/b').mkdir(parents=True)
    (tmp_path / 'a/one').write_bytes(bytes(3))
    (tmp_path / 'a/b/two').write_bytes(bytes(4))
    assert exported.size(str(tmp_path / 'a/one')) == 3 and exported.size(str(tmp_path / 'a')) == 7


def test_times_leave_out_the_first_call():
    calls = []
    found = exported.times(exported.Exported(calls.append, ('cat',), 4), 'images')
    assert len(calls) == 11 and len(found) == 10 and min(found) >= 0
