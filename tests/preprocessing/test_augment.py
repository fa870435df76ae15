"""Augmentation: geometry by literal values and a drawn object, colours against OpenCV."""

import cv2
import numpy as np
import pytest
import tensorflow as tf

from preprocessing import augment, pipeline

GREEN = (0., 255., 0.)
NONE = np.zeros([0, 4], np.float32)


def seeds(count):
    return [tf.constant([7, number], tf.int64) for number in range(count)]


def run(image, boxes, seed, labels=None, size=60, **parts):
    labels = np.arange(1, len(boxes) + 1) if labels is None else labels
    return augment.augment(
        image, np.float32(boxes).reshape(-1, 4), labels, seed, image_size=size, fill=GREEN, **parts
    )


# Windows and boxes

def test_project_and_compose():
    boxes = np.array([[.5, .5, 1, 1]], np.float32)
    np.testing.assert_allclose(
        augment.project(boxes, tf.constant([-1.0, -1, 1, 3])), [[0.75, 0.375, 1, 0.5]]
    )
    np.testing.assert_allclose(
        augment.compose(tf.constant([-1.0, -1, 1, 3]), tf.constant([0.5, 0.25, 1, 0.5])),
        [0, 0, 1, 1],
    )
    assert augment.project(NONE, tf.constant([0., 0, 1, 1])).shape == [0, 4]


def test_project_undoes_compose():
    outer, inner = tf.constant([.1, -.4, 1.3, .9]), tf.constant([.2, .3, .5, .9])
    np.testing.assert_allclose(
        augment.project(augment.compose(outer, inner)[None], outer)[0], inner, atol=1e-6
    )


def test_flip_boxes():
    np.testing.assert_allclose(
        augment.flip_boxes(tf.constant([[0.1, 0.2, 0.3, 0.5]])), [[0.1, 0.5, 0.3, 0.8]], atol=1e-6
    )
    assert augment.flip_boxes(tf.constant(NONE)).shape == [0, 4]


@pytest.mark.parametrize('quarters, expected', [
    (0, [.1, .2, .3, .5]), (1, [.5, .1, .8, .3]), (2, [.7, .5, .9, .8]), (3, [.2, .7, .5, .9])])
def test_turn_boxes(quarters, expected):
    found = augment.turn_boxes(tf.constant([[.1, .2, .3, .5]]), quarters)
    np.testing.assert_allclose(found, [expected], atol=1e-6)
    assert augment.turn_boxes(tf.constant(NONE), quarters).shape == [0, 4]


def test_boxes_turn_with_their_pixels():
    image = np.zeros([10, 10, 3], np.float32)
    image[1:3, 2:5] = 200
    ways = set()
    for seed in range(60):
        found, boxes = augment.turned(tf.constant(image), tf.constant([[.1, .2, .3, .5]]),
                                      tf.constant([seed, 0]), True, True)
        rows, columns = np.nonzero(found[..., 0])
        expected = np.array([rows.min(), columns.min(), rows.max() + 1, columns.max() + 1]) / 10
        np.testing.assert_allclose(boxes[0], expected, atol=1e-6)
        ways.add(tuple(expected))
    assert len(ways) == 8


def test_without_turning_keys_nothing_else_is_drawn():
    image = np.arange(300).astype(np.uint8).reshape(10, 10, 3)
    boxes = tf.constant([[.1, .2, .9, .8]])
    plain, mirrored = (augment.augment(image, boxes, tf.constant([1]), tf.constant([7, 7]),
                                       image_size=10, fill=(0, 0, 0), **keys)[0].numpy()
                       for keys in ({}, {'flip_vertical': True}))
    assert (plain == mirrored).all() or (plain[::-1] == mirrored).all()


def test_objects_stay_by_their_centre():
    boxes = np.array([[-.2, .2, .4, .6],   # centre inside: clipped
                      [-.5, .2, .4, .6],   # centre outside
                      [.5, .9, .6, 1.1],   # centre on the edge
                      [.5, .5, .5, .8],    # no height
                      [.5, .5, .501, .8]], np.float32)  # thinner than 0.002
    found, labels = augment.keep_centred(tf.constant(boxes), tf.constant([1, 2, 3, 4, 5]))
    np.testing.assert_allclose(found, [[0, .2, .4, .6], [.5, .9, .6, 1]], atol=1e-6)
    assert labels.numpy().tolist() == [1, 3]
    found, labels = augment.keep_centred(tf.constant(NONE), tf.zeros([0], tf.int32))
    assert found.shape == [0, 4] and labels.shape == [0]


