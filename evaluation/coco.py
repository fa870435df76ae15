"""COCO's average precision and recall for boxes, in numpy; by the rule of pycocotools' COCOeval.

The rule: of each image and class the 100 best detections by descending score. Each takes the object of its class that it overlaps
most among those not taken yet, if their IoU reaches the threshold; an object that counts is taken before one that is ignored.
A detection on an ignored object is neither right nor wrong, one without object is wrong. AP is the mean of the best precision at
recall >= 0, .01, ..., 1, over IoU thresholds .5, .55, ..., .95, then over the classes that have objects.

Small, medium and large are areas of up to 32 x 32, up to 96 x 96 and from 96 x 96 pixels on. Objects of another area are ignored,
and so are detections of another area that take no object.

What VOC data mean by this:
* Areas are those of boxes; COCO's own data have areas of masks.
* A box of inclusive pixels xmin..xmax is the stretch from xmin - 1 to xmax, COCO's x = xmin - 1, width = xmax - xmin + 1. Both
  rules then compute the same IoU.
* `difficult` is COCO's `ignore` flag: such an object is ignored like one of another area, so one detection may take it; a second
  one there is wrong. It is no `iscrowd`, which several may take, by another IoU. (pycocotools overwrites `ignore` by `iscrowd`.)

Source: cocodataset/cocoapi, PythonAPI/pycocotools/cocoeval.py.
"""
import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from evaluation import voc as voc_eval

THRESHOLDS = np.linspace(.5, .95, 10)
AREAS = {'all': (0, 1e10), 'small': (0, 32**2), 'medium': (32**2, 96**2), 'large': (96**2, 1e10)}
LIMITS = (1, 10, 100)
_RECALLS = np.linspace(0, 1, 101)


@dataclasses.dataclass(frozen=True)
class Result:
    """Average precision and recall of every class; NaN where it has no object of that area.

    classes: names, C.  ap: float64 [C, areas, thresholds].  recall: float64 [C, areas, thresholds, LIMITS], with so many
    detections per image and class.
    """
    classes: tuple[str, ...]
    ap: np.ndarray
    recall: np.ndarray

    def summary(self) -> dict[str, float]:
        """COCO's twelve numbers over all classes; NaN (COCO's -1) where no class has objects."""
        return _summary(self.ap, self.recall)

    def of_class(self, name: str) -> dict[str, float]:
        """The twelve numbers of one class; ValueError where it is unknown."""
        number = self.classes.index(name)
        return _summary(self.ap[[number]], self.recall[[number]])


def _summary(ap, recall):
    numbers = {'AP': _mean(ap[:, 0]), 'AP50': _mean(ap[:, 0, 0]), 'AP75': _mean(ap[:, 0, 5])}
    numbers |= {f'AP_{area}': _mean(ap[:, number]) for number, area in enumerate(AREAS) if area != 'all'}
    numbers |= {f'AR{limit}': _mean(recall[:, 0, :, number]) for number, limit in enumerate(LIMITS)}
    return numbers | {f'AR_{area}': _mean(recall[:, number, :, -1]) for number, area in enumerate(AREAS) if area != 'all'}


def _mean(values):
    values = values[~np.isnan(values)]
    return float(values.mean()) if values.size else float('nan')


def evaluate(detections: Mapping[str, voc_eval.Detection], ground_truths: Mapping[str, voc_eval.GroundTruth],
             classes: Sequence[str]) -> Result:
    """Arguments and errors are those of evaluation.voc.evaluate. Equal scores come in the order of the images of
    ground_truths, and within one in the order of its detections.
    """
    voc_eval.refuse_strays(detections, ground_truths)
    rows = voc_eval.Rows(detections, ground_truths)
    entries = [_evaluate_class(label, rows) for label in range(1, len(classes) + 1)]
    return Result(tuple(classes), np.array([ap for ap, _ in entries]), np.array([recall for _, recall in entries]))


