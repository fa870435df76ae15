"""The confusion matrix by literal counts."""
import cv2
import numpy as np
import pytest

from evaluation import confusion as confusions
from evaluation import voc as voc_eval
from tests.evaluation.rows import found_of, truth_of

A, B, C = (0, 0, 10, 10), (20, 20, 40, 40), (60, 60, 90, 90)


def _table(detections, truths, classes=('cat', 'dog'), **options):
    rows = voc_eval.Rows(detections, truths)
    return confusions.confusion(rows, classes, **options).table.tolist()


def test_right_wrong_missed_and_background():
    truths = {'i': truth_of((A, 1, False), (B, 2, False), (C, 2, False))}
    found = {'i': found_of((A, 1, .9), (B, 1, .8), ((95, 95, 99, 99), 2, .7))}
    #       cat dog missed
    assert _table(found, truths) == [[1, 0, 0], [1, 0, 1], [0, 1, 0]]


def test_a_right_detection_takes_its_object_before_a_wrong_one_of_higher_score():
    found = {'i': found_of((A, 2, .9), (A, 1, .5))}
    assert _table(found, {'i': truth_of((A, 1, False))}) == [[1, 0, 0], [0, 0, 0], [0, 1, 0]]


def test_an_object_is_taken_once():
    found = {'i': found_of((A, 1, .9), (A, 1, .8))}
    assert _table(found, {'i': truth_of((A, 1, False))}) == [[1, 0, 0], [0, 0, 0], [1, 0, 0]]


def test_weak_detections_do_not_count():
    found, truths = {'i': found_of((A, 1, .29))}, {'i': truth_of((A, 1, False))}
    assert _table(found, truths) == [[0, 0, 1], [0, 0, 0], [0, 0, 0]]
    assert _table(found, truths, score=.29) == [[1, 0, 0], [0, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize('label', [1, 2])
def test_difficult_objects_count_neither_way(label):
    found = {'i': found_of((A, label, .9))}
    assert _table(found, {'i': truth_of((A, 1, True))}) == [[0] * 3] * 3


def test_nothing():
    assert _table({}, {}) == [[0] * 3] * 3
    assert _table({}, {'i': truth_of()}, ()) == [[0]]


@pytest.mark.parametrize('classes', [1, 20])
def test_drawing(classes):
    names = [f'class {number}' for number in range(classes)]
    rows = voc_eval.Rows({'i': found_of((A, 1, .9))}, {'i': truth_of((A, 1, False))})
    png = confusions.drawn(confusions.confusion(rows, names))
    image = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    side = 110 * (2.2 + .36 * (classes + 1))
    np.testing.assert_allclose(image.shape[:2], [side, side], atol=1)
