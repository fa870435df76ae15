"""SSD's augmentation of one image, as stateless functions of a seed.

Source: SSD paper section 2.2 "Data augmentation" and the "expansion" of its later version; weiliu89/caffe, branch ssd,
examples/ssd/ssd_pascal.py (train_transform_param, batch_sampler), src/caffe/util/im_transforms.cpp, sampler.cpp.

The published order is distort, expand, crop, resize, mirror: three copies of the large image. Expansion, crop and mirror are
one box here, in units of the original image and possibly reaching outside it; one `crop_and_resize` reads that box, colour works
on the small result, and what lies outside the image becomes the mean last, undistorted as in Caffe. What that changes: colours
are clipped and rounded after interpolation instead of before, and there is no blend of image and fill along their border.

Two more departures. Caffe's random choice among five interpolations is not taken over: all but the linear one would cost a
copy of the large image. And a crop must contain the centre of an object, see `crop_window`.
"""
from collections.abc import Sequence

import tensorflow as tf
from tensorflow.types.experimental import TensorLike

# Minimum IoU of a crop with at least one object, per sampler (ssd_pascal.py batch_sampler). The seventh sampler asks for
# a maximum IoU of 1, that is, for nothing.
CROP_OVERLAPS = (0.1, 0.3, 0.5, 0.7, 0.9, 0.0)
CROP_SCALES = (0.3, 1.0)
CROP_RATIOS = (0.5, 2.0)
CROP_TRIALS = 50
ZOOM_OUT_MAX = 4.0
WHOLE = (0., 0., 1., 1.)
BRIGHTNESS = 32.0
CONTRAST = SATURATION = (0.5, 1.5)
# In turns. Caffe adds up to 18 to OpenCV's 8-bit hue, whose full circle is 180: 36 degrees. (Ports that hold hue in degrees
# kept the number and halved the shift.) Caffe's sums saturate at 0, so that its reds turn one way only; here the circle closes.
HUE = 18 / 180
# Objects thinner than this after cropping, in units of the crop, teach nothing and make logarithms of nearly nothing.
SMALLEST_SIDE = 0.002


