"""pycocotools' COCOeval on the data of evaluation.coco, for comparison.

    python3 -m tests.evaluation.pycocotools_reference --detections DIR --voc VOCDIR --image_set test

compares both on the detections of a real detector and prints the largest difference.
"""
import contextlib
import io
import sys
import time

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from evaluation import coco as coco_eval
from evaluation import voc_files


class _WithIgnore(COCOeval):
    """COCOeval, with the `ignore` flag that its _prepare overwrites by `iscrowd`."""

    def _prepare(self):
        super()._prepare()
        for annotation in (a for annotations in self._gts.values() for a in annotations):
            annotation['ignore'] = annotation['difficult'] or annotation['iscrowd']


def evaluate(detections, ground_truths, classes):
    """As evaluation.coco.evaluate -> (its ap, its recall, the twelve numbers)."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth, found = (
            _coco(ground_truths, ground_truths, classes), _coco(detections, ground_truths, classes)
        )
        evaluation = _WithIgnore(truth, found, 'bbox')
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    # precision [T, levels, C, areas, limits], recall [T, C, areas, limits]
    ap = evaluation.eval['precision'][..., -1].mean(axis=1).transpose(1, 2, 0)
    recall = evaluation.eval['recall'].transpose(1, 2, 0, 3)
    return tuple(
        np.where(values == -1, np.nan, values) for values in (ap, recall, evaluation.stats)
    )


def _coco(entries, images, classes):
    """Ground truths or detections as COCO's dataset. Image ids count the images: the order."""
    rows = []
    for number, image in enumerate(images):
        if image not in entries:
            continue
        entry = entries[image]
        scores = getattr(entry, 'scores', np.zeros(len(entry.labels)))
        difficult = getattr(entry, 'difficult', np.zeros(len(entry.labels), bool))
        crowd = getattr(entry, 'crowd', None)
        crowd = np.zeros(len(entry.labels), bool) if crowd is None else crowd
        columns = entry.boxes, entry.labels, scores, difficult, crowd
        rows += [_annotation(number, *values) for values in zip(*columns, strict=True)]
    data = COCO()
    data.dataset = {
        'images': [{'id': number} for number in range(len(images))],
        'categories': [{'id': label} for label in range(1, len(classes) + 1)],
        'annotations': [row | {'id': number} for number, row in enumerate(rows, start=1)],
    }
    data.createIndex()
    return data


def _annotation(image, box, label, score, difficult, crowd):
    ymin, xmin, ymax, xmax = (float(side) for side in box)
    width, height = xmax - xmin, ymax - ymin
    return {'image_id': image, 'category_id': int(label), 'bbox': [xmin, ymin, width, height],
            'area': width * height, 'score': float(score), 'iscrowd': int(crowd),
            'difficult': int(difficult)}


def largest_difference(ours: coco_eval.CocoResult, theirs) -> float:
    """Over every class, area, threshold and limit; infinite if only one of both is NaN."""
    difference = 0.
    for mine, other in zip(
        (ours.ap, ours.recall, np.array(list(ours.summary().values()))), theirs, strict=True
    ):
        if (np.isnan(mine) != np.isnan(other)).any():
            return float('inf')
        difference = max(difference, float(np.nanmax(np.abs(mine - other), initial=0.)))
    return difference


def main():
    options = voc_files.options_parser(
        'python3 -m tests.evaluation.pycocotools_reference', __doc__
    ).parse_args()
    classes, truths, detections, _ = voc_files.read_both(options)
    times = [time.monotonic()]
    ours = coco_eval.evaluate(detections, truths, classes)
    times.append(time.monotonic())
    theirs = evaluate(detections, truths, classes)
    times.append(time.monotonic())
    for (name, mine), other in zip(ours.summary().items(), theirs[2], strict=True):
        print(f'{name:<10} {mine:9.6f} {other:9.6f}')
    difference = largest_difference(ours, theirs)
    print(
        f'largest difference {difference:.2g}; {times[1] - times[0]:.1f} s, '
        f'pycocotools {times[2] - times[1]:.1f} s'
    )
    return int(difference > 1e-6)


if __name__ == '__main__':
    sys.exit(main())
