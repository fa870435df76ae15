"""The matcher against Caffe's TestMatchBBox values, and its TensorFlow twin against it."""
import numpy as np
import pytest

from nets import anchors, backbones, boxes, matching, targets

# test_bbox_util.cpp FillBBoxes, turned from x, y to y, x.
OBJECTS = np.array([[.1, .1, .3, .3], [.3, .3, .5, .6]], np.float32)
DEFAULTS = boxes.corners_to_centers(
    np.array(
        [
            [0, 0.1, 0.3, 0.4],
            [0.1, 0, 0.3, 0.2],
            [0.1, 0.2, 0.4, 0.4],
            [0.3, 0.4, 0.5, 0.7],
            [0.4, 0.5, 0.7, 0.7],
            [0.7, 0.7, 0.8, 0.8],
        ],
        np.float32,
    )
)


@pytest.mark.parametrize('threshold, expected', [
    (1.1, [0, -1, -1, 1, -1, -1]),  # bipartite alone
    (.3, [0, 0, -1, 1, -1, -1]),
    (.001, [0, 0, 0, 1, 1, -1]),
])
def test_equals_caffe(threshold, expected):
    found = matching.match(OBJECTS, np.array([1, 2]), DEFAULTS, threshold)
    assert found.objects.tolist() == expected
    assert found.classes.tolist() == [o + 1 for o in expected]


def test_best_default_box_is_forced_below_the_threshold():
    # The small object overlaps no default box by half, yet gets one.
    found = matching.match(np.array([[.12, .12, .16, .16]]), np.array([7]), DEFAULTS)
    assert found.classes.tolist() == [0, 7, 0, 0, 0, 0]


def test_two_objects_on_one_default_box_get_two():
    same = np.array([[.1, .1, .3, .3], [.1, .1, .3, .3]], np.float32)
    found = matching.match(same, np.array([1, 2]), DEFAULTS, 1.1)
    assert found.classes.tolist() == [1, 2, 0, 0, 0, 0]


def test_offsets_decode_to_the_object():
    found = matching.match(OBJECTS, np.array([1, 2]), DEFAULTS)
    decoded = boxes.decode(found.offsets, DEFAULTS)
    np.testing.assert_allclose(decoded[[0, 3]], OBJECTS, atol=1e-6)
    assert not found.offsets[[1, 2, 4, 5]].any()


def test_no_objects():
    found = matching.match(np.zeros((0, 4)), np.zeros(0, int), DEFAULTS)
    assert (
        found.objects.tolist() == [-1] * 6 and not found.classes.any() and not found.offsets.any()
    )
    classes, offsets = targets.match(np.zeros((0, 4), np.float32), np.zeros(0, int), DEFAULTS)
    assert not classes.numpy().any() and not offsets.numpy().any()


def test_a_threshold_of_0_matches_what_overlaps_at_all():
    for match in (matching.match, targets.match):
        classes, offsets = match(OBJECTS, np.array([1, 2]), DEFAULTS, 0.)[-2:]
        assert np.array(classes).tolist() == [1, 1, 1, 2, 2, 0]  # the last one overlaps nothing
        assert np.isfinite(offsets).all()
        classes, offsets = match(np.zeros([0, 4], np.float32), np.zeros(0, int), DEFAULTS, 0.)[-2:]
        assert not np.any(classes) and not np.any(offsets)


def test_threshold_is_inclusive():
    default = boxes.corners_to_centers(np.array([[0, 0, 1, 1], [0, 0, .5, 1]], np.float32))
    found = matching.match(np.array([[0., 0, 1, 1]]), np.array([1]), default)
    assert found.classes.tolist() == [1, 1]  # IoU exactly .5


@pytest.mark.parametrize('copies', [1, 3, 12])
def test_twin_breaks_ties_alike(copies):
    # Objects that are equal, and that lie alike between default boxes: many overlaps are the
    # same number.
    objects = np.tile(
        np.float32([[0.25, 0.25, 0.5, 0.5], [0.5, 0.5, 0.75, 0.75], [0, 0, 1, 1]]), (copies, 1)
    )
    labels = np.arange(1, len(objects) + 1)
    defaults = anchors.default_boxes(backbones.get('vgg_300'))
    expected = matching.match(objects, labels, defaults)
    classes, _ = targets.match(objects, labels, defaults)
    np.testing.assert_array_equal(classes, expected.classes)


@pytest.mark.parametrize('count', [0, 1, 5, 60])
def test_twin_is_equal(count):
    random = np.random.RandomState(count)
    low, size = random.uniform(0, .8, (count, 2)), random.uniform(.01, .6, (count, 2))
    objects = np.concatenate([low, np.minimum(low + size, 1)], axis=1).astype(np.float32)
    labels = random.randint(1, 21, count)
    defaults = anchors.default_boxes(backbones.get('vgg_300'))
    expected = matching.match(objects, labels, defaults)
    classes, offsets = targets.match(objects, labels, defaults)
    np.testing.assert_array_equal(classes, expected.classes)
    np.testing.assert_allclose(offsets, expected.offsets, atol=1e-4)
    assert len(set(expected.objects[expected.objects >= 0])) == count
