"""COCO's numbers by hand, and against pycocotools on random detections."""
import importlib.util

import numpy as np
import pytest

from datasets.readers import voc
from evaluation import coco as coco_eval
from evaluation.voc import Detection, GroundTruth
from tests.evaluation.rows import found_of, truth_of
from utils.errors import DataError

CLASSES = ('cat', 'dog')
BOX = (1, 1, 40, 40)  # 1,600 pixels: medium


def _numbers(detections, truths):
    return coco_eval.evaluate(
        {'i': found_of(*detections)}, {'i': truth_of(*truths)}, CLASSES
    ).of_class('cat')


def test_a_box_that_overlaps_by_80_percent_is_right_at_seven_thresholds():
    # 32 of 40 rows: IoU .8, right at .5, .55, ..., .8.
    numbers = _numbers([((1, 1, 32, 40), 1, .9)], [(BOX, 1, False)])
    assert numbers['AP'] == pytest.approx(.7) and numbers['AP50'] == numbers['AP75'] == 1
    assert numbers['AR1'] == numbers['AR100'] == pytest.approx(.7)
    assert numbers['AP_medium'] == pytest.approx(.7)
    assert np.isnan([numbers['AP_small'], numbers['AP_large'], numbers['AR_small']]).all()


def test_levels_of_recall():
    # Right, wrong, right: precision 1 up to recall .5 (51 levels), then 2/3.
    numbers = _numbers([(BOX, 1, .9), ((101, 101, 140, 140), 1, .8), ((201, 201, 240, 240), 1, .7)],
                       [(BOX, 1, False), ((201, 201, 240, 240), 1, False)])
    assert numbers['AP'] == pytest.approx((51 + 50 * 2 / 3) / 101)
    assert (numbers['AR1'], numbers['AR10']) == (.5, 1)


def test_a_difficult_object_excuses_one_detection():
    easy = ((101, 101, 140, 140), 1, False)
    found = (easy[0], 1, .7)
    assert _numbers([(BOX, 1, .9), found], [(BOX, 1, True), easy])['AP'] == 1
    assert _numbers([(BOX, 1, 0.9), (BOX, 1, 0.8), found], [(BOX, 1, True), easy])[
        'AP'
    ] == pytest.approx(0.5)


def test_a_crowd_region_excuses_every_detection_inside():
    # Five detections of 20 x 20 pixels inside a crowd region of 200 x 200, and the object is found.
    inside = [((20 * k + 1, 1, 20 * k + 20, 20), 1, .9) for k in range(5)]
    truths = truth_of(
        ((1, 1, 200, 200), 1, True), ((301, 1, 340, 40), 1, False), crowd=[True, False]
    )
    data = {'i': found_of(*inside, ((301, 1, 340, 40), 1, .8))}, {'i': truths}
    assert coco_eval.evaluate(*data, CLASSES).of_class('cat')['AP'] == 1
    alone = {'i': truth_of(((1, 1, 200, 200), 1, True), ((301, 1, 340, 40), 1, False))}
    numbers = coco_eval.evaluate(data[0], alone, CLASSES).of_class(
        'cat'
    )  # no crowd: five are wrong
    assert numbers['AP'] == pytest.approx(1 / 6)


def test_an_object_that_counts_is_taken_before_an_ignored_one():
    # The difficult one overlaps by all, the other one by .8.
    assert _numbers([(BOX, 1, .9)], [(BOX, 1, True), ((1, 1, 32, 40), 1, False)])['AP50'] == 1


def test_32_by_32_pixels_are_small_and_medium():
    numbers = _numbers([((1, 1, 32, 32), 1, .9)], [((1, 1, 32, 32), 1, False)])
    assert numbers['AP_small'] == numbers['AP_medium'] == 1 and np.isnan(numbers['AP_large'])


def test_an_unmatched_detection_of_another_area_is_excused():
    # Before the right medium one a wrong large one: it costs only among all areas.
    numbers = _numbers([((101, 101, 300, 300), 1, .9), (BOX, 1, .8)], [(BOX, 1, False)])
    assert (numbers['AP50'], numbers['AP_medium']) == (.5, 1)


def test_a_hundred_detections_per_image_and_class():
    detections = [((201, 201, 240, 240), 1, .9)] * 100 + [((1, 1, 40, 40), 2, .5), (BOX, 1, .1)]
    result = coco_eval.evaluate(
        {'i': found_of(*detections)}, {'i': truth_of((BOX, 1, False), (BOX, 2, False))}, CLASSES
    )
    assert result.of_class('cat')['AP'] == 0 and result.of_class('dog')['AP'] == 1


