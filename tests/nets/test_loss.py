"""The multibox loss, by hand and in its corner cases."""
import math

import numpy as np
import pytest
import tensorflow as tf

from nets import loss


def test_an_image_without_objects_keeps_the_least_number_of_negatives():
    losses = tf.constant([[1., 3, 2, 5], [4., 1, 2, 3]])
    positive = tf.constant([[False] * 4, [True, False, False, False]])
    found = loss.hard_negatives(losses, positive, 1., least=2)
    assert found.numpy().tolist() == [[False, True, False, True], [False, False, True, True]]
    assert not loss.hard_negatives(losses, positive, 0.).numpy().any()
    assert loss.hard_negatives(losses, positive, 0., least=9).numpy().sum() == 4 + 3


def test_images_without_objects_teach_with_min_negatives_alone():
    logits = tf.Variable(tf.zeros([1, 3, 2]))
    for least, expected in ((0, 0.), (2, 2 * math.log(2))):
        with tf.GradientTape() as tape:
            found = loss.multibox_loss(logits, tf.zeros([1, 3, 4]), tf.zeros([1, 3], tf.int32),
                                       tf.zeros([1, 3, 4]), min_negatives=least)
        assert found['confidence'].numpy() == pytest.approx(expected)
        gradient = tape.gradient(found['confidence'], logits).numpy()
        # Of equal losses the first ones; each pushes the background's logit up by 1/2.
        assert gradient[0, :, 0].tolist() == ([-.5, -.5, 0] if least else [0, 0, 0])


@pytest.mark.parametrize('matched, images, ratio, least, expected', [
    (10., 4., 3., 0, 10), (0., 4., 3., 0, 1), (0., 32., 3., 3, 32), (40., 32., 3., 3, 40),
    (0., 4., .5, 3, 12), (0., 0., 3., 3, 1)])
def test_the_divisor_has_a_floor_with_min_negatives(matched, images, ratio, least, expected):
    assert loss.divisor(matched, images, ratio, least).numpy() == expected


def test_smooth_l1_by_hand():
    np.testing.assert_allclose(loss.smooth_l1(tf.constant([0., .5, -1, 2])), [0, .125, .5, 1.5])


def test_hard_negatives_are_the_largest_losses_per_image():
    losses = tf.constant([[5., 1, 9, 2, 3, 4], [1., 2, 3, 4, 5, 6]])
    positive = tf.constant([[True, False, False, False, False, False], [False] * 6])
    found = loss.hard_negatives(losses, positive, 3.)
    assert found.numpy().tolist() == [[False, False, True, False, True, True], [False] * 6]


def test_hard_negatives_count_is_exact_with_ties():
    positive = np.zeros((1, 100), bool)
    positive[0, :7] = True
    found = loss.hard_negatives(tf.ones([1, 100]), tf.constant(positive), 3.)
    assert int(tf.reduce_sum(tf.cast(found, tf.int32))) == 21
    assert not (found.numpy() & positive).any()


def test_hard_negatives_end_at_the_unmatched():
    found = loss.hard_negatives(tf.constant([[1., 2, 3]]), tf.constant([[True, True, False]]), 3.)
    assert found.numpy().tolist() == [[False, False, True]]


def test_loss_by_hand():
    # One matched box with even logits over 3 classes; one unmatched one, which is kept as
    # negative: 2 log 3 in all.
    logits, offsets = tf.zeros([1, 2, 3]), tf.constant([[[.5, 0, 0, 0], [9., 9, 9, 9]]])
    inputs = logits, offsets, tf.constant([[2, 0]]), tf.zeros([1, 2, 4])
    terms = loss.multibox_loss(*inputs)
    assert list(terms) == ['confidence', 'localization']
    assert terms['confidence'].numpy() == pytest.approx(2 * math.log(3))
    assert terms['localization'].numpy() == pytest.approx(.125)
    # One matched box of the four of a whole batch.
    terms = loss.multibox_loss(*inputs, matched=4.)
    assert terms['confidence'].numpy() == pytest.approx(2 * math.log(3) / 4)
    assert terms['localization'].numpy() == pytest.approx(.125 / 4)


def test_loss_equals_numpy():
    random = np.random.RandomState(0)
    logits, offsets = random.randn(3, 50, 4).astype('f'), random.randn(3, 50, 4).astype('f')
    targets, classes = random.randn(3, 50, 4).astype('f'), random.randint(0, 4, (3, 50)) * (
        random.rand(3, 50) < 0.1
    )
    log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    cross = -np.take_along_axis(log_p, classes[..., None], -1)[..., 0]
    confidence = localization = 0.
    for image in range(3):
        positive = classes[image] > 0
        confidence += (
            cross[image][positive].sum()
            + np.sort(cross[image][~positive])[::-1][: 3 * positive.sum()].sum()
        )
        x = np.abs(offsets[image] - targets[image])[positive]
        localization += np.where(x < 1, x * x / 2, x - .5).sum()
    found = loss.multibox_loss(logits, offsets, classes.astype('i'), targets)
    count = (classes > 0).sum()
    np.testing.assert_allclose([found['confidence'], found['localization']],
                               [confidence / count, localization / count], rtol=1e-5)


def test_images_without_objects_cost_nothing_and_are_finite():
    logits = tf.Variable(tf.random.normal([2, 10, 3]))
    with tf.GradientTape() as tape:
        terms = loss.multibox_loss(
            logits, tf.zeros([2, 10, 4]), tf.zeros([2, 10], tf.int32), tf.zeros([2, 10, 4]))
    assert (terms['confidence'].numpy(), terms['localization'].numpy()) == (0, 0)
    assert np.isfinite(tape.gradient(terms['confidence'], logits).numpy()).all()
