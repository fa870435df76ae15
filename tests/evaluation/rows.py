"""Ground truths and detections of one image, from rows."""
import numpy as np

from evaluation.voc import Detection, GroundTruth


def truth_of(*rows):
    """rows: (box, label, difficult)."""
    return GroundTruth(np.array([r[0] for r in rows], float).reshape(-1, 4), np.array([r[1] for r in rows], int),
                       np.array([r[2] for r in rows], bool))


def found_of(*rows):
    """rows: (box, label, score)."""
    return Detection(np.array([r[0] for r in rows], float).reshape(-1, 4), np.array([r[1] for r in rows], int),
                     np.array([r[2] for r in rows], float))