def test_best_overlap():
    candidates = tf.constant([[[0., 0, 1, 1], [0, 0, .5, .5], [.5, .5, 1, 1]]])
    boxes = tf.constant([[0., 0, .5, 1], [0, 0, .25, .25]])
    np.testing.assert_allclose(augment.best_overlap(candidates, boxes), [[.5, .5, 0]])
    np.testing.assert_allclose(augment.best_overlap(candidates, tf.constant(NONE)), [[0, 0, 0]])


# Samplers

def test_candidates_have_the_published_sizes():
    boxes = augment.crop_candidates(tf.constant([1, 2], tf.int64)).numpy().reshape(-1, 4)
    assert boxes.shape == (300, 4) and boxes.min() >= 0 and boxes.max() <= 1 + 1e-6
    height, width = (boxes[:, 2:] - boxes[:, :2]).T
    scale, ratio = np.sqrt(height * width), width / height
    assert .3 <= scale.min() < .35 and .95 < scale.max() <= 1
    assert .5 - 1e-4 <= ratio.min() < .6 and 1.8 < ratio.max() <= 2 + 1e-4


def test_every_fifth_candidate_has_a_full_side():
    # Caffe's rule, worked out: the mean over scales s of .3 to 1 of P(r < s^2 or r > 1 / s^2), r
    # uniform in .5 to 2, is 0.215.
    boxes = np.concatenate(
        [augment.crop_candidates(seed).numpy().reshape(-1, 4) for seed in seeds(40)]
    )
    full = np.any(boxes[:, 2:] - boxes[:, :2] > 1 - 1e-5, axis=1)
    assert full.mean() == pytest.approx(.215, abs=.02)


def test_without_objects_nothing_is_cropped():
    for seed in seeds(20):
        assert augment.crop_window(tf.constant(NONE), seed).numpy().tolist() == [0, 0, 1, 1]


def test_crops_are_the_whole_image_or_contain_a_centre():
    box = np.array([[.70, .70, .72, .72]], np.float32)  # too small for every minimum overlap
    crop = tf.function(augment.crop_window)
    found = np.array([crop(box, seed) for seed in seeds(200)])
    cropped = found[np.any(found != [0, 0, 1, 1], axis=1)]
    assert ((cropped[:, :2] <= .71) & (cropped[:, 2:] >= .71)).all()
    # Two samplers of seven are satisfied: the whole image and the random patch.
    assert .35 < len(cropped) / 200 < .65


def test_produced_crops_are_equally_likely():
    crop = tf.function(augment.crop_window)
    found = np.array([crop(np.array([[0, 0, 1, 1]], np.float32), seed) for seed in seeds(300)])
    area = np.prod(found[:, 2:] - found[:, :2], axis=1)
    # The object is the whole image, so that a crop's area is its IoU.
    assert .08 < np.mean(area == 1) < .22  # one of seven
    assert .17 < np.mean(area >= .9) < .42  # that one, the sampler of 0.9, and now and then another
    assert area.min() < .3  # the samplers of 0, 0.1


def test_zoom_out_is_published():
    found = np.array([augment.zoom_out_window(seed) for seed in seeds(200)])
    whole = np.all(found == [0, 0, 1, 1], axis=1)
    assert .4 < whole.mean() < .6
    sides = (found[:, 2:] - found[:, :2])[~whole]
    np.testing.assert_allclose(sides[:, 0], sides[:, 1], rtol=1e-5)
    assert 1 <= sides.min() < 1.3 and 3.7 < sides.max() <= 4
    assert (found[:, :2] <= 0).all() and (found[:, 2:] >= 1 - 1e-5).all()  # the image lies inside
    assert np.ptp(augment.zoom_out_window(seeds(200)[~whole.argmax()], 1.5)[::2]) <= 1.5


# Pixels

