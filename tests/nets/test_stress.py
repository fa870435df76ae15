"""Scenes that strain the maths: none, one and hundreds of objects, one pixel, all alike; finite,
and equal to numpy.
"""
import functools

import numpy as np
import pytest
import tensorflow as tf

from nets import anchors, backbones, loss, matching, postprocess, targets

PIXEL = 1 / 300


def _random_boxes(count, side=None):
    random = np.random.default_rng(count)
    sides = np.full([count, 2], side) if side else random.uniform(.01, .6, [count, 2])
    corners = random.uniform(0, 1 - sides)
    return np.concatenate([corners, corners + sides], axis=1).astype(np.float32)


SCENES = {
    'empty': np.zeros([0, 4], np.float32),
    'one': np.float32([[.1, .2, .5, .6]]),
    'whole image': np.float32([[0, 0, 1, 1]]),
    '500 objects': _random_boxes(500),
    '500 pixels': _random_boxes(500, PIXEL),
    'identical': np.repeat(np.float32([[.1, .2, .5, .6]]), 50, axis=0),
    'corners': np.float32([[0, 0, PIXEL, PIXEL], [1 - PIXEL, 1 - PIXEL, 1, 1]]),
}


@functools.cache
def _defaults():
    return anchors.default_boxes(backbones.get('vgg_300'))


def _labels(count, classes):
    return np.arange(count, dtype=np.int32) % (classes - 1) + 1


@functools.cache
def _matched(scene):
    """Classes 1 to 20 [K], offsets [K, 4]."""
    boxes = SCENES[scene]
    return [values.numpy() for values in targets.match(boxes, _labels(len(boxes), 21), _defaults())]


@pytest.mark.parametrize('scene', SCENES)
def test_matching_is_finite_and_equals_numpy(scene):
    boxes, defaults = SCENES[scene], _defaults()
    expected = matching.match(boxes, _labels(len(boxes), 21), defaults)
    classes, offsets = _matched(scene)
    np.testing.assert_array_equal(classes, expected.classes)
    np.testing.assert_allclose(offsets, expected.offsets, atol=1e-3)
    assert np.isfinite(offsets).all()
    found = set(expected.objects[expected.objects >= 0])
    assert len(found) == len(
        boxes
    )  # every object has a default box, even the 50th of identical ones


@pytest.mark.parametrize('scene', SCENES)
@pytest.mark.parametrize('classes', [2, 21, 201])
@pytest.mark.parametrize('outputs', ['equal', 'random', 'huge'])
def test_loss_and_gradients_are_finite_in_a_batch_of_one(scene, classes, outputs):
    learnt, wanted = _matched(scene)
    matched = np.minimum(learnt, classes - 1)[None], wanted[None]
    shape, scale = [1, len(_defaults()), classes], {'equal': 0., 'random': 1., 'huge': 1e6}[outputs]
    logits = tf.Variable(tf.random.stateless_normal(shape, [1, 2]) * scale)
    offsets = tf.Variable(tf.random.stateless_normal([*shape[:2], 4], [3, 4]) * scale)
    with tf.GradientTape() as tape:
        total = sum(loss.multibox_loss(logits, offsets, *matched).values())
    assert np.count_nonzero(learnt) >= len(SCENES[scene]) and np.isfinite(total)
    for gradient in tape.gradient(total, [logits, offsets]):
        assert np.isfinite(gradient).all()


@pytest.mark.parametrize('classes', [2, 21, 201])
@pytest.mark.parametrize('scale', [0., 1., 1e6])
@pytest.mark.parametrize('on_gpu', [False, True])
def test_detections_are_finite(classes, scale, on_gpu):
    logits = tf.random.stateless_normal([1, len(_defaults()), classes], [1, 2]) * scale
    offsets = tf.random.stateless_normal([1, len(_defaults()), 4], [3, 4]) * scale
    found = postprocess.detect(logits, offsets, _defaults(), on_gpu)
    count = int(found.counts[0])
    assert np.isfinite(found.boxes).all() and np.isfinite(found.scores).all()
    assert (found.boxes.numpy() >= 0).all() and (found.boxes.numpy() <= 1).all()
    assert ((found.classes[0, :count] >= 1) & (found.classes[0, :count] < classes)).numpy().all()
