"""PASCAL VOC's average precision, in numpy; for the detections of any detector.

    python3 -m datasets.voc_eval --detections DIR --voc VOCDIR --image_set test [--metric 07|area]

The rule: the detections of a class come by descending score. Each one belongs to the object of its
class that it overlaps most in its image. If their IoU is above 0.5, it is right if no earlier
detection was, and wrong otherwise; on a difficult object it is neither. Any other detection is
wrong. Difficult objects, and crowd regions with them, are not counted.

It is that of py-faster-rcnn's lib/datasets/voc_eval.py, a port of the VOC devkit. The devkit itself
(VOCevaldet.m) differs in one point: there an IoU of exactly 0.5 is right.

Boxes are pixel edges: a box over the whole image goes from 0 to its width. The devkit computes the
same IoU from VOC's inclusive pixels, as (max - min + 1).
"""
import copy
import dataclasses
import typing
from collections.abc import Mapping, Sequence

import numpy as np

from utils.errors import DataError

METRICS = ('07', 'area')


@dataclasses.dataclass(frozen=True)
class GroundTruth:
    """The objects of one image.

    Attributes:
        boxes: float64 [R, 4] ymin, xmin, ymax, xmax, pixel edges.
        labels: int [R], from 1.
        difficult: bool [R], objects that do not count.
        crowd: bool [R], COCO's crowd regions, which do not count either; None: there are none.
    """
    boxes: np.ndarray
    labels: np.ndarray
    difficult: np.ndarray
    crowd: np.ndarray | None = None


@dataclasses.dataclass(frozen=True)
class Detection:
    """The detections of one image.

    Attributes:
        boxes: float64 [D, 4] ymin, xmin, ymax, xmax, pixel edges.
        labels: int [D], from 1.
        scores: [D].
        ranks: [D], the order of equal scores over all images; None: the order of the images.
    """
    boxes: np.ndarray
    labels: np.ndarray
    scores: np.ndarray
    ranks: np.ndarray | None = None


class OperatingPoint(typing.NamedTuple):
    """What the detections with at least this score reach. f1: harmonic mean of the two."""
    threshold: float
    precision: float
    recall: float
    f1: float


@dataclasses.dataclass(frozen=True)
class ClassResult:
    """The precision-recall curve of one class.

    Attributes:
        name: of the class.
        ap: average precision; NaN if there is no object.
        ground_truths: number of objects, without difficult ones.
        detections: number of detections, D.
        precision: [D], after each detection.
        recall: [D], after each detection.
        scores: [D], descending.
    """
    name: str
    ap: float
    ground_truths: int
    detections: int
    precision: np.ndarray
    recall: np.ndarray
    scores: np.ndarray

    def best_f1(self) -> OperatingPoint:
        """The score threshold with the highest F1; of equal ones the highest.

        All NaN if there are no objects; threshold NaN if no detection is right.
        """
        if not self.ground_truths:
            return OperatingPoint(*[float('nan')] * 4)
        # A threshold keeps all of equal scores, or none.
        last = np.flatnonzero(np.diff(self.scores, append=-np.inf))
        precision, recall = self.precision[last], self.recall[last]
        f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
        if not f1.any():
            return OperatingPoint(float('nan'), 0., 0., 0.)
        columns = (self.scores[last], precision, recall, f1)
        return OperatingPoint(*(float(column[f1.argmax()]) for column in columns))


@dataclasses.dataclass(frozen=True)
class VocResult:
    """All classes by one metric: '07' (11-point) or 'area' (all-point)."""
    metric: str
    classes: tuple[ClassResult, ...]

    @property
    def mean_ap(self) -> float:
        """Over the classes that have objects; NaN if none has."""
        return self.mean_over(1)

    def by(self, metric: str) -> 'VocResult':
        """The same curves by another metric; ValueError if it is unknown."""
        return VocResult(metric, tuple(
            dataclasses.replace(entry, ap=_ap(entry.precision, entry.recall, entry.ground_truths,
                                              metric)) for entry in self.classes))

    def mean_over(self, objects: int) -> float:
        """Mean AP over the classes with at least so many objects; NaN if there is none."""
        values = [entry.ap for entry in self.classes if entry.ground_truths >= objects]
        return float(np.mean(values)) if values else float('nan')


