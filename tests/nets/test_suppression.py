"""Suppression in operations of the GPU: what TensorFlow's own finds, to the last bit."""
import numpy as np
import pytest

from nets import boxes, postprocess, suppression
from nets.slim_compat import tf

BOXES = 900


def _outputs(seed=0, images=2, classes=4, background=0.):
    """Random logits, offsets and default boxes; without a background most scores are high."""
    random = np.random.default_rng(seed)
    logits = random.normal(size=[images, BOXES, classes]) + np.eye(classes)[0] * background
    offsets = random.normal(size=[images, BOXES, 4])
    defaults = random.uniform(.05, .95, [BOXES, 4]) * [1, 1, .3, .3]
    return [values.astype(np.float32) for values in (logits, offsets, defaults)]


def _both(*outputs, **limits):
    """Detections with TensorFlow's suppression and with that for GPUs, as arrays."""
    return [postprocess.Detections(*(values.numpy() for values in postprocess.detect(
        *outputs, on_gpu=on_gpu, **limits))) for on_gpu in (False, True)]


def _assert_equal(*outputs, **limits):
    one, other = _both(*outputs, **limits)
    for name, expected in one._asdict().items():
        found = getattr(other, name)
        np.testing.assert_array_equal(found, expected, err_msg=name)
        assert found.dtype == expected.dtype
    return other.counts.tolist()


@pytest.mark.parametrize('background', [-2, 0, 4, 9])
def test_random_boxes(background):
    # From 900 candidates in each class to none.
    counts = _assert_equal(*_outputs(images=3, background=background))
    assert counts == [200] * 3 if background < 9 else max(counts) < 30


@pytest.mark.parametrize('limits', [
    *({'nms_top_k': top_k} for top_k in (5, 100, 900, 100_000)),
    *({'score_threshold': threshold} for threshold in (0., .3, 1.)),
    *({'nms_threshold': threshold} for threshold in (0., .1, 1.)),
    *({'keep_top_k': kept} for kept in (1, 1000, 5000))], ids=str)
def test_limits(limits):
    counts = _assert_equal(*_outputs(), **limits)
    assert (counts == [0, 0]) == (limits == {'score_threshold': 1.})


def test_outputs_of_a_network_in_bfloat16():
    logits, offsets, defaults = _outputs()
    rounded = [tf.cast(values, tf.bfloat16) for values in (logits * 4, offsets)]
    assert _assert_equal(*rounded, defaults) == [200, 200]


def _among_others(values):
    """Of two images the first; the other one is as it was."""
    logits, offsets, defaults = _outputs()
    logits[0], offsets[0] = values(logits[0], offsets[0])
    return logits, offsets, defaults


@pytest.mark.parametrize('values, counts', [
    (lambda logits, offsets: (logits * np.nan, offsets * np.nan), [0, 200]),
    (lambda logits, offsets: (np.where(np.arange(BOXES)[:, None] % 7, logits, np.nan), offsets),
     [200, 200]),
    (lambda logits, offsets: (logits, np.where(np.arange(BOXES)[:, None] % 7, offsets, np.nan)),
     [200, 200]),
    (lambda logits, offsets: (logits, offsets * 1000), [200, 200])],
    ids=['image', 'scores', 'boxes', 'huge boxes'])
def test_nan_and_infinity_beside_a_good_image(values, counts):
    assert _assert_equal(*_among_others(values)) == counts


def test_empty_batch_and_a_single_box():
    logits, offsets, defaults = _outputs()
    assert _assert_equal(logits[:0], offsets[:0], defaults) == []
    assert _assert_equal(logits[:, :1], offsets[:, :1], defaults[:1]) == [3, 3]


def _row(count, step):
    """Boxes of 1 x step / 2 side by side, each a step to the right: neighbours do not touch."""
    left = np.arange(count) * step
    return np.stack([0 * left, left, 0 * left + 1, left + step / 2], axis=1).astype(np.float32)


def _with_scores(corners, scores):
    """Outputs of boxes without offsets, of one class."""
    scores = np.asarray(scores)[None, :, None]
    return (np.log(np.concatenate([1 - scores, scores], axis=2)).astype(np.float32),
            np.zeros([1, len(corners), 4], np.float32), boxes.corners_to_centers(corners))


