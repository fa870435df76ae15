"""Ground truths and detections: of one image from rows in VOC pixels, and of drawn files."""
import numpy as np

from datasets import shapes
from datasets.readers import voc
from evaluation import voc_files
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


def drawn_files(folder, images, shift=0, score=1.):
    """Draws test images and writes detections of all their objects -> arguments of a command.

    shift: of the detected boxes, pixels.
    """
    shapes.write_voc(folder / 'shapes', train=0, test=images)
    truths = voc_files.read_ground_truths(folder / 'shapes', 'test', shapes.SHAPES)
    found = {image: Detection(truth.boxes + shift, truth.labels, np.full(len(truth.labels), score))
             for image, truth in truths.items()}
    voc_files.write_detections(folder / 'found', 'test', shapes.SHAPES, found)
    return ['--detections', str(folder / 'found'), '--voc', str(folder / 'shapes'),
            '--image_set', 'test', '--classes', str(folder / 'shapes/classes.txt')]
