"""Detections: Caffe's and tensorflow/models' suppression cases, limits, and empty results."""
import numpy as np
import tensorflow as tf

from nets import boxes, postprocess


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


def test_top_k_counts_candidates_before_suppression():
    # As above with nms_top_k 2: only boxes 0 and 1 enter, and 0 drops 1.
    corners = [[.1, .1, .3, .3], [.1, .2, .3, .4], [0, .2, .2, .4], [.2, .1, .4, .4]]
    found = postprocess.detect(*_inputs(corners, [[.8], [.7], [.4], [.5]]), nms_threshold=.3,
                               nms_top_k=2)
    assert found.counts.numpy() == [1]


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
