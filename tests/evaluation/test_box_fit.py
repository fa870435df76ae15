"""How well default boxes cover objects: against all default boxes one by one, and by hand."""
import dataclasses

import numpy as np
import pytest

from evaluation import box_fit
from nets import anchors, backbones
from nets import boxes as box_ops


def _boxes(count=200, seed=0):
    random = np.random.default_rng(seed)
    corner, sides = random.uniform(0, 0.95, (count, 2)), random.uniform(0.005, 1, (count, 2))
    return np.concatenate([corner, np.minimum(corner + sides, 1)], axis=1)


@pytest.mark.parametrize('name', backbones.names())
def test_nearest_centres_are_enough(name):
    spec, boxes = backbones.get(name), _boxes(60)
    every = box_ops.iou(
        boxes, box_ops.centers_to_corners(anchors.default_boxes(spec).astype(float))
    )
    np.testing.assert_allclose(box_fit.best_overlaps(boxes, spec), every.max(axis=1), atol=1e-6)


def test_literal_overlaps():
    # One cell of 300 pixels with squares of 100 and 200 and boxes 100 * sqrt 2 by 100 / sqrt 2.
    spec = dataclasses.replace(
        backbones.get('mobilenet_v1'),
        feature_layers=(),
        extra_layers=(None,),
        grids=(1,),
        steps=(300.0,),
        aspect_ratios=((2.0,),),
        box_sets={'coco': (100.0, 400.0)},
    )
    objects = (
        np.array([[100, 100, 200, 200], [50, 50, 250, 250], [100, 100, 200, 150], [0, 0, 50, 50]])
        / 300
    )
    # The third is half of the first square. 5,000 pixels; the upright box has 10,000, and shares
    # 100 * (150 - 114.64) with it.
    np.testing.assert_allclose(box_fit.best_overlaps(objects, spec), [1, 1, 0.5, 0], atol=1e-9)
    assert box_fit.coverage(np.array([1, 1, 0.5, 0])) == box_fit.Coverage(4, 0.75, 0.625)


def test_no_objects():
    overlaps = box_fit.best_overlaps(np.zeros((0, 4)), backbones.get('mobilenet_v1'))
    found = box_fit.coverage(overlaps)
    assert (
        overlaps.shape == (0,)
        and found.objects == 0
        and np.isnan(found.recall)
        and np.isnan(found.mean)
    )


def test_object_sides():
    np.testing.assert_allclose(box_fit.object_sides([[0, 0, .1, .4], [.5, .5, 1, 1]]), [.2, .5])
    assert box_fit.object_sides(np.zeros((0, 4))).shape == (0,)


@pytest.mark.parametrize('name', ['mobilenet_v1', 'vgg_512', 'inception_v4'])
@pytest.mark.parametrize('ratios', [False, True])
def test_proposals_fit_the_backbone_and_lose_nothing(name, ratios):
    spec, boxes = backbones.get(name), _boxes(300, 1)
    own = box_fit.propose(boxes, spec, 'own', ratios)
    assert own.box_set == 'own' and own.boxes_per_cell == spec.boxes_per_cell
    assert own.num_default_boxes == spec.num_default_boxes and (np.diff(own.sizes) > 0).all()
    assert ratios or own.aspect_ratios == spec.aspect_ratios
    before, after = (box_fit.coverage(box_fit.best_overlaps(boxes, one)) for one in (spec, own))
    assert after.recall + after.mean >= before.recall + before.mean


def test_proposal_finds_small_and_flat_objects():
    # 12 x 4 pixels, anywhere: no box of the known sets comes near. With cells 8 pixels apart, flat
    # boxes reach some.
    spec, random = backbones.get('mobilenet_v1'), np.random.default_rng(2)
    corner = random.uniform(0, 0.9, (200, 2))
    boxes = np.concatenate([corner, corner + np.array([4, 12]) / 300], axis=1)
    assert box_fit.coverage(box_fit.best_overlaps(boxes, spec)).recall == 0
    own = box_fit.propose(boxes, spec, ratios=True)
    assert own.sizes[0] == 7 and own.aspect_ratios[:2] == ((2.5,), (2.5, 5.))
    assert box_fit.coverage(box_fit.best_overlaps(boxes, own)).recall > 0.15


def test_one_object_is_enough_for_a_proposal():
    own = box_fit.propose([[.1, .1, .2, .2]], backbones.get('vgg_300'), ratios=True)
    assert len(own.sizes) == 7 and (np.diff(own.sizes) > 0).all()