def augment(image: TensorLike, boxes: TensorLike, labels: TensorLike, seed: TensorLike, *, image_size: int,
            fill: Sequence[float], distort: bool = True, zoom_out: bool = True, crop: bool = True, flip: bool = True,
            zoom_out_max: float = ZOOM_OUT_MAX) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Augments one image -> (uint8 [S, S, 3], boxes float32 [R', 4], labels [R']).

    R' is at least 1 where R is, unless all objects that are left are thinner than SMALLEST_SIDE.

    Args:
        image: uint8 [H, W, 3] RGB.  boxes: float32 [R, 4] corners in [0, 1].  labels: int [R], or whatever has R rows.
        seed: int [2]; the result depends on it and on the arguments alone.
        image_size: S.  fill: RGB 0..255 of what lies outside the image.
        distort, zoom_out, crop, flip: which parts to do.  zoom_out_max: largest ratio of zoom-out.
    """
    seeds = tf.unstack(tf.random.split(tf.cast(seed, tf.int64), 4), num=4)
    window = zoom_out_window(seeds[0], zoom_out_max) if zoom_out else tf.constant(WHOLE)
    if crop:
        window = compose(window, crop_window(project(boxes, window), seeds[1]))
    boxes, labels = keep_centred(project(boxes, window), labels)
    mirrored = flip & (tf.random.stateless_uniform([], seeds[2]) < 0.5)
    boxes = tf.where(mirrored, flip_boxes(boxes), boxes)
    found = read_window(image, window, image_size, mirrored)
    coloured = distort_colours(found, seeds[3]) if distort else found
    reaches_out = tf.reduce_any((window < 0) | (window > 1))
    image = tf.cond(reaches_out, lambda: tf.where(found < 0, tf.constant(fill, tf.float32), coloured), lambda: coloured)
    return tf.cast(image + 0.5, tf.uint8), boxes, labels  # 0..255 already: rounding is all that is left


def project(boxes: TensorLike, window: tf.Tensor) -> tf.Tensor:
    """Boxes [R, 4] in units of the image -> in units of the window [4], not clipped."""
    origin, size = tf.tile(window[:2], [2]), tf.tile(window[2:] - window[:2], [2])
    return (boxes - origin) / size


def compose(outer: tf.Tensor, inner: tf.Tensor) -> tf.Tensor:
    """A window given in units of another one -> in units of the image. Both [4] corners."""
    origin, size = tf.tile(outer[:2], [2]), tf.tile(outer[2:] - outer[:2], [2])
    return origin + inner * size


def zoom_out_window(seed: tf.Tensor, largest: float = ZOOM_OUT_MAX) -> tf.Tensor:
    """Half the time the image itself, else a window of 1 to `largest` times its sides around it: [4] in units of the image.

    seed: int [2]. im_transforms.cpp, ExpandImage.
    """
    chance, ratio, y, x = tf.unstack(tf.random.stateless_uniform([4], seed), num=4)
    ratio = 1 + ratio * (largest - 1)
    y, x = -y * (ratio - 1), -x * (ratio - 1)
    return tf.where(chance < 0.5, tf.stack([y, x, y + ratio, x + ratio]), WHOLE)


def crop_window(boxes: TensorLike, seed: tf.Tensor) -> tf.Tensor:
    """One of the crops that Caffe's samplers produce, or the whole image; all equally likely (sampler.cpp).

    Each of six samplers draws up to 50 boxes and produces the first one that at least one object overlaps by its minimum
    IoU. Without objects no sampler is satisfied. boxes: float32 [R, 4] in units of what is cropped.  seed: int [2].  -> [4].

    Beyond Caffe, the crop must contain the centre of an object, as in most later codebases. Caffe's rule left 9 % of VOC's
    images without any object, from which a loss with three negatives per matched box learns nothing.
    """
    seeds = tf.unstack(tf.random.split(seed, 2), num=2)
    candidates = crop_candidates(seeds[0])  # [6, 50, 4]
    accepted = best_overlap(candidates, boxes) >= tf.constant(CROP_OVERLAPS)[:, None]  # [6, 50]
    accepted &= tf.reduce_any(_contains(candidates[..., None, :], _centres(boxes)), axis=-1)
    first = tf.argmax(tf.cast(accepted, tf.int32), axis=1)
    crops = tf.concat([[WHOLE], tf.gather(candidates, first, batch_dims=1)], axis=0)  # [7, 4]
    produced = tf.concat([[True], tf.reduce_any(accepted, axis=1)], axis=0)
    draw = tf.where(produced, tf.random.stateless_uniform([len(CROP_OVERLAPS) + 1], seeds[1]), -1.)
    return crops[tf.argmax(draw)]


def crop_candidates(seed: tf.Tensor) -> tf.Tensor:
    """[6, 50, 4] boxes of area .3^2..1 and aspect ratio .5..2, inside the unit square, anywhere (sampler.cpp, SampleBBox)."""
    numbers = tf.random.stateless_uniform([len(CROP_OVERLAPS), CROP_TRIALS, 4], seed)
    scale = _between(numbers[..., 0], CROP_SCALES)
    # Clamped after the draw, so that neither side exceeds 1: every fifth crop has a full side. (Caffe before its commit 6feb7d99
    # of April 2017 drew inside these limits, which almost never gave one.)
    root = tf.sqrt(tf.clip_by_value(_between(numbers[..., 1], CROP_RATIOS), scale ** 2, 1 / scale ** 2))
    size = tf.minimum(tf.stack([scale / root, scale * root], axis=-1), 1.)  # rounded, a full side may exceed 1
    origin = numbers[..., 2:] * (1 - size)
    return tf.concat([origin, origin + size], axis=-1)


def best_overlap(candidates: tf.Tensor, boxes: TensorLike) -> tf.Tensor:
    """Largest IoU of each candidate [..., 4] with any of boxes [R, 4]; 0 without boxes."""
    low = tf.maximum(candidates[..., None, :2], boxes[:, :2])
    high = tf.minimum(candidates[..., None, 2:], boxes[:, 2:])
    intersection = tf.reduce_prod(tf.maximum(high - low, 0), axis=-1)
    union = _area(candidates)[..., None] + _area(boxes) - intersection
    overlaps = tf.math.divide_no_nan(intersection, union)
    return tf.maximum(tf.reduce_max(overlaps, axis=-1), 0.)


def _area(boxes):
    return tf.reduce_prod(boxes[..., 2:] - boxes[..., :2], axis=-1)


def _centres(boxes):
    """[..., 4] corners -> [..., 2] y, x."""
    return (boxes[..., :2] + boxes[..., 2:]) / 2


def _contains(windows, points):
    """Whether windows [..., 4] contain points [..., 2], edges included."""
    return tf.reduce_all((points >= windows[..., :2]) & (points <= windows[..., 2:]), axis=-1)


def keep_centred(boxes: tf.Tensor, labels: TensorLike) -> tuple[tf.Tensor, tf.Tensor]:
    """Objects whose centre lies in the unit square, clipped to it (ssd_pascal.py emit_constraint CENTER), but for the too thin.

    boxes [R, 4], labels [R] -> the same of those that stay.
    """
    clipped = tf.clip_by_value(boxes, 0., 1.)
    kept = _contains(tf.constant(WHOLE), _centres(boxes))
    kept &= tf.reduce_all(clipped[:, 2:] - clipped[:, :2] >= SMALLEST_SIDE, axis=1)
    return tf.boolean_mask(clipped, kept), tf.boolean_mask(labels, kept)


def flip_boxes(boxes: tf.Tensor) -> tf.Tensor:
    """Mirror image left to right: boxes [R, 4] -> [R, 4]."""
    return tf.stack([boxes[:, 0], 1 - boxes[:, 3], boxes[:, 2], 1 - boxes[:, 1]], axis=1)


def read_window(image: TensorLike, window: tf.Tensor, image_size: int, mirrored: bool | tf.Tensor = False) -> tf.Tensor:
    """Reads a window of a uint8 image [H, W, 3] as float32 [S, S, 3]: bilinear, 0..255, and -1 outside the image.

    Args:
        window: [4] in units of the image; may reach outside.  image_size: S.  mirrored: the result is turned left to right.

    Where a pixel of the result stands for two or more of the image, the image is shrunk by averaging first, so that fine
    patterns of large pictures do not alias.
    """
    image, window = _shrunk(tf.convert_to_tensor(image), window, image_size)
    sides = tf.cast(tf.shape(image)[:2], tf.float32)
    box = _sampled_box(window, sides, image_size)
    box = tf.where(mirrored, tf.gather(box, [0, 3, 2, 1]), box)  # a box from right to left reads from right to left
    # The fill has three channels, extrapolation_value one: a value that no pixel has marks what lies outside.
    return tf.image.crop_and_resize(image[None], box[None], [0], [image_size, image_size], extrapolation_value=-1.)[0]


def _sampled_box(window, sides, image_size):
    """The window in the units of `tf.image.crop_and_resize`.

    There 0 is the centre of the first pixel and 1 that of the last one; the window's unit square ends at the pixels' outer
    edges. Its S samples likewise stand at the ends of its box, so the box is smaller by half a sample all around.
    """
    half = (window[2:] - window[:2]) / (2 * image_size)
    low, high = (window[:2] + half) * sides - 0.5, (window[2:] - half) * sides - 0.5
    # Samples of an enlarged image fall between its edge and the outermost pixels' centres, which counts as outside. A window
    # that ends at the edge is drawn in to those centres, by half a pixel at most (and a little, for rounding errors).
    low = tf.where(window[:2] >= 0, tf.maximum(low, tf.minimum(0.01, sides - 1)), low)
    high = tf.where(window[2:] <= 1, tf.minimum(high, tf.maximum(sides - 1.01, 0)), high)
    return tf.concat([low, high], axis=0) / tf.tile(tf.maximum(sides - 1, 1), [2])


def _shrunk(image, window, image_size):
    """(image, window), or where the window is twice S pixels or more, the part of the image that the window covers, its sides
    divided by a whole number, and the window in units of that part."""
    sides = tf.cast(tf.shape(image)[:2], tf.float32)
    factor = tf.floor((window[2:] - window[:2]) * sides / image_size)

    def part():
        low = tf.minimum(tf.floor(tf.clip_by_value(window[:2], 0., 1.) * sides), sides - 1)
        high = tf.math.ceil(tf.clip_by_value(window[2:], 0., 1.) * sides)
        (top, left), (bottom, right) = (tf.unstack(tf.cast(edge, tf.int32), num=2) for edge in (low, high))
        size = tf.cast(tf.maximum(tf.round((high - low) / tf.maximum(factor, 1)), 1), tf.int32)
        small = tf.image.resize(image[top:bottom, left:right], size, method='area')
        return tf.cast(small + 0.5, tf.uint8), project(window * tf.tile(sides, [2]), tf.concat([low, high], axis=0))

    return tf.cond(tf.reduce_any(factor >= 2), part, lambda: (image, window))


def distort_colours(image: TensorLike, seed: tf.Tensor) -> tf.Tensor:
    """Brightness, contrast, saturation and hue, each half the time; contrast before or after the other two.

    image: float32 [S, S, 3] 0..255 -> the same.  seed: int [2]. im_transforms.cpp, ApplyDistort.
    """
    seeds = tf.unstack(tf.random.split(seed, 2), num=2)
    brighten, contrast, saturate, turn, early = tf.unstack(tf.random.stateless_uniform([5], seeds[0]) < 0.5, num=5)
    amount = tf.unstack(tf.random.stateless_uniform([4], seeds[1]), num=4)
    image = _when(brighten, lambda i: adjust_brightness(i, (amount[0] * 2 - 1) * BRIGHTNESS), image)
    image = _when(contrast & early, lambda i: adjust_contrast(i, _between(amount[1], CONTRAST)), image)
    # TensorFlow's fused kernels mind neither the range 0..255 nor leave it: the largest channel of a pixel stays.
    image = _when(saturate, lambda i: tf.image.adjust_saturation(i, _between(amount[2], SATURATION)), image)
    image = _when(turn, lambda i: tf.image.adjust_hue(i, (amount[3] * 2 - 1) * HUE), image)
    return _when(contrast & ~early, lambda i: adjust_contrast(i, _between(amount[1], CONTRAST)), image)


def adjust_brightness(image: tf.Tensor, delta: float | tf.Tensor) -> tf.Tensor:
    """Adds delta; clipped to 0..255."""
    return tf.clip_by_value(image + delta, 0., 255.)


def adjust_contrast(image: tf.Tensor, factor: float | tf.Tensor) -> tf.Tensor:
    """Multiplies by factor, about black as Caffe does, not about the mean; clipped to 0..255."""
    return tf.clip_by_value(image * factor, 0., 255.)


def _when(condition, function, image):
    return tf.cond(condition, lambda: function(image), lambda: image)


def _between(number, limits):
    """A number of [0, 1) -> one of [low, high)."""
    return limits[0] + number * (limits[1] - limits[0])
