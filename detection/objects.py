"""Detected objects with their names, in pixels of the image. No TensorFlow."""
import typing
from collections.abc import Sequence

import numpy as np


class Box(typing.NamedTuple):
    """Edges in pixels of the image: its left and upper edges are 0, its right edge is its width."""
    xmin: float
    ymin: float
    xmax: float
    ymax: float


class DetectedObject(typing.NamedTuple):
    """One object in an image.

    Attributes:
        name: of its class.
        score: 0..1; None for ground truth.
        box: in pixels.
        label: number of its class, from 1.
    """
    name: str
    score: float | None
    box: Box
    label: int


def named(boxes: np.ndarray, labels: np.ndarray, scores: np.ndarray | None, classes: Sequence[str],
          height: int, width: int) -> list[DetectedObject]:
    """Objects from arrays.

    Args:
        boxes: [D, 4] corners ymin, xmin, ymax, xmax in [0, 1].
        labels: int [D], from 1.
        scores: [D] in [0, 1], or None for ground truth.
        classes: names of labels 1, 2, ...
        height: of the image, pixels.
        width: of the image, pixels.
    """
    pixels = np.asarray(boxes, np.float64).reshape(-1, 4)[:, [1, 0, 3, 2]]
    pixels = pixels * [width, height, width, height]
    values = [None] * len(pixels) if scores is None else [float(score) for score in scores]
    return [DetectedObject(classes[label - 1], score, Box(*box), int(label))
            for label, score, box in zip(labels, values, pixels.tolist(), strict=True)]
