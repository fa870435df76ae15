"""Random batches that several benchmarks share."""
import numpy as np

from nets.slim_compat import tf
from nets.spec import BackboneSpec

CLASSES = 21  # VOC's 20 and background
_MATCHED = 10  # default boxes per image, about as many as VOC has


def random_images(spec: BackboneSpec, batch_size: int) -> tf.Tensor:
    """uint8 [B, S, S, 3] of noise, the same at every call."""
    shape = [batch_size, spec.image_size, spec.image_size, 3]
    return tf.constant(np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8))


def random_batch(spec: BackboneSpec, batch_size: int) -> dict[str, tf.Tensor]:
    """A training batch of noise, ten matched default boxes per image, the same at every call."""
    random, boxes = np.random.RandomState(0), spec.num_default_boxes
    classes = np.zeros([batch_size, boxes], np.int32)
    offsets = np.zeros([batch_size, boxes, 4], np.float32)
    for number in range(batch_size):
        matched = random.choice(boxes, _MATCHED, replace=False)
        classes[number, matched] = random.randint(1, CLASSES, _MATCHED)
        offsets[number, matched] = random.normal(size=[_MATCHED, 4])
    return {'images': random_images(spec, batch_size), 'classes': tf.constant(classes),
            'offsets': tf.constant(offsets)}
