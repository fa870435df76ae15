"""Box arithmetic in numpy.

Boxes are [ymin, xmin, ymax, xmax] in [0, 1], or where the name says centers: [cy, cx, h, w].
"""
from collections.abc import Sequence

import numpy as np

# Offsets are divided by these, so that all four have similar spread (ssd_pascal.py: prior_variance
# .1 .1 .2 .2). In the order cy, cx, h, w.
VARIANCES = (0.1, 0.1, 0.2, 0.2)


def corners_to_centers(boxes: np.ndarray) -> np.ndarray:
    """boxes [..., 4] ymin, xmin, ymax, xmax -> [..., 4] cy, cx, h, w."""
    low, high = boxes[..., :2], boxes[..., 2:]
    return np.concatenate([(low + high) / 2, high - low], axis=-1)


def centers_to_corners(centers: np.ndarray) -> np.ndarray:
    """centers [..., 4] cy, cx, h, w -> [..., 4] ymin, xmin, ymax, xmax."""
    middle, half = centers[..., :2], centers[..., 2:] / 2
    return np.concatenate([middle - half, middle + half], axis=-1)


def areas(boxes: np.ndarray) -> np.ndarray:
    """boxes [..., 4] corners -> [...]; an inverted box has area 0."""
    return np.prod(np.maximum(boxes[..., 2:] - boxes[..., :2], 0), axis=-1)


def iou(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Intersection over union: first [M, 4], second [N, 4], corners -> [M, N] in [0, 1]."""
    first, second = first[:, None], second[None]
    low = np.maximum(first[..., :2], second[..., :2])
    high = np.minimum(first[..., 2:], second[..., 2:])
    intersection = np.prod(np.maximum(high - low, 0), axis=-1)
    union = areas(first) + areas(second) - intersection
    return np.where(union > 0, intersection / np.where(union > 0, union, 1), 0)


def encode(boxes: np.ndarray, defaults: np.ndarray,
           variances: Sequence[float] = VARIANCES) -> np.ndarray:
    """Offsets of boxes from their default boxes, SSD paper equation (2).

    Args:
        boxes: [K, 4] corners.
        defaults: [K, 4] centers.
        variances: divisors of the four offsets.

    Returns:
        float32 [K, 4] cy, cx, h, w.
    """
    centers = corners_to_centers(boxes)
    offsets = np.concatenate([(centers[..., :2] - defaults[..., :2]) / defaults[..., 2:],
                              np.log(centers[..., 2:] / defaults[..., 2:])], axis=-1)
    return (offsets / np.asarray(variances)).astype(np.float32)


def decode(offsets: np.ndarray, defaults: np.ndarray,
           variances: Sequence[float] = VARIANCES) -> np.ndarray:
    """The inverse of `encode`: offsets [..., K, 4] -> [..., K, 4] corners, not clipped."""
    offsets = offsets * np.asarray(variances, offsets.dtype)
    centers = np.concatenate([offsets[..., :2] * defaults[..., 2:] + defaults[..., :2],
                              np.exp(offsets[..., 2:]) * defaults[..., 2:]], axis=-1)
    return centers_to_corners(centers)
