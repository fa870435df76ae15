"""SSD's augmentation of one image, as stateless functions of a seed.

Source: SSD paper section 2.2 and weiliu89/caffe, branch ssd: examples/ssd/ssd_pascal.py
(train_transform_param, batch_sampler), src/caffe/util/im_transforms.cpp and sampler.cpp.

Caffe distorts colours, expands, crops, resizes and mirrors: three copies of the large image. Here
one window, perhaps reaching outside the image, stands for expansion, crop and mirror; one
`crop_and_resize` reads it, and colours are distorted on the small result. Differences from Caffe:

* Colours are clipped and rounded after interpolation, and image and fill are not blended.
* A crop must contain the centre of an object. Caffe's rule left 9 % of VOC's images without any
  object, and such an image teaches nothing: the loss takes three negatives per matched box.
* Hue wraps around. Caffe's sums saturate at 0, so that its reds turn one way only.
* Objects with a side below 0.002 of the crop are dropped: their logarithms would dominate.
* Interpolation is always bilinear (after averaging if a side shrinks to half or less). Caffe draws
  one of five methods, four of which would need a copy of the large image.
"""
from collections.abc import Sequence

import tensorflow as tf
from tensorflow.types.experimental import TensorLike

# Minimum IoU with an object, per sampler (ssd_pascal.py batch_sampler); the last asks for nothing.
CROP_OVERLAPS = (0.1, 0.3, 0.5, 0.7, 0.9, 0.0)
CROP_SCALES, CROP_RATIOS, CROP_TRIALS = (0.3, 1.0), (0.5, 2.0), 50
ZOOM_OUT_MAX = 4.0
WHOLE = (0., 0., 1., 1.)
BRIGHTNESS, CONTRAST, SATURATION = 32.0, (0.5, 1.5), (0.5, 1.5)
HUE = 18 / 180  # of the hue circle. Caffe adds up to 18 on OpenCV's scale of 0..180: 36 degrees.
SMALLEST_SIDE = 0.002  # of an object after cropping, in units of the crop