def average_precision(precision: np.ndarray | Sequence[float],
                      recall: np.ndarray | Sequence[float], metric: str) -> float:
    """AP of a precision-recall curve; 0 for an empty one.

    Args:
        precision: [D], in the order of descending score.
        recall: [D], in the same order.
        metric: '07', the mean of the best precision at recall >= 0, .1, ..., 1 (VOC2007), or
            'area', the area under the monotonous curve (VOC2010 and later); else ValueError.
    """
    precision, recall = np.asarray(precision, float), np.asarray(recall, float)
    if metric == '07':
        # As in published figures, the seventh level is 0.6000000000000001, which 3 of 5 does not
        # reach. Exact tenths would give other figures at recalls of 0.3, 0.6 and 0.7.
        levels = np.linspace(0, 1, 11)
        return float(sum(precision[recall >= level].max(initial=0) for level in levels) / 11)
    if metric != 'area':
        raise ValueError(f"unknown metric '{metric}'; known: {', '.join(METRICS)}")
    envelope = np.maximum.accumulate(np.concatenate([precision, [0.]])[::-1])[::-1][:-1]
    return float(np.sum(np.diff(recall, prepend=0.) * envelope))


class Rows:
    """All detections and objects as columns, one row each. Images are positions in `names`.

    Attributes:
        names: ids of the images.
        image, boxes, labels, scores, ranks: columns of the detections.
        object_image, object_boxes, object_labels, difficult, crowd: columns of the objects.

    Raises:
        DataError: detections of images without ground truth.
    """

    def __init__(self, detections: Mapping[str, Detection],
                 ground_truths: Mapping[str, GroundTruth]):
        if stray := set(detections) - set(ground_truths):
            raise DataError(f'detections of {len(stray)} images that are not in the image set, '
                            f'first {min(stray)}')
        self.names = list(ground_truths)
        position = {image: number for number, image in enumerate(self.names)}
        images = np.array([position[image] for image in detections], int)
        entries, truths = list(detections.values()), list(ground_truths.values())
        self.image = np.repeat(images, [len(entry.labels) for entry in entries])
        self.boxes = _column(entries, 'boxes', np.zeros([0, 4]))
        self.labels = _column(entries, 'labels', np.zeros(0, int))
        self.scores = _column(entries, 'scores', np.zeros(0))
        self.ranks = _column(entries, 'ranks', np.zeros(0))
        self.object_image = np.repeat(np.arange(len(truths)), [len(t.labels) for t in truths])
        self.object_boxes = _column(truths, 'boxes', np.zeros([0, 4]))
        self.object_labels = _column(truths, 'labels', np.zeros(0, int))
        self.crowd = _column(truths, 'crowd', np.zeros(0, bool))
        self.difficult = _column(truths, 'difficult', np.zeros(0, bool)) | self.crowd

    def replaced(self, **columns: np.ndarray) -> 'Rows':
        """A copy with other columns."""
        result = copy.copy(self)
        vars(result).update(columns)
        return result

    def kept(self, mask: np.ndarray) -> 'Rows':
        """A copy with some of the detections. mask: bool [D]."""
        columns = ('image', 'boxes', 'labels', 'scores', 'ranks')
        return self.replaced(**{name: getattr(self, name)[mask] for name in columns})


def _column(entries, name, empty):
    """One attribute of all entries; zeros where it is None."""
    values = ((getattr(entry, name), len(entry.labels)) for entry in entries)
    return np.concatenate([empty, *(np.zeros(count, empty.dtype) if value is None else value
                                    for value, count in values)])


def evaluate(detections: Mapping[str, Detection], ground_truths: Mapping[str, GroundTruth],
             classes: Sequence[str], metric: str = '07', threshold: float = 0.5) -> VocResult:
    """Average precision of every class, by the rule above.

    Args:
        detections: by image id; images without any may be missing.
        ground_truths: of every image, by id.
        classes: names of labels 1, 2, ...
        metric: see `average_precision`.
        threshold: IoU above which a detection is right.

    Raises:
        DataError: detections of images without ground truth.
        ValueError: unknown metric.
    """
    return evaluate_rows(Rows(detections, ground_truths), classes, metric, threshold)


def evaluate_rows(rows: Rows, classes: Sequence[str], metric: str = '07', threshold: float = 0.5
                  ) -> VocResult:
    """As `evaluate`, of rows."""
    return VocResult(metric, tuple(_evaluate_class(label, name, rows, metric, threshold)
                                   for label, name in enumerate(classes, start=1)))


def _evaluate_class(label, name, rows, metric, threshold):
    total = int((~rows.difficult[rows.object_labels == label]).sum())
    matched = matches(label, rows, threshold)
    hits = matched.hit
    right, wrong = np.cumsum(hits == 1), np.cumsum(hits == -1)
    recall = right / total if total else np.zeros(len(hits))
    precision = right / np.maximum(right + wrong, 1)
    return ClassResult(name, _ap(precision, recall, total, metric), total, len(hits), precision,
                       recall, rows.scores[matched.detection])


