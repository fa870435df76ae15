"""Random batches and detectors that several benchmarks share."""
from collections.abc import Sequence

import numpy as np

from detection.detector import Detector
from nets import ssd
from nets.postprocess import Limits
from nets.slim_compat import tf
from nets.spec import BackboneSpec
from preprocessing import normalize

CLASSES = 21  # VOC's 20 and background
_DETECTED = 0.3  # percent of the default boxes of a random detector that hold an object
_MATCHED = 10  # default boxes per image, about as many as VOC has


def random_images(spec: BackboneSpec, batch_size: int) -> tf.Tensor:
    """uint8 [B, S, S, 3] of noise, the same at every call."""
    shape = [batch_size, spec.image_size, spec.image_size, 3]
    return tf.constant(np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8))


def random_batch(spec: BackboneSpec, batch_size: int) -> dict[str, tf.Tensor]:
    """A training batch of noise, ten matched default boxes per image, the same at every call."""
    random, boxes = np.random.RandomState(0), spec.num_default_boxes
    classes = np.zeros([batch_size, boxes], np.int64)
    offsets = np.zeros([batch_size, boxes, 4], np.float32)
    for number in range(batch_size):
        matched = random.choice(boxes, _MATCHED, replace=False)
        classes[number, matched] = random.randint(1, CLASSES, _MATCHED)
        offsets[number, matched] = random.normal(size=[_MATCHED, 4])
    return {'images': random_images(spec, batch_size), 'classes': tf.constant(classes),
            'offsets': tf.constant(offsets)}


def random_detector(spec: BackboneSpec, images: tf.types.experimental.TensorLike,
                    classes: Sequence[str], limits: Limits | None = None) -> Detector:
    """A detector with random weights, always the same, whose scores differ: it can be compared.

    Args:
        spec: of its backbone.
        images: uint8 [B, S, S, 3], on which logits and offsets get the spread of a trained network.
        classes: names.
        limits: of its detections.
    """
    tf.random.set_seed(0)
    model = ssd.SSD(spec, len(classes) + 1, batch_norm_decay=0.).build()
    pixels = normalize.normalize(images, spec.normalization)
    compute = tf.function(model, autograph=False)
    compute(pixels, True)  # batch norm takes the statistics of these images
    logits, offsets = compute(pixels, False)
    factors = {'logits': 3 / np.std(logits), 'offsets': 1 / np.std(offsets)}
    margins = np.max(logits[0, :, 1:], axis=-1) - logits[0, :, 0]  # of the first image
    background = np.percentile(margins * factors['logits'], 100 - _DETECTED)
    for variable in model.variables:
        for kind, factor in factors.items():
            if variable.name.endswith(f'/{kind}/weights:0'):
                variable.assign(variable * factor)
        if variable.name.endswith('/logits/biases:0'):  # background wins in most default boxes
            logit = background * tf.one_hot(0, len(classes) + 1)
            variable.assign(tf.tile(logit, [variable.shape[0] // (len(classes) + 1)]))
    return Detector(model, classes, limits, folded=True)
