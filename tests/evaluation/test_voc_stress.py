"""Evaluation against its rule, written as plain loops, on extreme scenes."""

import numpy as np
import pytest

from datasets.readers import voc
from evaluation import voc as voc_eval
from evaluation.voc import Detection, GroundTruth


def _plain(detections, truths, label, threshold=.5):
    """As py-faster-rcnn's voc_eval.py, on VOC pixels: -> (precision, recall)."""
    rows = [
        (score, image, box)
        for image, found in detections.items()
        for box, score, of in zip(
            voc.to_voc_pixels(found.boxes), found.scores, found.labels, strict=True
        )
        if of == label
    ]
    rows.sort(key=lambda row: -row[0])  # stable
    objects = {
        image: [
            [voc.to_voc_pixels(truth.boxes)[i], truth.difficult[i], False]
            for i in np.flatnonzero(truth.labels == label)
        ]
        for image, truth in truths.items()
    }
    total = sum(not difficult for found in objects.values() for _, difficult, _ in found)
    right = wrong = 0
    precision, recall = [], []
    for _, image, box in rows:
        best, overlap = None, -1.
        for item in objects[image]:
            height, width = (
                min(box[2 + s], item[0][2 + s]) - max(box[s], item[0][s]) + 1 for s in (0, 1)
            )
            if height > 0 and width > 0:
                areas = sum((b[2] - b[0] + 1) * (b[3] - b[1] + 1) for b in (box, item[0]))
                value = height * width / (areas - height * width)
                if value > overlap:
                    best, overlap = item, value
        if overlap > threshold and not best[1]:
            right, wrong = (right, wrong + 1) if best[2] else (right + 1, wrong)
            best[2] = True
        elif overlap <= threshold:
            wrong += 1
        precision.append(right / max(right + wrong, 1))
        recall.append(right / total if total else 0.)
    return precision, recall


def _boxes(random, count, side=None):
    sides = np.full([count, 2], side) if side else random.integers(1, 100, [count, 2])
    corners = random.integers(1, 100, [count, 2])
    return np.concatenate([corners, corners + sides - 1], axis=1).astype(float)


def _scene(kind, random):
    """-> (detections, truths, classes)."""
    classes = {'one class': 1, '200 classes': 200}.get(kind, 3)
    detections, truths = {}, {}
    for image in map(str, range(8)):
        objects = {'no object': 0, '500 objects': 500 if image == '0' else 2}.get(
            kind, int(random.integers(0, 6))
        )
        found = {'no detection': 0}.get(kind, int(random.integers(0, 40)))
        boxes = np.tile([10., 10, 40, 40], [objects, 1]) if kind == 'identical' else _boxes(
            random, objects, 1 if kind == 'pixels' else None)
        guesses = (
            boxes[random.integers(objects, size=found)]
            + random.integers(-8, 8, [found, 4]) * (kind != 'pixels')
            if objects
            else _boxes(random, found)
        )
        guesses[:, 2:] = np.maximum(guesses[:, 2:], guesses[:, :2])
        truths[image] = GroundTruth(
            voc.from_voc_pixels(boxes),
            random.integers(1, classes + 1, objects),
            np.ones(objects, bool) if kind == 'all difficult' else random.random(objects) < 0.2,
        )
        scores = np.full(found, .5) if kind == 'equal scores' else random.random(found).round(2)
        detections[image] = Detection(
            voc.from_voc_pixels(guesses), random.integers(1, classes + 1, found), scores
        )
    return detections, truths, classes


@pytest.mark.parametrize(
    'kind',
    [
        'plain',
        'one class',
        '200 classes',
        'no object',
        'no detection',
        '500 objects',
        'all difficult',
        'identical',
        'pixels',
        'equal scores',
    ],
)
@pytest.mark.parametrize('seed', range(3))
def test_equals_plain_loops(kind, seed):
    detections, truths, classes = _scene(kind, np.random.default_rng(seed))
    result = voc_eval.evaluate(detections, truths, [str(label) for label in range(classes)])
    for label, entry in enumerate(result.classes, start=1):
        precision, recall = _plain(detections, truths, label)
        np.testing.assert_allclose(entry.precision, precision, atol=1e-12)
        np.testing.assert_allclose(entry.recall, recall, atol=1e-12)