def test_what_lies_outside_is_marked():
    image = np.full([20, 40, 3], 200, np.uint8)
    found = augment.read_window(image, tf.constant([-1., -1, 2, 2]), 30).numpy()
    expected = np.full([30, 30, 3], -1.)
    expected[10:20, 10:20] = 200
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_fill_is_the_exact_colour_also_under_distortion():
    image, inside = np.full([20, 40, 3], 200, np.uint8), []
    for seed in seeds(12):
        window = augment.zoom_out_window(tf.random.split(seed, 4)[0])
        found = run(image, NONE, seed, crop=False)[0].numpy()
        if np.any(window.numpy() < 0):
            ys, xs = np.nonzero((found == [0, 255, 0]).all(-1))
            assert len(ys) / 3600 == pytest.approx(
                1 - 1 / np.prod(window[2:] - window[:2]), abs=0.08
            )
            inside.append(tuple(found[(found != [0, 255, 0]).any(-1)][0]))
        else:
            assert not (found == [0, 255, 0]).all(-1).any()
    assert len(set(inside)) >= 3  # what is not fill is distorted


@pytest.mark.parametrize('height, width', [(40, 33), (59, 31), (20, 80), (300, 400), (1, 1)])
def test_mirrored_reading_equals_reversing(height, width):
    image = np.random.RandomState(0).randint(0, 256, [height, width, 3]).astype(np.uint8)
    for window in ([0., 0, 1, 1], [.25, 0, .75, 1], [-.5, -.25, 1.25, 1.5]):
        plain = augment.read_window(image, tf.constant(window), 30).numpy()
        mirrored = augment.read_window(image, tf.constant(window), 30, True).numpy()
        np.testing.assert_allclose(mirrored, plain[:, ::-1], atol=.5)
        if window[0] >= 0:
            assert plain.min() >= 0  # no seam along the edges


def test_window_equals_resizing_the_slice():
    image = np.random.RandomState(0).randint(0, 256, [80, 100, 3]).astype(np.uint8)
    found = augment.read_window(
        image, tf.constant([0.25, 0.2, 0.75, 0.7]), 30
    )  # 40 x 50 pixels from row 20, column 20 on
    expected = tf.image.resize(image[20:60, 20:70], [30, 30])
    np.testing.assert_allclose(found, expected, atol=.01)


def test_training_and_test_see_the_same_pixels():
    image = np.random.RandomState(0).randint(0, 256, [90, 110, 3]).astype(np.uint8)
    np.testing.assert_allclose(augment.read_window(image, tf.constant([0., 0, 1, 1]), 60),
                               pipeline.resize_image(image, 60), atol=.51)


def test_large_images_do_not_alias():
    # Noise of standard deviation 74: the mean over 20 x 20 pixels has 3.7, over 12 x 16 pixels
    # 5.3, a sample about 50.
    image = np.random.RandomState(0).randint(0, 256, [1200, 1200, 3]).astype(np.uint8)
    for window in ([0., 0, 1, 1], [.2, .1, .8, .9]):
        assert augment.read_window(image, tf.constant(window), 60).numpy().std() < 6
    assert pipeline.resize_image(image, 60).numpy().std() < 6


@pytest.mark.parametrize('height, width', [(90, 120), (300, 260), (40, 50)])
def test_boxes_follow_the_pixels(height, width):
    """A red object on blue ground is found where the box says, whatever was done to the image."""
    box = [.3, .4, .6, .8]
    image = np.full([height, width, 3], [0, 0, 255], np.uint8)
    image[int(.3 * height):int(.6 * height), int(.4 * width):int(.8 * width)] = [255, 0, 0]
    follow = tf.function(lambda seed: run(image, [box], seed, [5], 100, distort=False))
    for seed in seeds(30):
        found, boxes, labels = (value.numpy() for value in follow(seed))
        assert labels.tolist() == [5]
        ys, xs = np.nonzero(found[..., 0] > 127)
        np.testing.assert_allclose(
            boxes[0] * 100, [ys.min(), xs.min(), ys.max() + 1, xs.max() + 1], atol=2.5
        )


# Colours

@pytest.fixture(scope='module')
def colours():
    image = np.random.RandomState(3).uniform(0, 255, [40, 40, 3]).astype(np.float32)
    image[0, :4] = [[0, 0, 0], [255, 255, 255], [80, 80, 80], [255, 0, 0]]
    return image


