"""A detector in a file of an export, and the comparison of its results."""
import dataclasses
import functools
import os
import time
import typing
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from detection.detector import Detector
from nets import boxes as box_ops
from nets import boxes_tf, postprocess
from nets.postprocess import Detections, Limits
from nets.slim_compat import tf
from utils.errors import UserError

# Detections that score this or more are compared; weaker ones change places, and survive
# suppression, by chance.
_SURE = 0.1
# The last detections of a full list are there by chance: those that score at most this more than
# its last one are not compared.
_NEAR_LAST = 1e-3


class ExportError(UserError, ValueError):
    """A folder that is in use, or a file that does not compute what it should."""


@dataclasses.dataclass(frozen=True)
class Exported:
    """A loaded file.

    Attributes:
        detect: uint8 images [B, S, S, 3] -> detections, with arrays of NumPy.
        classes: names of labels 1, 2, ...
        image_size: S.
    """
    detect: Callable[[npt.ArrayLike], Detections]
    classes: tuple[str, ...]
    image_size: int


class Candidates(typing.NamedTuple):
    """All default boxes of B images, before suppression.

    Attributes:
        boxes: float32 [B, K, 4] corners, not clipped to [0, 1].
        scores: float32 [B, K, C] in [0, 1], the background first.
    """
    boxes: tf.Tensor
    scores: tf.Tensor


def before_suppression(detector: Detector, images: tf.Tensor) -> Candidates:
    """What suppression chooses from in uint8 images [B, S, S, 3]; for use inside a tf.function."""
    logits, offsets = (tf.cast(each, tf.float32) for each in detector.network(images))
    return Candidates(boxes_tf.decode(offsets, detector.defaults), tf.nn.softmax(logits))


def detecting(compute: Callable[[np.ndarray], dict[str, np.ndarray]], limits: Limits | None
              ) -> Callable[[npt.ArrayLike], Detections]:
    """The `detect` of a file; where suppression is not in it, it is done here.

    Args:
        compute: uint8 images [B, S, S, 3] -> Detections or Candidates, by name.
        limits: of the detections of a file without suppression; None: those of Limits.
    """
    def detect(images):
        found = compute(np.asarray(images))
        if 'counts' in found:
            return Detections(**found)
        rows = [_chosen(boxes, scores, limits or Limits())
                for boxes, scores in zip(found['boxes'], found['scores'], strict=True)]
        return Detections(*map(np.stack, zip(*rows, strict=True)))

    return detect


def _chosen(boxes, scores, limits):
    """Detections in one image, by the rule of the detector itself: boxes [K, 4], scores [K, C].

    They are decoded already: each is taken for a default box, from which nothing is off.
    """
    logits = np.log(np.maximum(scores, np.finfo(np.float32).tiny))[None]
    found = postprocess.detect(logits, np.zeros_like(boxes)[None],
                               box_ops.corners_to_centers(boxes), **vars(limits))
    return [values.numpy()[0] for values in found]


def in_batches(compute: Callable[[np.ndarray], dict[str, np.ndarray]], size: int
               ) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    """Lets a function of exactly `size` images take any number; what is missing are zeros."""
    def computed(images):
        found = []
        for start in range(0, len(images), size):
            part = images[start:start + size]
            missing = [(0, size - len(part))] + [(0, 0)] * (part.ndim - 1)
            found.append({name: values[:len(part)] for name, values
                          in compute(np.pad(part, missing)).items()})
        return {name: np.concatenate([each[name] for each in found]) for name in found[0]}

    return computed


def size(path: str) -> int:
    """Bytes of a file, or of all in a folder."""
    if os.path.isfile(path):
        return os.path.getsize(path)
    return sum(os.path.getsize(os.path.join(folder, name))
               for folder, _, names in os.walk(path) for name in names)


def times(exported: Exported, images: npt.ArrayLike, seconds: float = 0.) -> list[float]:
    """Seconds of each call on the same images: for so long, at least ten calls after a first."""
    exported.detect(images)
    found: list[float] = []
    while len(found) < 10 or sum(found) < seconds:
        start = time.perf_counter()
        exported.detect(images)
        found.append(time.perf_counter() - start)
    return found