def test_class_without_objects_is_absent_and_not_in_the_mean():
    result = coco_eval.evaluate(
        {'i': found_of((BOX, 1, 0.9), (BOX, 2, 0.9))}, {'i': truth_of((BOX, 1, False))}, CLASSES
    )
    assert np.isnan(list(result.of_class('dog').values())).all() and result.summary()['AP'] == 1


def test_no_detections_and_no_objects():
    numbers = coco_eval.evaluate({}, {'i': truth_of((BOX, 1, False))}, CLASSES).summary()
    assert numbers['AP'] == numbers['AR100'] == 0
    assert np.isnan(
        list(coco_eval.evaluate({}, {'i': truth_of()}, CLASSES).summary().values())
    ).all()


def test_detections_of_strange_images_are_refused():
    with pytest.raises(DataError, match='not in the image set, first x'):
        coco_eval.evaluate({'x': found_of()}, {}, CLASSES)


def _random(seed):
    """Detections and ground truths of up to six images and four classes.

    The third class has no objects, the fourth only difficult ones. Objects of all areas, near and
    double detections, equal scores, crowded and empty images; for every third seed crowd regions.
    """
    random = np.random.default_rng(seed)
    digits = (
        int(random.integers(3)) if seed % 2 else 0
    )  # whole pixels, which bring IoUs that equal a threshold
    detections, truths = {}, {}
    for image in range(random.integers(1, 7)):
        count = int(random.integers(0, 9))
        low = random.integers(1, 60, [count, 2])
        boxes = np.concatenate(
            [low, low + random.choice([7, 31, 32, 60, 95, 96, 150], [count, 2])], axis=1
        ).astype(float)
        labels = random.choice([1, 2, 4], count)
        crowd = np.random.default_rng([seed, image]).random(count) < (.2 if seed % 3 == 0 else 0)
        truths[f'{image}'] = GroundTruth(voc.from_voc_pixels(boxes), labels,
                                         (random.random(count) < .3) | (labels == 4), crowd)
        near = random.integers(0, count, 3 * count) if count else np.zeros(0, int)
        jitter = np.round(random.normal(0, random.choice([0, 2, 12]), [len(near), 4]), digits)
        lost = random.integers(0, 30 if random.random() < .8 else 300)
        corner = random.integers(1, 100, [lost, 2])
        rows = np.concatenate(
            [
                boxes[near] + jitter,
                np.concatenate([corner, corner + random.integers(1, 120, [lost, 2])], 1),
            ]
        )
        rows[:, 2:] = np.maximum(rows[:, 2:], rows[:, :2])
        found = np.concatenate(
            [
                np.where(random.random(len(near)) < 0.8, labels[near], 3),
                random.choice([1, 1, 1, 2, 3], lost),
            ]
        )
        if random.random() < .9:
            detections[f'{image}'] = Detection(
                voc.from_voc_pixels(rows),
                found,
                np.round(random.random(len(rows)), random.integers(1, 4)),
            )
    return detections, truths


needs_pycocotools = pytest.mark.skipif(
    importlib.util.find_spec('pycocotools') is None, reason='pycocotools is not installed'
)


@needs_pycocotools
@pytest.mark.parametrize('first', range(0, 60, 10))
def test_equals_pycocotools(first):
    from tests.evaluation import pycocotools_reference as reference
    classes = ('cat', 'dog', 'none', 'difficult')
    for seed in range(first, first + 10):
        data = _random(seed)
        ours, theirs = coco_eval.evaluate(*data, classes), reference.evaluate(*data, classes)
        assert reference.largest_difference(ours, theirs) < 1e-6, f'seed {seed}'


@needs_pycocotools
def test_random_data_hold_what_they_should():
    # Otherwise the comparison could agree on nothing.
    results = [
        coco_eval.evaluate(*_random(seed), ('cat', 'dog', 'none', 'difficult'))
        for seed in range(60)
    ]
    ap = np.stack([result.ap for result in results])
    assert np.isnan(ap[:, 2:]).all() and (~np.isnan(ap[:, :2])).mean() > .6
    assert len(np.unique(ap[~np.isnan(ap)].round(6))) > 300
    assert (
        max(np.sum(entry.labels == 1) for seed in range(60) for entry in _random(seed)[0].values())
        > 100
    )
