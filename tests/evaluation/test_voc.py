"""Average precision by hand, and against Caffe's and chainercv's tests."""

import numpy as np
import pytest

from evaluation import voc as voc_eval
from tests.evaluation.rows import edges_of, found_of, truth_of
from utils.errors import DataError

A, B = (1, 1, 10, 10), (21, 21, 30, 30)


def test_average_precision_equals_caffe():
    # test_bbox_util.cpp TestComputeAP: 11 detections, 5 objects.
    hits = np.array([0, 1, 1, 0, 1, 0, 1, 0, 0, 0, 1])
    precision, recall = np.cumsum(hits) / np.arange(1, 12), np.cumsum(hits) / 5
    # Caffe's .598662 takes 3 of 5 for recall .6. In steps of .1 the level is .6000000000000001:
    # one level less at 3/5, with precision 4/7 instead.
    assert voc_eval.average_precision(precision, recall, '07') == pytest.approx(
        0.598662 - (3 / 5 - 4 / 7) / 11, abs=1e-6
    )
    assert voc_eval.average_precision(precision, recall, 'area') == pytest.approx(.591861, abs=1e-6)


def test_average_precision_equals_chainercv():
    # test_eval_detection_voc.py: precision 0, 1/2, 1/3 at recall 0, 1/2, 1/2.
    assert voc_eval.average_precision([0, 0.5, 1 / 3], [0, 0.5, 0.5], '07') == pytest.approx(
        0.2727272727
    )
    assert voc_eval.average_precision([0, .5, 1 / 3], [0, .5, .5], 'area') == pytest.approx(.25)


@pytest.mark.parametrize('metric', voc_eval.METRICS)
def test_average_precision_of_nothing_is_zero(metric):
    assert voc_eval.average_precision([], [], metric) == 0


def test_unknown_metric():
    with pytest.raises(ValueError, match="unknown metric '12'; known: 07, area"):
        voc_eval.average_precision([], [], '12')


def test_overlap_counts_inclusive_pixels():
    # 10 x 10 pixels against the same moved by 5: 5 * 10 of 150 shared.
    found = voc_eval.paired_iou(edges_of([A] * 3), edges_of([[1, 6, 10, 15], A, B]))
    assert found == pytest.approx([1 / 3, 1, 0])


def _curve(detections, truths):
    result = voc_eval.evaluate(detections, truths, ('cat', 'dog'))
    return result.classes[0]


def test_duplicates_are_wrong():
    entry = _curve(
        {'i': found_of((A, 1, 0.9), (A, 1, 0.8), (B, 1, 0.7))},
        {'i': truth_of((A, 1, False), (B, 1, False))},
    )
    assert entry.precision.tolist() == [1, 0.5, pytest.approx(2 / 3)]
    assert entry.recall.tolist() == [0.5, 0.5, 1]


def test_difficult_objects_are_neither_right_nor_wrong():
    entry = _curve(
        {'i': found_of((A, 1, 0.9), (A, 1, 0.8), (B, 1, 0.7))},
        {'i': truth_of((A, 1, True), (B, 1, False))},
    )
    assert entry.ground_truths == 1 and entry.ap == 1
    assert entry.recall.tolist() == [0, 0, 1]


def test_crowd_regions_are_difficult():
    truths = truth_of((A, 1, False), (B, 1, False), crowd=[True, False])
    entry = _curve({'i': found_of((A, 1, .9), (A, 1, .8), (B, 1, .7))}, {'i': truths})
    assert entry.ground_truths == 1 and entry.ap == 1


def test_overlap_of_half_is_not_enough():
    # 10 of 20 pixels: IoU exactly .5.
    entry = _curve(
        {'i': found_of(((1, 1, 1, 10), 1, 0.9))}, {'i': truth_of(((1, 1, 1, 20), 1, False))}
    )
    assert entry.ap == 0


def test_order_is_by_score_over_all_images():
    truths = {'i': truth_of((A, 1, False)), 'j': truth_of((A, 1, False))}
    entry = _curve({'i': found_of((B, 1, .5), (A, 1, .3)), 'j': found_of((A, 1, .4))}, truths)
    assert entry.precision.tolist() == [0, .5, pytest.approx(2 / 3)]


def test_best_f1():
    # Right, wrong, right, right of 4 objects: F1 .4, .33, .57, .75.
    boxes = [(20 * i + 1, 1, 20 * i + 10, 10) for i in range(4)]
    truths = {'i': truth_of(*((box, 1, False) for box in boxes))}
    found = found_of(
        (boxes[0], 1, 0.9), ((1, 101, 10, 110), 1, 0.8), (boxes[1], 1, 0.7), (boxes[2], 1, 0.6)
    )
    assert _curve({'i': found}, truths).best_f1() == pytest.approx((.6, .75, .75, .75))
    # A threshold keeps all of equal scores or none: after the first alone F1 would be 1.
    tied = found_of((boxes[0], 1, .5), (B, 1, .5), (B, 1, .5))
    assert _curve({'i': tied}, {'i': truth_of((boxes[0], 1, False))}).best_f1() == pytest.approx(
        (0.5, 1 / 3, 1, 0.5)
    )


def test_best_f1_where_nothing_is_found_or_nothing_is_there():
    nothing = _curve({'i': found_of((B, 1, .9))}, {'i': truth_of((A, 1, False))}).best_f1()
    assert np.isnan(nothing.threshold) and nothing[1:] == (0, 0, 0)
    assert _curve({}, {'i': truth_of((A, 1, False))}).best_f1()[1:] == (0, 0, 0)
    assert np.isnan(
        _curve({'i': found_of((A, 1, 0.9))}, {'i': truth_of((A, 2, False))}).best_f1()
    ).all()


def test_the_same_curves_by_another_metric():
    detections, truths = (
        {'i': found_of((A, 1, 0.9), (A, 1, 0.8), (B, 1, 0.7))},
        {'i': truth_of((A, 1, False), (B, 1, False))},
    )
    area = voc_eval.evaluate(detections, truths, ('cat', 'dog'), '07').by('area')
    assert area.metric == 'area' and area.classes[0].ap == pytest.approx((1 + 2 / 3) / 2)
    assert np.isnan(area.classes[1].ap)


def test_class_without_objects_is_not_in_the_mean():
    result = voc_eval.evaluate(
        {'i': found_of((A, 1, 0.9), (A, 2, 0.9))}, {'i': truth_of((A, 1, False))}, ('cat', 'dog')
    )
    assert np.isnan(result.classes[1].ap) and result.mean_ap == 1
    assert 'no objects, not in the mean: dog' in voc_eval.ap_table(result)


def test_no_detections():
    result = voc_eval.evaluate({}, {'i': truth_of((A, 1, False))}, ('cat', 'dog'))
    assert result.classes[0].ap == 0 and result.mean_ap == 0


def test_no_objects_at_all():
    assert np.isnan(voc_eval.evaluate({}, {'i': truth_of()}, ('cat',)).mean_ap)


def test_detections_of_strange_images_are_refused():
    with pytest.raises(
        DataError, match='detections of 1 images that are not in the image set, first x'
    ):
        voc_eval.evaluate({'x': found_of()}, {}, ('cat',))
