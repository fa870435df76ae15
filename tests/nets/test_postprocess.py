"""Detections: Caffe's and tensorflow/models' suppression cases, a twin in numpy, limits, and empty
results; each with TensorFlow's suppression and with that for GPUs.
"""
import numpy as np
import pytest
import tensorflow as tf

from nets import boxes, postprocess


@pytest.fixture(params=[False, True], ids=['on the CPU', 'on the GPU'], autouse=True)
def on_gpu(request, monkeypatch):
    monkeypatch.setattr(postprocess, 'suppresses_on_gpu', lambda *_: request.param)


def _inputs(corners, scores):
    """Default boxes at `corners`, offsets 0, and logits of the scores [K, C - 1] and the rest."""
    scores = np.asarray(scores, np.float64)
    probabilities = np.concatenate([1 - scores.sum(1, keepdims=True), scores], axis=1)
    logits = np.log(np.maximum(probabilities, 1e-12)).astype(np.float32)
    defaults = boxes.corners_to_centers(np.asarray(corners, np.float32))
    return logits[None], np.zeros((1, len(corners), 4), np.float32), defaults


def test_suppression_equals_caffe():
    # TestApplyNMS: threshold .3 keeps 0, 3, 2 (in the order of scores .8, .7, .4, .5).
    corners = [[.1, .1, .3, .3], [.1, .2, .3, .4], [0, .2, .2, .4], [.2, .1, .4, .4]]
    found = postprocess.detect(*_inputs(corners, [[.8], [.7], [.4], [.5]]), nms_threshold=.3)
    assert found.counts.numpy() == [3]
    np.testing.assert_allclose(found.scores[0, :4], [.8, .5, .4, 0], atol=1e-6)
    np.testing.assert_allclose(found.boxes[0, :3], np.array(corners)[[0, 3, 2]], atol=1e-6)


@pytest.mark.parametrize('limits, message', [
    ({'score_threshold': 1.1}, 'score_threshold: 1.1 is not a number from 0 to 1'),
    ({'score_threshold': 'bset'}, "score_threshold: 'bset' is not a number"),
    ({'nms_threshold': float('nan')}, 'nms_threshold: nan is not a number'),
    ({'nms_top_k': 0}, 'nms_top_k: 0 is not a whole number of at least 1'),
    ({'keep_top_k': 2.5}, 'keep_top_k: 2.5 is not a whole number')])
def test_limits_out_of_range(limits, message):
    with pytest.raises(ValueError, match=message):
        postprocess.Limits(**limits)
    postprocess.Limits(np.float32(0), 1, np.int64(1), 1)


def test_top_k_counts_candidates_before_suppression():
    # As above with nms_top_k 2: only boxes 0 and 1 enter, and 0 drops 1.
    corners = [[.1, .1, .3, .3], [.1, .2, .3, .4], [0, .2, .2, .4], [.2, .1, .4, .4]]
    found = postprocess.detect(*_inputs(corners, [[.8], [.7], [.4], [.5]]), nms_threshold=.3,
                               nms_top_k=2)
    assert found.counts.numpy() == [1]


def _reference(logits, offsets, defaults, top_k=400, keep=200):
    """One image in numpy: the scores, labels and boxes that stay, best first."""
    scores = np.exp(logits[0]) / np.exp(logits[0]).sum(1, keepdims=True)
    corners = boxes.decode(offsets[0], defaults)
    found = []
    for label in range(1, scores.shape[1]):
        order = np.argsort(-scores[:, label])[:top_k]
        order = order[scores[order, label] > .01]
        overlaps, kept = boxes.iou(corners[order], corners[order]), []
        for index in range(len(order)):
            if not (overlaps[index, kept] > .45).any():
                kept.append(index)
        found += [(scores[box, label], label, *corners[box].clip(0, 1)) for box in order[kept]]
    return np.array(sorted(found, reverse=True)[:keep])


@pytest.mark.parametrize('background', [-2, 0, 4, 6.5, 9], ids=lambda logit: f'background {logit}')
def test_many_boxes_equal_numpy(background):
    # From 3,000 boxes above the threshold in each class to some dozens.
    random = np.random.default_rng(0)
    logits = random.normal(size=[1, 3000, 4]) + [background, 0, 0, 1]
    offsets = random.normal(size=[1, 3000, 4])
    defaults = random.uniform(.05, .95, [3000, 4]) * [1, 1, .3, .3]
    inputs = [values.astype(np.float32) for values in (logits, offsets, defaults)]
    expected = _reference(*inputs)
    found = postprocess.detect(*inputs)
    count = int(found.counts[0])
    assert count == len(expected) and (count == 200 or background == 9)
    np.testing.assert_array_equal(found.classes[0, :count], expected[:, 1])
    np.testing.assert_allclose(found.scores[0, :count], expected[:, 0], rtol=1e-5)
    np.testing.assert_allclose(found.boxes[0, :count], expected[:, 2:], atol=1e-5)


