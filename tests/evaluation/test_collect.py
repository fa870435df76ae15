"""Detections of batches, and the log of evaluations."""
import datetime
import json

import numpy as np
import pytest
import tensorflow as tf

from evaluation import collect
from evaluation import voc as voc_eval
from evaluation.voc import Detection, GroundTruth

BOX = np.array([[0., 0, 10, 10]])


def _result():
    truth = GroundTruth(BOX, np.array([1]), np.array([False]))
    return voc_eval.evaluate(
        {'i': Detection(BOX, np.array([1]), np.array([0.9]))}, {'i': truth}, ('cat', 'dog')
    )


def _batch(*ids):
    count = len(ids)
    return {
        'images': tf.zeros([count, 4, 4, 3], tf.uint8),
        'ids': tf.constant(ids),
        'heights': tf.fill([count], 50),
        'widths': tf.fill([count], 100),
        'boxes': tf.constant([[[0.0, 0, 1, 1], [0.1, 0.2, 0.5, 0.6], [0, 0, 0, 0]]] * count),
        'labels': tf.constant([[2, 1, 0]] * count),
        'difficult': tf.constant([[False, True, False]] * count),
        'crowd': tf.constant([[True, False, False]] * count),
    }


def _detect(images):
    count = len(images)
    return (
        tf.constant([[[0.0, 0, 0.5, 1], [0, 0, 0, 0]]] * count),
        tf.constant([[0.9, 0]] * count),
        tf.constant([[2, 0]] * count),
        tf.fill([count], 1),
    )


def test_boxes_become_pixels_of_the_image_and_padding_goes():
    found = collect.detect_all(_detect, [_batch('a', 'b')])
    assert found.images_per_second is None and list(found.detections) == list(
        found.ground_truths
    ) == ['a', 'b']
    detection, truth = found.detections['b'], found.ground_truths['b']
    assert detection.boxes.tolist() == [[0, 0, 25, 100]]
    assert (detection.labels.tolist(), detection.scores.tolist()) == ([2], [pytest.approx(.9)])
    np.testing.assert_allclose(truth.boxes, [[0, 0, 50, 100], [5, 20, 25, 60]], rtol=1e-6)
    assert (truth.labels.tolist(), truth.difficult.tolist()) == ([2, 1], [False, True])
    assert truth.crowd.tolist() == [True, False]


@pytest.mark.parametrize('side', [32, 96])
def test_whole_pixels_are_whole_again(side):
    """As float32 a side of 32 pixels is often 32.00001, which COCO does not count as small."""
    corners = np.random.default_rng(0).integers(0, 200, [200, 2])
    edges = np.concatenate([corners, corners + side], axis=1)
    scale = np.array([333., 500, 333, 500])
    boxes = (edges / scale).astype(np.float32)
    assert ((boxes * scale)[:, 2:] - (boxes * scale)[:, :2]).prod(axis=1).max() > side * side
    batch = {'images': tf.zeros([1, 4, 4, 3], tf.uint8), 'ids': tf.constant(['a']),
             'heights': tf.constant([333]), 'widths': tf.constant([500]),
             'boxes': tf.constant(boxes[None]), 'labels': tf.ones([1, 200], tf.int32),
             'difficult': tf.fill([1, 200], False), 'crowd': tf.fill([1, 200], False)}
    truth = collect.detect_all(_detect, [batch]).ground_truths['a']
    assert truth.boxes.tolist() == edges.tolist()


def test_classes_go_by_their_names():
    boxes = np.arange(12.).reshape(3, 4)
    found = collect.Found(
        {'i': Detection(boxes, np.array([3, 1, 2]), np.array([.9, .8, .7]))},
        {'i': GroundTruth(boxes, np.array([2, 1, 2]), np.array([False, False, True]))}, 5.)
    # The detector knows dog, person and cat, the records know flag and cat.
    same = found.of_classes(('cat',), ('dog', 'person', 'cat'), ('flag', 'cat'))
    detection, truth = same.detections['i'], same.ground_truths['i']
    assert (detection.labels.tolist(), detection.scores.tolist()) == ([1], [.9])
    assert detection.boxes.tolist() == [[0, 1, 2, 3]] and detection.ranks is None
    assert (truth.labels.tolist(), truth.difficult.tolist()) == ([1, 1], [False, True])
    assert truth.boxes.tolist() == [[0, 1, 2, 3], [8, 9, 10, 11]] and truth.crowd is None
    assert same.images_per_second == 5
    nothing = found.of_classes((), ('dog', 'person', 'cat'), ('flag', 'cat'))
    assert nothing.detections['i'].boxes.shape == (0, 4)


def test_speed_is_that_of_all_batches_but_the_first():
    assert collect.detect_all(_detect, [_batch('a'), _batch('b')]).images_per_second > 0
    few = collect.detect_all(_detect, [_batch('a', 'b'), _batch('c')])
    assert few.images_per_second is None and len(few.detections) == 3
    assert collect.detect_all(_detect, []) == collect.Found({}, {}, None)


def test_every_evaluation_adds_one_line(tmp_path):
    for step in (10, 20):
        collect.append_to_log(
            tmp_path / 'ssd', _result(), checkpoint=None, step=step, records='test', images=1
        )
    lines = [
        json.loads(line) for line in (tmp_path / 'ssd/evaluations.jsonl').read_text().splitlines()
    ]
    assert [line['step'] for line in lines] == [10, 20]
    assert datetime.datetime.fromisoformat(lines[0].pop('time')).tzinfo
    assert lines[0] == {
        'checkpoint': None,
        'step': 10,
        'records': 'test',
        'images': 1,
        'mean_ap_07': 1,
        'mean_ap_area': 1,
        'ap_07': {'cat': 1, 'dog': None},
        'ap_area': {'cat': 1, 'dog': None},
    }


def test_a_log_that_cannot_be_written(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(OSError, match='file'):
        collect.append_to_log(tmp_path / 'file', _result())


def test_nan_becomes_null():
    assert collect.without_nan({'a': [1, float('nan'), 'b'], 'c': {'d': np.float64('nan')}}) == {
        'a': [1, None, 'b'], 'c': {'d': None}}