def _chain(count):
    """Boxes of which each overlaps the next by a third, and no other."""
    corners = _row(count, 1 / (2 * count))
    corners[:, 3] = corners[:, 1] + 1 / count
    return corners


def test_a_chain_of_400_keeps_every_second_box():
    best_first = np.linspace(.9, .5, 400)
    mixed = np.random.default_rng(0).permutation(best_first)
    for scores, count in ((best_first, 200), (best_first[::-1], 200), (mixed, 170)):
        assert _assert_equal(*_with_scores(_chain(400), scores), nms_threshold=.3,
                             keep_top_k=400) == [count]


def test_turns_are_as_many_as_the_longest_chain_has_links(monkeypatch):
    turns = []

    def counted(goes_on, turn, values):
        while goes_on(*values):
            values = turn(*values)
            turns.append(int(values[0].numpy().sum()))
        return values

    monkeypatch.setattr(tf, 'while_loop', counted)
    given = tf.constant(_chain(6))[None], tf.ones([1, 6], tf.bool)
    assert suppression._kept(given, .3).numpy().tolist() == [[True, False] * 3]
    # Kept in each turn: the first; without the second; the third again without those behind it; ...
    assert turns == [1, 5, 2, 4, 3, 3]


def test_of_boxes_that_score_alike_the_first_default_box_is_kept():
    # Three groups of 100 boxes in one place; the last one scores higher.
    place = np.float32([[0, 0, .2, .2], [.4, .4, .6, .6], [.8, .8, 1, 1]])
    moved = np.linspace(0, .01, 100, dtype=np.float32)
    corners = np.repeat(place, 100, axis=0) + np.tile(moved, 3)[:, None]
    found = _both(*_with_scores(corners, np.repeat([.5, .5, .75], 100)))[1]
    assert found.counts.tolist() == [3]
    np.testing.assert_allclose(found.boxes[0, :3], place[[2, 0, 1]], atol=1e-6)
    # Of 10 boxes apart that score alike, the first 4 are best; and of classes the first.
    apart = _with_scores(_row(10, .1), np.full(10, .5))
    found = _both(*apart, nms_top_k=4)[1]
    np.testing.assert_allclose(found.boxes[0, :4, 1], [0, .1, .2, .3], atol=1e-6)
    found = _both(np.zeros([1, 10, 3], 'f'), *apart[1:], keep_top_k=15)[1]
    assert found.classes[0].tolist() == [1] * 10 + [2] * 5
    # Where they neither overlap nor are too many, TensorFlow finds the same in another order.
    one, other = (np.sort(each.boxes[0, :, 1]) for each in _both(*apart))
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize('images', [0, 1, 5])
def test_slices_do_not_change_the_result(monkeypatch, images):
    outputs = _outputs(images=images)
    expected = _both(*outputs, nms_top_k=50)[1]
    for rows in (0, 1, 2, 4, 100):  # of 3 classes in each image; 0: a row has more pairs already
        monkeypatch.setattr(suppression, 'PAIRS', rows * 50 ** 2 + 99)
        for values, found in zip(expected, _both(*outputs, nms_top_k=50)[1], strict=True):
            np.testing.assert_array_equal(found, values)


def test_a_class_of_too_many_boxes_stays_on_the_cpu(monkeypatch):
    monkeypatch.setattr(postprocess, 'has_gpu', lambda: True)
    limits = [postprocess.Limits(nms_top_k=top_k) for top_k in (400, 5792, 5793, 1_000_000)]
    assert [postprocess.suppresses_on_gpu(each, 24564) for each in limits] == [
        True, True, False, False]
    assert postprocess.suppresses_on_gpu(limits[-1], 2000)
    monkeypatch.setattr(postprocess, 'has_gpu', lambda: False)
    assert not postprocess.suppresses_on_gpu(limits[0], 8732)


def test_xla_compiles_it():
    logits, offsets, defaults = _outputs(classes=3)
    compiled = tf.function(
        lambda *outputs: postprocess.detect(*outputs, defaults, on_gpu=True, nms_top_k=60),
        autograph=False, jit_compile=True)
    expected = _both(logits, offsets, defaults, nms_top_k=60)[0]
    for found, values in zip(compiled(logits, offsets), expected, strict=True):
        np.testing.assert_allclose(found, values, atol=1e-6)