def difference(one: Detections, other: Detections,
               score_threshold: float) -> tuple[float, int]:
    """Compares two results for the first image of a batch.

    Each sure detection of either is compared, in its four corners and its score, with the nearest
    one of its class in the other.

    Args:
        one: arrays or tensors.
        other: the same.
        score_threshold: of both.

    Returns:
        (largest difference, sure detections in `one`). Infinite where a detection has no other.
    """
    bound = _bound(one, other, score_threshold)
    ones, others = _rows(one), _rows(other)
    pairs = [(row, rows) for each, rows in ((ones, others), (others, ones))
             for row in each if row[1] >= bound]
    return max((_nearest(*pair) for pair in pairs), default=0.), int((ones[:, 1] >= bound).sum())


def candidates(detector: Detector, images: npt.ArrayLike) -> np.ndarray:
    """What the first image's detections are chosen from: [N, 6] of class, score, clipped box.

    Those that score too little to be compared are left out.
    """
    compute = tf.function(functools.partial(before_suppression, detector), autograph=False)
    found = compute(tf.constant(images))
    boxes, scores = np.clip(found.boxes[0], 0, 1), found.scores[0, :, 1:].numpy()
    number, label = np.nonzero(scores >= _SURE / 2)
    return np.column_stack([label + 1, scores[number, label], boxes[number]])


def same_but_for_ties(one: Detections, other: Detections, chosen_from: np.ndarray,
                      tolerance: float, limits: Limits) -> bool:
    """Whether both results suppress overlaps rightly, though of equally good boxes not the same.

    Where a network scores many boxes alike, such as after few steps of training, the last bit of
    a score decides which of two boxes suppresses the other.

    Args:
        one: arrays or tensors; of the first image.
        other: the same.
        chosen_from: `candidates` of the detector whose result is `other`.
        tolerance: largest difference in corners and scores.
        limits: of both.

    Returns:
        True where each sure detection of `one` is a candidate, and each of either that the other
        lacks is suppressed there, by a detection that scores as much and is in turn lacking here.
    """
    bound = _bound(one, other, limits.score_threshold)
    ones, others = _rows(one), _rows(other)
    lacking = [np.array([row for row in rows if _nearest(row, there) > tolerance]).reshape(-1, 6)
               for rows, there in ((ones, others), (others, ones))]
    return all(_suppressed(row, by, tolerance, limits.nms_threshold)
               for rows, by in (lacking, lacking[::-1]) for row in rows if row[1] >= bound
               ) and all(_nearest(row, chosen_from) <= tolerance for row in ones if row[1] >= bound)


def _suppressed(row, rows, tolerance, nms_threshold):
    """Whether one of the rows scores as much and overlaps: half of the threshold is enough, as
    boxes are clipped to the image after suppression.
    """
    rows = rows[(rows[:, 0] == row[0]) & (rows[:, 1] >= row[1] - tolerance)]
    return bool((box_ops.iou(row[None, 2:], rows[:, 2:]) > nms_threshold / 2).any())


def _bound(one, other, score_threshold):
    """The score of a sure detection."""
    return max(_SURE, score_threshold * 1.05, *map(_last, (one, other)))


def _last(found):
    """Score from which on detections are surely in a list; 0 where it is not full."""
    scores, count = np.asarray(found.scores)[0], int(found.counts[0])
    return float(scores[-1]) + _NEAR_LAST if 0 < len(scores) == count else 0.


def _rows(found):
    """[D, 6]: class, score, box."""
    boxes, scores, classes, count = (np.asarray(values)[0] for values in found)
    return np.column_stack([classes, scores, boxes])[:int(count)]


def _nearest(row, rows):
    rows = rows[rows[:, 0] == row[0]]
    return float(np.abs(rows - row).max(axis=1).min()) if len(rows) else float('inf')
