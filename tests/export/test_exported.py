"""The comparison of results, sizes and times."""
import types

import numpy as np
import pytest

from export import exported
from nets.postprocess import Detections, Limits
from nets.slim_compat import tf


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


# Two boxes of a class with IoU .6, of which one suppresses the other.
LEFT, RIGHT = (3, .25, 0, 0, .4, .4), (3, .25, 0, .1, .4, .5)


@pytest.mark.parametrize('one, other, same', [
    ([LEFT], [RIGHT], True),
    ([CAT, LEFT], [CAT, RIGHT], True),
    ([LEFT, DOG], [RIGHT], False),  # a detection too many
    ([LEFT, RIGHT], [RIGHT], False),  # not suppressed
    ([LEFT], [], False),
    ([LEFT], [(3, .26, 0, .1, .4, .5)], False),  # the better one was suppressed
    ([LEFT], [(4, *RIGHT[1:])], False),
    ([LEFT], [(3, .25, .6, .6, 1, 1)], False),  # does not overlap
    ([(3, .25, 0, .05, .4, .45)], [RIGHT], False),  # a box that the network does not give
    ([(3, .26, 0, 0, .4, .4)], [RIGHT], False),  # another score than the network's
    ([(3, .09, 0, 0, 1, 1)], [(4, .09, 0, 0, .5, .5)], True),  # unsure
])
def test_ties(one, other, same):
    chosen_from = np.array([CAT, DOG, LEFT, RIGHT])
    assert exported.same_but_for_ties(
        _found(*one), _found(*other), chosen_from, 1e-3, Limits()) is same


def test_candidates_are_those_before_suppression():
    logits = np.log([[[.5, .3, .2], [.96, .02, .02], [.1, .1, .8]]])
    offsets = np.zeros([1, 3, 4], np.float32)
    defaults = np.array([[.5, .5, .2, .4], [.5, .5, 1, 1], [.9, .5, .4, .4]], np.float32)
    network = types.SimpleNamespace(network=lambda _: (logits, offsets), defaults=defaults)
    np.testing.assert_allclose(exported.candidates(network, tf.zeros([1, 3, 3, 3])), [
        (1, .3, .4, .3, .6, .7), (2, .2, .4, .3, .6, .7),
        (1, .1, .7, .3, 1, .7), (2, .8, .7, .3, 1, .7)], rtol=1e-5)


def test_size_of_a_file_and_of_a_folder(tmp_path):
    (tmp_path / 'a/b').mkdir(parents=True)
    (tmp_path / 'a/one').write_bytes(bytes(3))
    (tmp_path / 'a/b/two').write_bytes(bytes(4))
    assert exported.size(str(tmp_path / 'a/one')) == 3 and exported.size(str(tmp_path / 'a')) == 7


def test_times_leave_out_the_first_call():
    calls = []
    found = exported.times(exported.Exported(calls.append, ('cat',), 4), 'images')
    assert len(calls) == 11 and len(found) == 10 and min(found) >= 0