def _ap(precision, recall, total, metric):
    return average_precision(precision, recall, metric) if total else float('nan')


class Matches(typing.NamedTuple):
    """The detections of a class by descending score, each with the object that it overlaps most.

    Attributes:
        detection: [D], its row in `Rows`.
        hit: [D], 1 right, -1 wrong, 0 on a difficult object.
        object: [D], row of the object, -1 if there is none.
        overlap: [D], IoU with it.
    """
    detection: np.ndarray
    hit: np.ndarray
    object: np.ndarray
    overlap: np.ndarray


def matches(label: int, rows: Rows, threshold: float = 0.5) -> Matches:
    """Compares the detections of a class with its objects. threshold: as for `evaluate`."""
    mine = np.flatnonzero(rows.labels == label)
    mine = mine[np.lexsort((rows.ranks[mine], -rows.scores[mine]))]
    best, overlap = best_objects(rows, mine, np.flatnonzero(rows.object_labels == label))
    near = np.flatnonzero(overlap > threshold)
    difficult = rows.difficult[best[near]]
    hit = np.full(len(mine), -1)
    hit[near[difficult]] = 0
    near = near[~difficult]
    hit[near[np.unique(best[near], return_index=True)[1]]] = 1  # the first one on each object
    return Matches(mine, hit, best, overlap)


def best_objects(rows: Rows, mine: np.ndarray, objects: np.ndarray
                 ) -> tuple[np.ndarray, np.ndarray]:
    """The object of its image that each detection overlaps most, the first of equal ones.

    Args:
        rows: all detections and objects.
        mine: rows of detections, [D].
        objects: rows of objects, ascending.

    Returns:
        Row of the object [D], -1 if there is none, and IoU [D].
    """
    # All pairs of a detection and an object of its image, by detection, then by object.
    counts = np.bincount(rows.object_image[objects], minlength=len(rows.names))
    starts = (np.cumsum(counts) - counts)[rows.image[mine]]
    counts = counts[rows.image[mine]]
    firsts = np.cumsum(counts) - counts  # the first pair of each detection
    detection = np.repeat(np.arange(len(mine)), counts)
    partner = objects[np.arange(len(detection)) - firsts[detection] + starts[detection]]

    pair_iou = paired_iou(rows.boxes[mine[detection]], rows.object_boxes[partner])
    best, overlap = np.full(len(mine), -1), np.zeros(len(mine))
    some = np.flatnonzero(counts)
    if len(some):
        overlap[some] = np.maximum.reduceat(pair_iou, firsts[some])
        top = np.flatnonzero(pair_iou == overlap[detection])[::-1]
        best[detection[top]] = partner[top]  # written from the last to the first
    return best, overlap


def paired_iou(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """IoU of boxes row by row: [P, 4], [P, 4], pixel edges -> [P]."""
    low, high = np.maximum(first[:, :2], second[:, :2]), np.minimum(first[:, 2:], second[:, 2:])
    intersection = np.maximum(high - low, 0).prod(axis=1)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (first, second)]
    return intersection / (areas[0] + areas[1] - intersection)


def ap_table(*results: VocResult) -> str:
    """Per class: objects, detections and the AP of each result."""
    width = max(map(len, ('class', *(entry.name for entry in results[0].classes))))
    lines = [f'{"class":<{width}} objects detections'
             + ''.join(f'  AP {result.metric:>4}' for result in results)]
    for entries in zip(*(result.classes for result in results), strict=True):
        first = entries[0]
        lines.append(f'{first.name:<{width}} {first.ground_truths:7d} {first.detections:10d}'
                     + ''.join(f'  {number(entry.ap):>7}' for entry in entries))
    without = [entry.name for entry in results[0].classes if not entry.ground_truths]
    if without:
        lines.append(f'no objects, not in the mean: {", ".join(without)}')
    return '\n'.join(lines)


def means(result: VocResult) -> str:
    """A line with the mean AP of all classes, and of those with 20 objects or more."""
    return (f'mAP {result.metric} {result.mean_ap:.6f}, over classes with 20+ objects '
            f'{number(result.mean_over(20))}')


def number(value: float, digits: int = 4) -> str:
    """A number for people; '-' for NaN, which a class without objects has."""
    return '-' if np.isnan(value) else f'{value:.{digits}f}'