def augment(image: TensorLike, boxes: TensorLike, labels: TensorLike, seed: TensorLike, *,
            image_size: int, fill: Sequence[float], distort: bool = True, zoom_out: bool = True,
            crop: bool = True, flip: bool = True, zoom_out_max: float = ZOOM_OUT_MAX,
            flip_vertical: bool = False, quarter_turns: bool = False
            ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Augments one image; the result depends only on the arguments.

    Args:
        image: uint8 [H, W, 3] RGB.
        boxes: float32 [R, 4], corners in [0, 1].
        labels: int [R], or any tensor of R rows.
        seed: int [2].
        image_size: S, pixels.
        fill: RGB 0..255 outside the image.
        distort, zoom_out, crop, flip: which parts to do.
        zoom_out_max: largest ratio of zoom-out.
        flip_vertical, quarter_turns: parts for images without an upper side; see `turned`.

    Returns:
        uint8 [S, S, 3], boxes float32 [R', 4] and labels [R'] of the objects that are left; with
        R > 0 at least one is left, unless all are thinner than SMALLEST_SIDE.
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
    image = tf.cond(tf.reduce_any((window < 0) | (window > 1)),
                    lambda: tf.where(found < 0, tf.constant(fill, tf.float32), coloured),
                    lambda: coloured)
    if flip_vertical or quarter_turns:
        image, boxes = turned(image, boxes, tf.random.fold_in(seeds[2], 1), flip_vertical,
                              quarter_turns)
    return tf.cast(image + 0.5, tf.uint8), boxes, labels  # in 0..255 already: this only rounds


def project(boxes: TensorLike, window: tf.Tensor) -> tf.Tensor:
    """Boxes [R, 4] in units of the image -> in units of the window [4], not clipped."""
    return (boxes - tf.tile(window[:2], [2])) / tf.tile(window[2:] - window[:2], [2])


def compose(outer: tf.Tensor, inner: tf.Tensor) -> tf.Tensor:
    """A window [4] in units of the outer window [4] -> in units of the image."""
    return tf.tile(outer[:2], [2]) + inner * tf.tile(outer[2:] - outer[:2], [2])


def zoom_out_window(seed: tf.Tensor, largest: float = ZOOM_OUT_MAX) -> tf.Tensor:
    """Window [4]: the image, or half of the time 1 to `largest` times its sides around it.

    seed: int [2]. Source: im_transforms.cpp, ExpandImage.
    """
    chance, ratio, y, x = tf.unstack(tf.random.stateless_uniform([4], seed), num=4)
    ratio = 1 + ratio * (largest - 1)
    y, x = -y * (ratio - 1), -x * (ratio - 1)
    return tf.where(chance < 0.5, tf.stack([y, x, y + ratio, x + ratio]), WHOLE)


def crop_window(boxes: TensorLike, seed: tf.Tensor) -> tf.Tensor:
    """Window [4]: the whole image or one of the samplers' crops, all equally likely (sampler.cpp).

    Each of six samplers draws 50 candidates and produces the first one that contains the centre of
    an object and overlaps an object by its minimum IoU. Without objects none produces a crop.
    boxes: float32 [R, 4], in units of what is cropped.  seed: int [2].
    """
    seeds = tf.unstack(tf.random.split(seed, 2), num=2)
    candidates = crop_candidates(seeds[0])  # [6, 50, 4]
    accepted = best_overlap(candidates, boxes) >= tf.constant(CROP_OVERLAPS)[:, None]  # [6, 50]
    accepted &= tf.reduce_any(_contain(candidates[..., None, :], boxes), axis=-1)
    first = tf.argmax(tf.cast(accepted, tf.int32), axis=1)
    crops = tf.concat([[WHOLE], tf.gather(candidates, first, batch_dims=1)], axis=0)  # [7, 4]
    produced = tf.concat([[True], tf.reduce_any(accepted, axis=1)], axis=0)
    draw = tf.where(produced, tf.random.stateless_uniform([len(CROP_OVERLAPS) + 1], seeds[1]), -1.)
    return crops[tf.argmax(draw)]


def crop_candidates(seed: tf.Tensor) -> tf.Tensor:
    """[6, 50, 4] windows of area .3^2..1 and aspect ratio .5..2 (sampler.cpp, SampleBBox)."""
    numbers = tf.random.stateless_uniform([len(CROP_OVERLAPS), CROP_TRIALS, 4], seed)
    scale = _between(numbers[..., 0], CROP_SCALES)
    # Clipped after the draw, so that no side exceeds 1: every fifth crop has a full side (as in
    # Caffe since its commit 6feb7d99 of April 2017).
    ratio = _between(numbers[..., 1], CROP_RATIOS)
    root = tf.sqrt(tf.clip_by_value(ratio, scale ** 2, 1 / scale ** 2))
    size = tf.minimum(tf.stack([scale / root, scale * root], axis=-1), 1.)  # rounding errors
    origin = numbers[..., 2:] * (1 - size)
    return tf.concat([origin, origin + size], axis=-1)


def best_overlap(candidates: tf.Tensor, boxes: TensorLike) -> tf.Tensor:
    """Largest IoU of each candidate [..., 4] with any of boxes [R, 4]; 0 without boxes."""
    low = tf.maximum(candidates[..., None, :2], boxes[:, :2])
    high = tf.minimum(candidates[..., None, 2:], boxes[:, 2:])
    intersection = tf.reduce_prod(tf.maximum(high - low, 0), axis=-1)
    union = _area(candidates)[..., None] + _area(boxes) - intersection
    return tf.maximum(tf.reduce_max(tf.math.divide_no_nan(intersection, union), axis=-1), 0.)


def _area(boxes):
    return tf.reduce_prod(boxes[..., 2:] - boxes[..., :2], axis=-1)


def _contain(windows, boxes):
    """Whether windows [..., 4] contain the centres of boxes [..., 4], edges included."""
    points = (boxes[..., :2] + boxes[..., 2:]) / 2
    return tf.reduce_all((points >= windows[..., :2]) & (points <= windows[..., 2:]), axis=-1)


def keep_centred(boxes: tf.Tensor, labels: TensorLike) -> tuple[tf.Tensor, tf.Tensor]:
    """Clipped boxes and labels of objects with their centre in the unit square, if not too thin."""
    clipped = tf.clip_by_value(boxes, 0., 1.)
    kept = _contain(tf.constant(WHOLE), boxes)  # ssd_pascal.py, emit_constraint CENTER
    kept &= tf.reduce_all(clipped[:, 2:] - clipped[:, :2] >= SMALLEST_SIDE, axis=1)
    return tf.boolean_mask(clipped, kept), tf.boolean_mask(labels, kept)


def flip_boxes(boxes: tf.Tensor) -> tf.Tensor:
    """Mirrors boxes [R, 4] left to right."""
    return tf.stack([boxes[:, 0], 1 - boxes[:, 3], boxes[:, 2], 1 - boxes[:, 1]], axis=1)


def turned(image: tf.Tensor, boxes: tf.Tensor, seed: tf.Tensor, flip_vertical: bool,
           quarter_turns: bool) -> tuple[tf.Tensor, tf.Tensor]:
    """A square image [S, S, 3] and its boxes [R, 4]; half of the time upside down, and turned.

    Args:
        seed: int [2].
        flip_vertical: mirror top to bottom, half of the time.
        quarter_turns: turn to the left by 0, 90, 180 or 270 degrees, all equally likely.
    """
    upside_down, turns = tf.unstack(tf.random.stateless_uniform([2], seed), num=2)
    if flip_vertical:
        image = tf.where(upside_down < 0.5, image[::-1], image)
        mirrored = tf.stack([1 - boxes[:, 2], boxes[:, 1], 1 - boxes[:, 0], boxes[:, 3]], axis=1)
        boxes = tf.where(upside_down < 0.5, mirrored, boxes)
    if quarter_turns:
        count = tf.cast(turns * 4, tf.int32)
        image = tf.ensure_shape(tf.image.rot90(image, count), image.shape)
        boxes = turn_boxes(boxes, count)
    return image, boxes


def turn_boxes(boxes: tf.Tensor, quarters: TensorLike) -> tf.Tensor:
    """Boxes [R, 4] after `quarters` (0 to 3) quarter turns of the image to the left."""
    top, left, bottom, right = tf.unstack(boxes, axis=1)
    ways = tf.stack([
        [top, left, bottom, right], [1 - right, top, 1 - left, bottom],
        [1 - bottom, 1 - right, 1 - top, 1 - left], [left, 1 - bottom, right, 1 - top]])
    return tf.transpose(ways[quarters])


def read_window(image: TensorLike, window: tf.Tensor, image_size: int,
                mirrored: bool | tf.Tensor = False) -> tf.Tensor:
    """Reads a window [4] of uint8 [H, W, 3] as float32 [S, S, 3], 0..255, and -1 outside.

    Bilinear, after averaging if a side shrinks to half or less.  image_size: S, pixels.
    """
    image, window = _shrunk(tf.convert_to_tensor(image), window, image_size)
    box = _sampled_box(window, tf.cast(tf.shape(image)[:2], tf.float32), image_size)
    box = tf.where(mirrored, tf.gather(box, [0, 3, 2, 1]), box)  # reads from right to left
    # extrapolation_value is one number, the fill has three: a value that no pixel has marks it.
    return tf.image.crop_and_resize(image[None], box[None], [0], [image_size, image_size],
                                    extrapolation_value=-1.)[0]


def _sampled_box(window, sides, image_size):
    """The window for crop_and_resize, where 0 is the first and 1 the last pixel's centre.

    Its S samples stand at the ends of its box, which is smaller by half a sample on each side.
    """
    half = (window[2:] - window[:2]) / (2 * image_size)
    low, high = (window[:2] + half) * sides - 0.5, (window[2:] - half) * sides - 0.5
    # In an enlarged image, samples between its edge and the outermost pixel centres would count as
    # outside. Inside the image, the box therefore ends at those centres (.01: rounding errors).
    low = tf.where(window[:2] >= 0, tf.maximum(low, tf.minimum(0.01, sides - 1)), low)
    high = tf.where(window[2:] <= 1, tf.minimum(high, tf.maximum(sides - 1.01, 0)), high)
    return tf.concat([low, high], axis=0) / tf.tile(tf.maximum(sides - 1, 1), [2])


def _shrunk(image, window, image_size):
    """(image, window); of 2 S pixels or more, the window's part, divided by a whole number."""
    sides = tf.cast(tf.shape(image)[:2], tf.float32)
    factor = tf.floor((window[2:] - window[:2]) * sides / image_size)

    def part():
        low = tf.minimum(tf.floor(tf.clip_by_value(window[:2], 0., 1.) * sides), sides - 1)
        high = tf.math.ceil(tf.clip_by_value(window[2:], 0., 1.) * sides)
        edges = tf.concat([low, high], axis=0)
        top, left, bottom, right = tf.unstack(tf.cast(edges, tf.int32), num=4)
        size = tf.cast(tf.maximum(tf.round((high - low) / tf.maximum(factor, 1)), 1), tf.int32)
        small = tf.image.resize(image[top:bottom, left:right], size, method='area')
        return tf.cast(small + 0.5, tf.uint8), project(window * tf.tile(sides, [2]), edges)

    return tf.cond(tf.reduce_any(factor >= 2), part, lambda: (image, window))


def distort_colours(image: TensorLike, seed: tf.Tensor) -> tf.Tensor:
    """Brightness, contrast, saturation, hue, each half of the time; contrast second or last.

    image: float32 [S, S, 3] 0..255.  seed: int [2]. Source: im_transforms.cpp, ApplyDistort.
    """
    seeds = tf.unstack(tf.random.split(seed, 2), num=2)
    chances = tf.random.stateless_uniform([5], seeds[0]) < 0.5
    brighten, contrast, saturate, turn, early = tf.unstack(chances, num=5)
    amount = tf.unstack(tf.random.stateless_uniform([4], seeds[1]), num=4)
    image = _when(brighten, adjust_brightness, image, (amount[0] * 2 - 1) * BRIGHTNESS)
    image = _when(contrast & early, adjust_contrast, image, _between(amount[1], CONTRAST))
    # These two accept the range 0..255 and do not leave it: the largest channel of a pixel stays.
    image = _when(saturate, tf.image.adjust_saturation, image, _between(amount[2], SATURATION))
    image = _when(turn, tf.image.adjust_hue, image, (amount[3] * 2 - 1) * HUE)
    return _when(contrast & ~early, adjust_contrast, image, _between(amount[1], CONTRAST))


def adjust_brightness(image: tf.Tensor, delta: float | tf.Tensor) -> tf.Tensor:
    """Adds delta; clipped to 0..255."""
    return tf.clip_by_value(image + delta, 0., 255.)


def adjust_contrast(image: tf.Tensor, factor: float | tf.Tensor) -> tf.Tensor:
    """Multiplies by factor, about black as in Caffe, not about the mean; clipped to 0..255."""
    return tf.clip_by_value(image * factor, 0., 255.)


def _when(condition, function, image, amount):
    return tf.cond(condition, lambda: function(image, amount), lambda: image)


def _between(number, limits):
    """A number of [0, 1) -> one of [low, high)."""
    return limits[0] + number * (limits[1] - limits[0])
