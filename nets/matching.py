"""Which default box learns which object: the reference in numpy; TensorFlow's is `nets.targets`.

Source: SSD paper section 2.2 "Matching strategy"; weiliu89/caffe, branch ssd,
src/caffe/util/bbox_util.cpp, MatchBBox with match_type PER_PREDICTION.
"""
import typing

import numpy as np
import numpy.typing as npt

from nets import boxes as box_ops

# Caffe ignores pairs that overlap less, also where the threshold is 0.
SMALLEST_OVERLAP = 1e-6


class Match(typing.NamedTuple):
    """What each default box learns.

    Attributes:
        objects: int32 [K], index of its object, -1 where it has none.
        classes: int32 [K], that object's label, 0 (background) where there is none.
        offsets: float32 [K, 4] cy, cx, h, w from the default box to its object, else 0.
    """
    objects: np.ndarray
    classes: np.ndarray
    offsets: np.ndarray


def match(boxes: npt.ArrayLike, labels: npt.ArrayLike, defaults: npt.ArrayLike,
          threshold: float = 0.5) -> Match:
    """Matches objects and default boxes of one image.

    1. Greedy bipartite: the pair with the largest IoU first; each object gets its best default box
       that is still free.
    2. Every other default box takes the object that it overlaps most, if IoU >= threshold.

    Args:
        boxes: [R, 4] corners in [0, 1]; R may be 0.
        labels: [R], from 1.
        defaults: [K, 4] centers.
        threshold: IoU of step 2.
    """
    # As float32, in which the TensorFlow twin computes: what ties there must tie here.
    boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
    defaults = np.asarray(defaults, np.float32).reshape(-1, 4)
    overlaps = box_ops.iou(box_ops.centers_to_corners(defaults), boxes)  # [K, R]
    objects = np.full(len(defaults), -1, np.int32)
    if overlaps.shape[1]:
        best = overlaps.argmax(axis=1)
        near = overlaps.max(axis=1) >= max(threshold, SMALLEST_OVERLAP)
        objects[near] = best[near]
        for default, index in bipartite(overlaps):
            objects[default] = index
    matched = objects >= 0
    classes = np.zeros(len(objects), np.int32)
    offsets = np.zeros((len(objects), 4), np.float32)
    classes[matched] = np.asarray(labels)[objects[matched]]
    offsets[matched] = box_ops.encode(boxes[objects[matched]], defaults[matched])
    return Match(objects, classes, offsets)


def bipartite(overlaps: np.ndarray) -> list[tuple[int, int]]:
    """Pairs (default box, object), largest IoU first, no box and no object twice.

    Ties go to the lower default box, then to the lower object. Objects that overlap nothing have no
    pair.

    Args:
        overlaps: [K, R], IoU.
    """
    free = overlaps.copy()
    pairs = []
    for _ in range(overlaps.shape[1]):
        default, index = np.unravel_index(free.argmax(), free.shape)
        if free[default, index] <= SMALLEST_OVERLAP:
            break
        pairs.append((int(default), int(index)))
        free[default, :] = -1
        free[:, index] = -1
    return pairs
