"""Ground truths and detections of one image, from rows with boxes in VOC pixels."""
import numpy as np

from datasets import voc
from evaluation.voc import Detection, GroundTruth


def edges_of(boxes):
    """VOC pixels -> float64 [N, 4], pixel edges."""
    return voc.from_voc_pixels(np.array(boxes, float).reshape(-1, 4))


def truth_of(*rows, crowd=None):
    """rows: (box, label, difficult)."""
    boxes, labels, difficult = zip(*rows, strict=True) if rows else ((), (), ())
    return GroundTruth(edges_of(boxes), np.array(labels, int), np.array(difficult, bool),
                       None if crowd is None else np.array(crowd))


def found_of(*rows):
    """rows: (box, label, score)."""
    boxes, labels, scores = zip(*rows, strict=True) if rows else ((), (), ())
    return Detection(edges_of(boxes), np.array(labels, int), np.array(scores, float))
