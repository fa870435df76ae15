"""SSD's augmentation of one image, as stateless functions of a seed.

Source: SSD paper section 2.2 "Data augmentation" and the "expansion" of its later version; weiliu89/caffe, branch ssd,
examples/ssd/ssd_pascal.py (train_transform_param, batch_sampler), src/caffe/util/im_transforms.cpp, sampler.cpp.

The published order is distort, expand, crop, resize, mirror: three copies of the large image. Expansion, crop and mirror are
one box here, in units of the original image and possibly reaching outside it; one `crop_and_resize` reads that box, with the
mean colour outside, and colour works on the small result. What that changes: the fill is distorted together with the image
(in Caffe it stays the mean), and interpolation comes before colour clipping. Caffe's random choice among five interpolations
is not taken over: all but the linear one would cost a copy of the large image.
"""
import tensorflow as tf

# Minimum IoU of a crop with at least one object, per sampler (ssd_pascal.py batch_sampler). The seventh sampler asks for
# a maximum IoU of 1, that is, for nothing.
CROP_OVERLAPS = (0.1, 0.3, 0.5, 0.7, 0.9, 0.0)
CROP_SCALES = (0.3, 1.0)
CROP_RATIOS = (0.5, 2.0)
CROP_TRIALS = 50
ZOOM_OUT_MAX = 4.0
BRIGHTNESS = 32.0
CONTRAST = SATURATION = (0.5, 1.5)
# Caffe shifts hue by up to 18 of OpenCV's 180 steps, that is, by up to 36 degrees of 360.
HUE = 18 / 180
# Objects thinner than this after cropping, in units of the crop, teach nothing and make logarithms of nearly nothing.
SMALLEST_SIDE = 0.002


def augment(image, boxes, labels, seed, *, image_size, fill, distort=True, zoom_out=True, crop=True, flip=True):
    """Augments one image -> (uint8 [S, S, 3], boxes float32 [R', 4], labels [R']).

    Args:
        image: uint8 [H, W, 3] RGB.  boxes: float32 [R, 4] corners in [0, 1].  labels: int [R].
        seed: int [2]; the result depends on it and on the arguments alone.
        image_size: S.  fill: RGB 0..255 of what lies outside the image.
        distort, zoom_out, crop, flip: which parts to do.
    """
    seeds = tf.unstack(tf.random.split(tf.cast(seed, tf.int64), 5), num=5)
    window = tf.constant([0., 0., 1., 1.])
    if zoom_out:
        window = zoom_out_window(seeds[0])
    if crop:
        window = compose(window, crop_window(project(boxes, window), seeds[1]))
    boxes, labels = keep_centred(project(boxes, window), labels)
    mirrored = flip & (tf.random.stateless_uniform([], seeds[2]) < 0.5)
    image = read_window(image, window, image_size, fill)
    if distort:
        image = distort_colours(image, seeds[3])
    image = tf.saturate_cast(tf.round(image), tf.uint8)
    image = tf.cond(mirrored, lambda: tf.reverse(image, [1]), lambda: image)
    boxes = tf.where(mirrored, flip_boxes(boxes), boxes)
    return image, boxes, labels


def project(boxes, window):
    """Boxes [R, 4] in units of the image -> in units of the window [4], not clipped."""
    origin, size = tf.tile(window[:2], [2]), tf.tile(window[2:] - window[:2], [2])
    return (boxes - origin) / size


def compose(outer, inner):
    """A window given in units of another one -> in units of the image. Both [4] corners."""
    origin, size = tf.tile(outer[:2], [2]), tf.tile(outer[2:] - outer[:2], [2])
    return origin + inner * size