@pytest.mark.parametrize('order', [slice(None), slice(None, None, -1)], ids=['first', 'last'])
def test_weak_boxes_count_where_strong_ones_suppress_each_other(order):
    # 3,000 boxes in one place, and 50 weaker ones of another class apart: 1 + 50 in one of two
    # images. In the other nothing is found, or 3,000 boxes apart: 200.
    place = np.tile([[0, 0, .1, .1]], [3000, 1])
    apart = np.array([[.3, i / 4000, .4, i / 4000 + 1e-4] for i in range(3000)])
    scores = np.zeros([6000, 2])
    scores[:3000, 0] = np.linspace(.8, .9, 3000)
    scores[3000:3050, 1] = .5
    corners = np.concatenate([place, apart])
    for others, count in ((np.zeros([6000, 2]), 0), (np.roll(scores, 3000, axis=0), 200)):
        (one, offsets, defaults), (other, *_) = _inputs(corners, scores), _inputs(corners, others)
        pair = np.concatenate([one, other])[order]
        found = postprocess.detect(pair, np.repeat(offsets, 2, axis=0), defaults)
        assert found.counts.numpy().tolist() == [51, count][order]


def test_weak_scores_of_strong_boxes_do_not_come_first():
    # 20 boxes in each of 100 places are strong in class 1, 10 in each of 50 other places less so in
    # class 2. In class 2 the former are weaker still, and not among its 400 best.
    places = np.array([[i / 200, i % 19 / 20, i / 200 + .005, i % 19 / 20 + .01]
                       for i in range(150)])
    corners = np.concatenate([np.tile(places[:100], [20, 1]), np.tile(places[100:], [10, 1])])
    scores = np.zeros([2500, 2])
    scores[:2000] = np.stack([np.linspace(.6, .5, 2000), np.linspace(.03, .02, 2000)], axis=1)
    scores[2000:, 1] = np.linspace(.2, .1, 500)
    found = postprocess.detect(*_inputs(corners, scores))
    assert np.bincount(found.classes[0]).tolist() == [50, 100, 50]


def test_classes_do_not_suppress_each_other():
    corners = [[0, 0, .5, .5], [0, 0, .5, .5]]
    found = postprocess.detect(*_inputs(corners, [[.6, .1], [.1, .7]]))
    assert found.counts.numpy() == [2]
    assert found.classes[0, :2].numpy().tolist() == [2, 1]


def test_keep_top_k_and_threshold():
    corners = [[i / 10, 0, i / 10 + .05, .1] for i in range(10)]
    scores = np.arange(1, 11)[:, None] / 20
    found = postprocess.detect(*_inputs(corners, scores), keep_top_k=3)
    np.testing.assert_allclose(found.scores[0], [.5, .45, .4], atol=1e-6)
    found = postprocess.detect(*_inputs(corners, scores), score_threshold=.37)
    assert found.counts.numpy() == [3]


def test_score_at_the_threshold_is_dropped():
    # Even logits of background and one class: the score is exactly .5.
    defaults = np.array([[.5, .5, .2, .2]], 'f')
    outputs = np.zeros((1, 1, 2), 'f'), np.zeros((1, 1, 4), 'f'), defaults
    counts = [postprocess.detect(*outputs, score_threshold=bound).counts[0] for bound in (.49, .5)]
    assert counts == [1, 0]


def test_nothing_found():
    found = postprocess.detect(*_inputs([[0, 0, 1, 1]], [[.001]]))
    assert found.counts.numpy() == [0]
    assert not found.boxes.numpy().any()
    assert not found.classes.numpy().any()
    assert found.boxes.shape == (1, 200, 4)


def test_boxes_are_clipped_to_the_image():
    found = postprocess.detect(*_inputs([[-.2, -.1, 1.2, .5]], [[.9]]))
    np.testing.assert_allclose(found.boxes[0, 0], [0, 0, 1, .5], atol=1e-6)


def test_empty_batch():
    found = postprocess.detect(tf.zeros([0, 5, 3]), tf.zeros([0, 5, 4]),
                               np.ones((5, 4), np.float32))
    assert found.boxes.shape == (0, 200, 4)