def through_hsv(image, change):
    """OpenCV's float HSV: hue in degrees, saturation 0..1."""
    hsv = cv2.cvtColor(image / 255, cv2.COLOR_RGB2HSV)
    return cv2.cvtColor(change(hsv), cv2.COLOR_HSV2RGB) * 255


@pytest.mark.parametrize('factor', [.5, 1., 1.5])
def test_saturation_equals_opencv(colours, factor):
    def change(hsv):
        hsv[..., 1] = np.minimum(hsv[..., 1] * factor, 1)
        return hsv

    np.testing.assert_allclose(
        tf.image.adjust_saturation(colours, factor), through_hsv(colours, change), atol=0.02
    )


@pytest.mark.parametrize('turns', [-.1, 0., .1])
def test_hue_equals_opencv(colours, turns):
    def change(hsv):
        hsv[..., 0] = (hsv[..., 0] + 360 * turns) % 360
        return hsv

    np.testing.assert_allclose(
        tf.image.adjust_hue(colours, turns), through_hsv(colours, change), atol=0.02
    )


def test_brightness_and_contrast():
    image = tf.constant([[[0., 100, 250]]])
    assert augment.adjust_brightness(image, 32.).numpy().tolist() == [[[32, 132, 255]]]
    assert augment.adjust_brightness(image, -32.).numpy().tolist() == [[[0, 68, 218]]]
    assert augment.adjust_contrast(image, 1.5).numpy().tolist() == [[[0, 150, 255]]]
    assert augment.adjust_contrast(image, .5).numpy().tolist() == [[[0, 50, 125]]]


def test_distorted_colours_stay_in_range_and_sometimes_unchanged(colours):
    distort = tf.function(augment.distort_colours)
    found = np.array([distort(colours, seed) for seed in seeds(100)])
    assert found.min() >= 0 and found.max() <= 255
    assert np.isfinite(found).all()
    assert (
        1 <= sum((one == colours).all() for one in found) <= 14
    )  # one of 16 gets none of the four


# The whole

def test_same_seed_same_bits_eager_or_traced():
    image = np.random.RandomState(0).randint(0, 256, [70, 90, 3]).astype(np.uint8)
    boxes = [[.1, .1, .5, .6], [.4, .3, .9, .9]]
    traced = tf.function(lambda seed: run(image, boxes, seed))
    results = [[value.numpy() for value in run(image, boxes, seed)] for seed in seeds(8)]
    for seed, expected in zip(seeds(8), results, strict=True):
        for one, other in zip(traced(seed), expected, strict=True):
            np.testing.assert_array_equal(one, other)
    assert len({image.tobytes() for image, *_ in results}) == 8


def test_everything_off_is_plain_resizing():
    image = np.random.RandomState(0).randint(0, 256, [70, 90, 3]).astype(np.uint8)
    found, boxes, labels = run(
        image,
        [[0.1, 0.1, 0.5, 0.6]],
        seeds(1)[0],
        distort=False,
        zoom_out=False,
        crop=False,
        flip=False,
    )
    assert found.dtype == tf.uint8 and found.shape == [60, 60, 3] and boxes.dtype == tf.float32
    np.testing.assert_allclose(
        found.numpy().astype(int), pipeline.resize_image(image, 60).numpy().astype(int), atol=1
    )
    np.testing.assert_allclose(boxes, [[.1, .1, .5, .6]])
    assert labels.numpy().tolist() == [1]


def test_some_object_always_stays():
    image = np.zeros([8, 8, 3], np.uint8)
    boxes = [[.0, .0, .1, .1], [.8, .9, 1., 1.]]
    traced = tf.function(lambda seed: run(image, boxes, seed, size=8, distort=False)[1:])
    for seed in seeds(150):
        found, labels = (value.numpy() for value in traced(seed))
        assert 1 <= len(labels) <= 2 and len(found) == len(labels)
        assert (found >= 0).all() and (found <= 1).all() and (found[:, 2:] > found[:, :2]).all()


def test_no_objects():
    image = np.full([30, 30, 3], 9, np.uint8)
    for seed in seeds(5):
        found, boxes, labels = run(image, NONE, seed)
        assert found.shape == [60, 60, 3] and boxes.shape == [0, 4] and labels.shape == [0]