def zoom_out_window(seed):
    """Half the time the image itself, else a window of 1 to 4 times its sides around it (im_transforms.cpp, ExpandImage)."""
    chance, ratio, y, x = tf.unstack(tf.random.stateless_uniform([4], seed), num=4)
    ratio = 1 + ratio * (ZOOM_OUT_MAX - 1)
    y, x = -y * (ratio - 1), -x * (ratio - 1)
    return tf.where(chance < 0.5, tf.stack([y, x, y + ratio, x + ratio]), [0., 0., 1., 1.])


def crop_window(boxes, seed):
    """One of the crops that Caffe's samplers produce, or the whole image; all equally likely (sampler.cpp).

    Each of six samplers draws up to 50 boxes and produces the first one that at least one object overlaps by its minimum
    IoU. boxes: float32 [R, 4] in units of what is cropped. -> [4].
    """
    seeds = tf.unstack(tf.random.split(seed, 2), num=2)
    candidates = crop_candidates(seeds[0])  # [6, 50, 4]
    best = _best_overlap(candidates, boxes)  # [6, 50]
    accepted = best >= tf.constant(CROP_OVERLAPS)[:, None]
    accepted &= tf.shape(boxes)[0] > 0  # without objects no sampler is satisfied
    first = tf.argmax(tf.cast(accepted, tf.int32), axis=1)
    crops = tf.concat([[[0., 0., 1., 1.]], tf.gather(candidates, first, batch_dims=1)], axis=0)
    produced = tf.concat([[True], tf.reduce_any(accepted, axis=1)], axis=0)
    draw = tf.where(produced, tf.random.stateless_uniform([len(CROP_OVERLAPS) + 1], seeds[1]), -1.)
    return crops[tf.argmax(draw)]


def crop_candidates(seed):
    """[6, 50, 4] boxes of area .3^2..1 and aspect ratio .5..2, inside the unit square, anywhere (sampler.cpp, SampleBBox)."""
    numbers = tf.random.stateless_uniform([len(CROP_OVERLAPS), CROP_TRIALS, 4], seed)
    scale = CROP_SCALES[0] + numbers[..., 0] * (CROP_SCALES[1] - CROP_SCALES[0])
    # Caffe limits the ratio so that neither side exceeds 1.
    low, high = tf.maximum(CROP_RATIOS[0], scale ** 2), tf.minimum(CROP_RATIOS[1], 1 / scale ** 2)
    root = tf.sqrt(low + numbers[..., 1] * (high - low))
    size = tf.stack([scale / root, scale * root], axis=-1)
    origin = numbers[..., 2:] * (1 - size)
    return tf.concat([origin, origin + size], axis=-1)


def _best_overlap(candidates, boxes):
    """Largest IoU of each candidate [..., 4] with any of boxes [R, 4]; 0 without boxes."""
    boxes = tf.clip_by_value(boxes, 0., 1.)
    low = tf.maximum(candidates[..., None, :2], boxes[:, :2])
    high = tf.minimum(candidates[..., None, 2:], boxes[:, 2:])
    intersection = tf.reduce_prod(tf.maximum(high - low, 0), axis=-1)
    union = _area(candidates)[..., None] + _area(boxes) - intersection
    overlaps = tf.math.divide_no_nan(intersection, union)
    return tf.maximum(tf.reduce_max(overlaps, axis=-1), 0.)


def _area(boxes):
    return tf.reduce_prod(boxes[..., 2:] - boxes[..., :2], axis=-1)


def keep_centred(boxes, labels):
    """Objects whose centre lies in the unit square, clipped to it (ssd_pascal.py emit_constraint CENTER)."""
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    clipped = tf.clip_by_value(boxes, 0., 1.)
    kept = tf.reduce_all((centres >= 0) & (centres <= 1), axis=1)
    kept &= tf.reduce_all(clipped[:, 2:] - clipped[:, :2] >= SMALLEST_SIDE, axis=1)
    return tf.boolean_mask(clipped, kept), tf.boolean_mask(labels, kept)


def flip_boxes(boxes):
    """Mirror image left to right: boxes [R, 4] -> [R, 4]."""
    return tf.stack([boxes[:, 0], 1 - boxes[:, 3], boxes[:, 2], 1 - boxes[:, 1]], axis=1)


