"""Pixel conventions with literal values, and that each is undone by its inverse."""
import numpy as np
import pytest
import tensorflow as tf

from preprocessing import normalize


@pytest.mark.parametrize('normalization, colour, expected', [
    ('vgg', [0, 0, 0], [-123.68, -116.78, -103.94]),
    ('vgg', [255, 255, 255], [131.32, 138.22, 151.06]),
    ('caffe', [255, 0, 128], [132, -117, 24]),
    ('inception', [0, 0, 0], [-1, -1, -1]),
    ('inception', [255, 51, 204], [1, -.6, .6]),
])
def test_literal_values(normalization, colour, expected):
    found = normalize.normalize(np.array([[colour]], np.uint8), normalization)
    assert found.dtype == tf.float32 and found.shape == [1, 1, 3]
    np.testing.assert_allclose(found[0, 0], expected, atol=1e-5)


@pytest.mark.parametrize('normalization', normalize.NORMALIZATIONS)
def test_every_level_comes_back(normalization):
    levels = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    back = normalize.denormalize(normalize.normalize(levels, normalization), normalization)
    assert back.dtype == tf.uint8
    np.testing.assert_array_equal(back, levels)


def test_denormalize_clips():
    np.testing.assert_array_equal(
        normalize.denormalize(np.array([[-2.0, 0.0, 2.0]], np.float32), 'inception'),
        [[0, 128, 255]],
    )


@pytest.mark.parametrize('normalization', normalize.NORMALIZATIONS)
def test_mean_colour_becomes_zero(normalization):
    colour = np.array(normalize.mean_colour(normalization), np.float32)
    np.testing.assert_allclose(normalize.normalize(colour, normalization), [0, 0, 0], atol=1e-6)


def test_half_precision_is_rounded_once():
    levels = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    found = normalize.normalize(levels, 'vgg', tf.bfloat16)
    assert found.dtype == tf.bfloat16
    np.testing.assert_array_equal(found, tf.cast(normalize.normalize(levels, 'vgg'), tf.bfloat16))


def test_unknown_convention_lists_the_known():
    with pytest.raises(ValueError, match="'torch'; known: vgg, caffe, inception"):
        normalize.mean_colour('torch')
