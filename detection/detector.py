"""A trained SSD as one object, which scripts, notebooks, evaluation and export share."""
import functools
import typing
from collections.abc import Collection, Sequence

import numpy as np

from detection import folding, images, objects
from nets import anchors, postprocess, ssd
from nets.slim_compat import tf
from preprocessing import normalize, pipeline
from utils import process

_IMAGE = tf.TensorSpec([None, None, 3], tf.uint8, name='image')


class Detector:
    """detector(image) -> objects; detector.detect(batch) -> arrays, for evaluation and export.

    Args:
        model: its spec says how pixels are normalized.
        classes: names of labels 1, 2, ...; only the call needs them.
        limits: of the detections.
        folded: computes with the model's weights as they are now, faster (see detection.folding).
            False: with its variables.
        prefix: of the checkpoint that the weights are from.
        thresholds: of label 1, 2, ...: objects have a higher score. (): that of `limits` for all.

    Raises:
        RuntimeError: this process is a fork of one that has a detector; also where it detects.

    Attributes:
        network: images [B, S, S, 3] 0..255, uint8 or float32 -> (logits, offsets), for use inside
            a tf.function.
        resize: uint8 [H, W, 3] -> uint8 [S, S, 3], as the network takes it.
        portable: as `detect`, with TensorFlow's own suppression on GPUs too; for exports.
        defaults: float32 [K, 4], the default boxes.
    """

    def __init__(self, model: ssd.SSD, classes: Sequence[str] = (),
                 limits: postprocess.Limits | None = None, folded: bool = False, prefix: str = '',
                 thresholds: Sequence[float] = ()):
        process.check()
        self.model, self.classes, self.prefix = model, tuple(classes), prefix
        self.thresholds = tuple(thresholds)
        self.limits = limits or postprocess.Limits()
        self.defaults = anchors.default_boxes(model.spec)
        size = model.spec.image_size
        batch = tf.TensorSpec([None, size, size, 3], tf.uint8, name='images')
        self.network = self._folded(size) if folded else self._network
        self._best = tf.function(self._best_scores, input_signature=[batch], autograph=False)
        self._detect, self.portable = (
            tf.function(functools.partial(self._detections, on_gpu=on_gpu),
                        input_signature=[batch], autograph=False) for on_gpu in (None, False))
        self.resize = tf.function(lambda image: pipeline.resize_image(image, size),
                                  input_signature=[_IMAGE], autograph=False)

    def __call__(self, image: images.Image | Sequence[images.Image]) -> list[typing.Any]:
        """Detects the objects of an image, best first.

        Args:
            image: uint8 RGB [H, W, 3] of any size; the path of an image file, its bytes, or an
                image of Pillow; or a list of these.

        Returns:
            DetectedObject of each, with boxes in pixels of the image; for a list of images, a list
            of such lists.

        Raises:
            DataError: a file, or its bytes, is no image.
            ValueError: an array is not uint8 [H, W, 3], or empty.
        """
        process.check()
        if isinstance(image, list | tuple):
            return [self._objects(each) for each in image]
        return self._objects(image)

    def _objects(self, image):
        pixels = images.pixels(image)
        return self.named(self.detect(self.resize(pixels)[None]), [pixels.shape[:2]])[0]

    def detect(self, images: tf.types.experimental.TensorLike) -> postprocess.Detections:
        """The detections in uint8 images [B, S, S, 3]; traced once for every B."""
        process.check()
        return self._detect(images)

    def strongest(self, images: tf.types.experimental.TensorLike, labels: Collection[int]
                  ) -> tuple[float, int]:
        """The highest score of some classes, and the class, in uint8 images [B, S, S, 3].

        Whatever the limits and thresholds are. labels: of the classes, from 1.
        """
        best = self._best(images).numpy()
        label = max(labels, key=lambda label: best[label])
        return float(best[label]), label

    def named(self, detections: postprocess.Detections,
              sizes: Sequence[tuple[int, ...]]) -> list[list[objects.DetectedObject]]:
        """The objects of each image of a batch.

        Args:
            detections: what `detect` returned.
            sizes: (height, width) in pixels of each image before it was resized.
        """
        found = []
        for size, boxes, scores, labels, count in zip(
                sizes, *(values.numpy() for values in detections), strict=True):
            shown = np.arange(len(scores)) < count
            if self.thresholds:
                shown &= scores > np.array([1, *self.thresholds])[labels]
            found.append(objects.named(boxes[shown], labels[shown], scores[shown], self.classes,
                                       *size))
        return found

    def _folded(self, size):
        network = folding.fold(self._network, tf.TensorSpec([None, size, size, 3], tf.float32))
        return lambda images: network(tf.cast(images, tf.float32))

    def _network(self, images):
        return self.model(normalize.normalize(images, self.model.spec.normalization), False)

    def _best_scores(self, images):
        """[C], over all images and default boxes."""
        scores = tf.nn.softmax(tf.cast(self.network(images)[0], tf.float32))  # [B, K, C]
        return tf.reduce_max(scores, axis=[0, 1])

    def _detections(self, images, on_gpu):
        return postprocess.detect(*self.network(images), self.defaults, on_gpu, **vars(self.limits))