def read_window(image, window, size, fill):
    """Reads a window [4] (units of the image, may reach outside) as float32 [S, S, 3], bilinear, `fill` outside.

    Where the window is more than twice S pixels, the image is shrunk by averaging first, so that fine patterns do not alias.
    """
    image, fill = tf.cast(image, tf.float32), tf.constant(fill, tf.float32)
    height, width = tf.unstack(tf.cast(tf.shape(image)[:2], tf.float32), num=2)
    shrink = tf.floor(tf.minimum(height * (window[2] - window[0]), width * (window[3] - window[1])) / size)
    image = tf.cond(shrink >= 2, lambda: _shrunk(image, tf.cast(shrink, tf.int32)), lambda: image)
    # crop_and_resize puts coordinate 0 at the first pixel's centre and 1 at the last one's; the window's unit square ends at
    # the pixels' outer edges. Its S samples likewise stand at the ends of its box, so the box shrinks by half a sample.
    sides = tf.cast(tf.shape(image)[:2], tf.float32)
    half = (window[2:] - window[:2]) / (2 * size)
    inner = tf.concat([window[:2] + half, window[2:] - half], axis=0)
    scale = tf.tile(tf.maximum(sides - 1, 1), [2])
    box = inner * tf.tile(sides, [2]) - 0.5
    # Beyond the outermost pixels' centres crop_and_resize takes the fill; a window that ends at the image's edge is drawn in to
    # them, by half a pixel at most.
    box = tf.concat([tf.where(window[:2] >= 0, tf.maximum(box[:2], 0), box[:2]),
                     tf.where(window[2:] <= 1, tf.minimum(box[2:], sides - 1), box[2:])], axis=0) / scale
    return tf.image.crop_and_resize((image - fill)[None], box[None], [0], [size, size])[0] + fill


def _shrunk(image, factor):
    """Averages factor x factor pixels; rows and columns that do not fill a cell are dropped."""
    cells = tf.shape(image)[:2] // factor
    image = image[:cells[0] * factor, :cells[1] * factor]
    return tf.reduce_mean(tf.reshape(image, [cells[0], factor, cells[1], factor, 3]), axis=[1, 3])


def distort_colours(image, seed):
    """Brightness, contrast, saturation and hue, each half the time; contrast before or after the other two.

    image: float32 [S, S, 3] 0..255 -> the same. im_transforms.cpp, ApplyDistort.
    """
    seeds = tf.unstack(tf.random.split(seed, 2), num=2)
    on = tf.random.stateless_uniform([5], seeds[0]) < 0.5
    amount = tf.random.stateless_uniform([4], seeds[1])
    factor = CONTRAST[0] + amount * (CONTRAST[1] - CONTRAST[0])
    image += tf.where(on[0], (amount[0] * 2 - 1) * BRIGHTNESS, 0.)
    early, late = tf.where(on[1] & on[4], factor[1], 1.), tf.where(on[1] & ~on[4], factor[1], 1.)
    image = tf.clip_by_value(image * early, 0., 255.)
    image = tf.cond(on[2] | on[3], lambda: _hue_and_saturation(
        image, tf.where(on[2], factor[2], 1.), tf.where(on[3], (amount[3] * 2 - 1) * HUE, 0.)), lambda: image)
    return tf.clip_by_value(image * late, 0., 255.)


def _hue_and_saturation(image, saturation, hue):
    """image 0..255; saturation: factor; hue: shift in turns (1 = 360 degrees)."""
    hsv = tf.image.rgb_to_hsv(image / 255)
    h = tf.math.floormod(hsv[..., 0] + hue, 1.)
    s = tf.minimum(hsv[..., 1] * saturation, 1.)
    return tf.image.hsv_to_rgb(tf.stack([h, s, hsv[..., 2]], axis=-1)) * 255