def _evaluate_class(label, rows):
    """-> (ap [areas, thresholds], recall [areas, thresholds, limits])."""
    mine, rank = _best_of_each_image(label, rows)
    objects = np.flatnonzero(rows.object_labels == label)
    ignored = rows.difficult[objects] | _outside(rows.object_boxes[objects])
    taken, excused = _match(rows, mine, objects, ignored)
    excused |= ~taken & _outside(rows.boxes[mine])[:, None]
    right, wrong = taken & ~excused, ~taken & ~excused
    order = np.argsort(-rows.scores[mine], kind='stable')
    ap = np.full(taken.shape[:2], np.nan)
    recall = np.full([*taken.shape[:2], len(LIMITS)], np.nan)
    for area, total in enumerate((~ignored).sum(axis=1).tolist()):
        for threshold in range(len(THRESHOLDS) if total else 0):
            hits = right[area, threshold]
            ap[area, threshold] = average_precision(hits[order], wrong[area, threshold][order], total)
            recall[area, threshold] = [hits[rank < limit].sum() / total for limit in LIMITS]
    return ap, recall


def _best_of_each_image(label, rows):
    """A class's detections by image, there by descending score, LIMITS[-1] at most -> (rows, rank in the image)."""
    mine = np.flatnonzero(rows.labels == label)
    mine = mine[np.lexsort((-rows.scores[mine], rows.image[mine]))]
    first = np.searchsorted(rows.image[mine], rows.image[mine])
    rank = np.arange(len(mine)) - first
    return mine[rank < LIMITS[-1]], rank[rank < LIMITS[-1]]


def _outside(boxes):
    """bool [areas, N]: which boxes are not of that area; both bounds belong to it."""
    area = (boxes[:, 2] - boxes[:, 0] + 1) * (boxes[:, 3] - boxes[:, 1] + 1)
    return np.array([(area < low) | (area > high) for low, high in AREAS.values()])


def _match(rows, mine, objects, ignored):
    """Which detections take an object, and which of them an ignored one: bool [areas, thresholds, D] each.

    mine: rows of the class's detections, best first in each image.  objects: rows of its objects.  ignored: bool [areas, R].
    """
    shape = len(AREAS), len(THRESHOLDS)
    takes, excused = np.zeros([*shape, len(mine)], bool), np.zeros([*shape, len(mine)], bool)
    gone = np.zeros([*shape, len(objects)], bool)
    for detection, near, overlap in _candidates(rows, mine, objects):
        free = ~gone[:, :, near] & (overlap >= THRESHOLDS[:, None])  # [areas, thresholds, candidates]
        counting = free & ~ignored[:, None, near]
        usable = np.where(counting.any(axis=2, keepdims=True), counting, free)
        takes[:, :, detection] = usable.any(axis=2)
        area, threshold = np.nonzero(takes[:, :, detection])
        best = near[usable[area, threshold].argmax(axis=1)]  # the first, as they come by descending IoU
        gone[area, threshold, best] = True
        excused[area, threshold, detection] = ignored[area, best]
    return takes, excused


def _candidates(rows, mine, objects):
    """Yields (position in `mine`, positions in `objects` by descending IoU, IoU) of every detection that reaches the lowest
    threshold with some object. Of equal ones the last object comes first, as in pycocotools.
    """
    detection, partner = voc_eval.pairs(rows, mine, objects)
    overlap = voc_eval.pair_overlaps(rows.boxes[mine[detection]], rows.object_boxes[partner])
    near = np.flatnonzero(overlap >= THRESHOLDS[0])
    near = near[np.lexsort((-partner[near], -overlap[near], detection[near]))]
    position = np.searchsorted(objects, partner[near])
    who, first = np.unique(detection[near], return_index=True)
    yield from zip(who.tolist(), np.split(position, first[1:]), np.split(overlap[near], first[1:]), strict=False)


def average_precision(right: np.ndarray, wrong: np.ndarray, total: int) -> float:
    """Mean over 101 levels of recall of the best precision there. right, wrong: bool [D] by descending score; neither: excused.
    total: objects that count, at least 1.
    """
    found, failed = np.cumsum(right), np.cumsum(wrong)
    precision = found / np.maximum(found + failed, 1)
    envelope = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0.)
    return float(envelope[np.searchsorted(found / total, _RECALLS)].mean())
