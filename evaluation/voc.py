"""PASCAL VOC's average precision, in numpy; for the detections of any detector.

    python3 -m datasets.voc_eval --detections DIR --voc VOCDIR --image_set test [--metric 07|area]

The rule (VOC devkit, VOCevaldet.m): all detections of a class by descending score; each is compared with its image's object of
that class that it overlaps most, by IoU of inclusive pixel widths (max - min + 1). Above 0.5 it is right if that object is not
found yet, wrong if it is; objects marked difficult are neither right nor wrong, and not counted. Anything else is wrong.
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
    """One image's objects. boxes: float64 [R, 4] ymin, xmin, ymax, xmax, VOC pixels.  labels: int [R].  difficult: bool [R]."""
    boxes: np.ndarray
    labels: np.ndarray
    difficult: np.ndarray


@dataclasses.dataclass(frozen=True)
class Detection:
    """One image's detections. boxes: float64 [D, 4] ymin, xmin, ymax, xmax, VOC pixels.  labels: int [D].  scores: [D].
    ranks: [D], which of equal scores comes first, over all images; None: the order of the images.
    """
    boxes: np.ndarray
    labels: np.ndarray
    scores: np.ndarray
    ranks: np.ndarray | None = None


@dataclasses.dataclass(frozen=True)
class ClassResult:
    """One class's curve. ap: NaN where there is no object.  ground_truths: not difficult ones.  precision, recall: [D], after
    each detection.  scores: [D], descending.
    """
    name: str
    ap: float
    ground_truths: int
    detections: int
    precision: np.ndarray
    recall: np.ndarray
    scores: np.ndarray

    def best_f1(self) -> 'OperatingPoint':
        """The score threshold with the highest F1; of equal ones the highest. NaN without objects, threshold NaN where
        nothing is found.
        """
        if not self.ground_truths:
            return OperatingPoint(*[float('nan')] * 4)
        last = np.flatnonzero(np.diff(self.scores, append=-np.inf))  # a threshold keeps all of equal scores, or none
        precision, recall = self.precision[last], self.recall[last]
        f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
        if not f1.any():
            return OperatingPoint(float('nan'), 0., 0., 0.)
        best = f1.argmax()
        return OperatingPoint(*(float(values[best]) for values in (self.scores[last], precision, recall, f1)))


class OperatingPoint(typing.NamedTuple):
    """What the detections scoring `threshold` or more reach. f1: harmonic mean of precision and recall."""
    threshold: float
    precision: float
    recall: float
    f1: float


@dataclasses.dataclass(frozen=True)
class Result:
    """All classes by one metric. metric: '07' (11-point) or 'area' (all-point).  classes: one ClassResult each."""
    metric: str
    classes: tuple[ClassResult, ...]

    @property
    def mean_ap(self) -> float:
        """Over the classes that have objects; NaN where none has."""
        return self.mean_over(1)

    def by(self, metric: str) -> 'Result':
        """The same curves by another metric; ValueError where it is unknown."""
        return Result(metric, tuple(dataclasses.replace(entry, ap=_ap(entry.precision, entry.recall, entry.ground_truths, metric))
                                    for entry in self.classes))

    def mean_over(self, objects: int) -> float:
        """Mean AP over the classes that have at least so many objects; NaN where none has."""
        values = [entry.ap for entry in self.classes if entry.ground_truths >= objects]
        return float(np.mean(values)) if values else float('nan')


def average_precision(precision: np.ndarray | Sequence[float], recall: np.ndarray | Sequence[float], metric: str) -> float:
    """AP of a precision-recall curve, both [D] in the order of descending score; 0 for an empty one.

    '07': mean of the best precision at recall >= 0, .1, ..., 1 (VOC2007).  'area': area under the curve, precision made
    monotonous (VOC2010 and later).  ValueError for another metric.
    """
    precision, recall = np.asarray(precision, float), np.asarray(recall, float)
    if metric == '07':
        # As everybody computes them, in steps of 0.1: the seventh is 0.6000000000000001, which 3 found of 5 do not reach. Exact
        # tenths would differ from published figures wherever a recall falls on 0.3, 0.6 or 0.7.
        levels = np.linspace(0, 1, 11)
        return float(sum(precision[recall >= level].max(initial=0) for level in levels) / 11)
    if metric != 'area':
        raise ValueError(f"unknown metric '{metric}'; known: {', '.join(METRICS)}")
    envelope = np.maximum.accumulate(np.concatenate([precision, [0.]])[::-1])[::-1][:-1]
    return float(np.sum(np.diff(recall, prepend=0.) * envelope))


def overlaps(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """IoU [R] of one box [4] with boxes [R, 4], VOC pixels: a box from 3 to 3 is one pixel wide."""
    return pair_overlaps(np.broadcast_to(box, boxes.shape), boxes)


def evaluate(detections: Mapping[str, Detection], ground_truths: Mapping[str, GroundTruth], classes: Sequence[str],
             metric: str = '07', threshold: float = 0.5) -> Result:
    """Average precision of every class, by the rule above.

    Args:
        detections: of each image id; images without any may be left out.
        ground_truths: of every image id.
        classes: names of labels 1, 2, ...
        metric: see `average_precision`.
        threshold: IoU above which a detection is right.

    Raises:
        DataError: detections of an image without ground truth.  ValueError: unknown metric.
    """
    refuse_strays(detections, ground_truths)
    return evaluate_rows(Rows(detections, ground_truths), classes, metric, threshold)


def evaluate_rows(rows: 'Rows', classes: Sequence[str], metric: str = '07', threshold: float = 0.5) -> Result:
    """As `evaluate`, of tables."""
    return Result(metric, tuple(_evaluate_class(label, name, rows, metric, threshold)
                                for label, name in enumerate(classes, start=1)))


def refuse_strays(detections: Mapping[str, Detection], ground_truths: Mapping[str, GroundTruth]) -> None:
    """DataError where there are detections of images that have no ground truth."""
    if stray := set(detections) - set(ground_truths):
        raise DataError(f'detections of {len(stray)} images that are not in the image set, first {min(stray)}')


def _evaluate_class(label, name, rows, metric, threshold):
    total = int((~rows.difficult[rows.object_labels == label]).sum())
    matched = matches(label, rows, threshold)
    hits = matched.hit
    right, wrong = np.cumsum(hits == 1), np.cumsum(hits == -1)
    recall = right / total if total else np.zeros(len(hits))
    precision = right / np.maximum(right + wrong, 1)
    return ClassResult(name, _ap(precision, recall, total, metric), total, len(hits), precision, recall,
                       rows.scores[matched.detection])


def _ap(precision, recall, total, metric):
    return average_precision(precision, recall, metric) if total else float('nan')


class Matches(typing.NamedTuple):
    """All detections of a class by descending score, each compared with its image's objects of the class; arrays of [D].

    detection: row in `Rows`.  hit: 1 right, -1 wrong, 0 on a difficult object.  object: row of the object that it overlaps most,
    -1 without one.  overlap: IoU with it.
    """
    detection: np.ndarray
    hit: np.ndarray
    object: np.ndarray
    overlap: np.ndarray


class Rows:
    """The same detections and ground truths as long tables.

    names: of the images.  image, boxes, labels, scores, ranks: one row per detection.  object_image, object_boxes, object_labels,
    difficult: one row per object.  Images are positions in `names`.
    """

    def __init__(self, detections: Mapping[str, Detection], ground_truths: Mapping[str, GroundTruth]):
        self.names = list(ground_truths)
        position = {image: number for number, image in enumerate(self.names)}
        entries, truths = list(detections.values()), list(ground_truths.values())
        self.image = np.repeat(np.array([position[image] for image in detections], int), [len(e.labels) for e in entries])
        self.boxes, self.labels, self.scores = (_joined(entries, name) for name in ('boxes', 'labels', 'scores'))
        self.ranks = np.concatenate([[], *(np.zeros(len(e.labels)) if e.ranks is None else e.ranks for e in entries)])
        self.object_image = np.repeat(np.arange(len(truths)), [len(t.labels) for t in truths])
        self.object_boxes, self.object_labels, self.difficult = (
            _joined(truths, name) for name in ('boxes', 'labels', 'difficult'))

    def replaced(self, **columns: np.ndarray) -> 'Rows':
        """A copy with other columns."""
        result = copy.copy(self)
        vars(result).update(columns)
        return result

    def kept(self, mask: np.ndarray) -> 'Rows':
        """A copy with some of the detections. mask: bool [D]."""
        columns = ('image', 'boxes', 'labels', 'scores', 'ranks')
        return self.replaced(**{name: getattr(self, name)[mask] for name in columns})


def _joined(entries, name):
    empty = {'boxes': np.zeros([0, 4]), 'scores': np.zeros(0), 'labels': np.zeros(0, int), 'difficult': np.zeros(0, bool)}
    return np.concatenate([empty[name], *(getattr(entry, name) for entry in entries)])


def matches(label: int, rows: Rows, threshold: float = 0.5) -> Matches:
    """Compares a class's detections with its objects, by the rule above. Equal scores come by rank.

    threshold: IoU above which a detection is right.
    """
    mine = np.flatnonzero(rows.labels == label)
    mine = mine[np.lexsort((rows.ranks[mine], -rows.scores[mine]))]
    objects = np.flatnonzero(rows.object_labels == label)
    best, overlap = best_objects(rows, mine, objects)
    near = np.flatnonzero(overlap > threshold)
    difficult = rows.difficult[best[near]]
    hit = np.full(len(mine), -1)
    hit[near[difficult]] = 0
    near = near[~difficult]
    hit[near[np.unique(best[near], return_index=True)[1]]] = 1  # of several on one object the first
    return Matches(mine, hit, best, overlap)


def pairs(rows: Rows, mine: np.ndarray, objects: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All pairs of a detection and an object of its image, by detection, then by object -> (position in `mine` [P], object [P]).

    mine: detections' rows.  objects: rows, ascending.
    """
    counts = np.bincount(rows.object_image[objects], minlength=len(rows.names))
    starts = (np.cumsum(counts) - counts)[rows.image[mine]]
    counts = counts[rows.image[mine]]
    firsts = np.cumsum(counts) - counts  # each detection's first pair
    detection = np.repeat(np.arange(len(mine)), counts)
    return detection, objects[np.arange(len(detection)) - firsts[detection] + starts[detection]]


def best_objects(rows: Rows, mine: np.ndarray, objects: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each detection: the object of its image that it overlaps most (-1: there is none), and the IoU. Args: as `pairs`."""
    detection, partner = pairs(rows, mine, objects)
    overlap_of_pair = pair_overlaps(rows.boxes[mine[detection]], rows.object_boxes[partner])
    best, overlap = np.full(len(mine), -1), np.zeros(len(mine))
    some, firsts = np.unique(detection, return_index=True)
    if len(some):
        overlap[some] = np.maximum.reduceat(overlap_of_pair, firsts)
        top = np.flatnonzero(overlap_of_pair == overlap[detection])[::-1]
        best[detection[top]] = partner[top]  # written from the last to the first: of equal ones the first stays
    return best, overlap


def pair_overlaps(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """IoU as of `overlaps`, row by row: [P, 4], [P, 4] -> [P]."""
    low, high = np.maximum(first[:, :2], second[:, :2]), np.minimum(first[:, 2:], second[:, 2:])
    sides = np.maximum(high - low + 1, 0)
    intersection = sides[:, 0] * sides[:, 1]
    areas = [(boxes[:, 2] - boxes[:, 0] + 1) * (boxes[:, 3] - boxes[:, 1] + 1) for boxes in (first, second)]
    return intersection / (areas[0] + areas[1] - intersection)


def table(*results: Result) -> str:
    """Per class: objects, detections and the AP of each result; then the means. The results are of the same classes."""
    width = max(len('mean over 20+ objects'), *(len(entry.name) for entry in results[0].classes))
    lines = [f'{"class":<{width}} objects detections' + ''.join(f'  AP {result.metric:>4}' for result in results)]
    for entries in zip(*(result.classes for result in results), strict=True):
        first = entries[0]
        lines.append(f'{first.name:<{width}} {first.ground_truths:7d} {first.detections:10d}'
                     + ''.join(f'  {number(entry.ap):>7}' for entry in entries))
    for title, least in (('mean', 1), ('mean over 20+ objects', 20)):
        lines.append(f'{title:<{width}} {"":18}' + ''.join(f'  {number(result.mean_over(least)):>7}' for result in results))
    without = [entry.name for entry in results[0].classes if not entry.ground_truths]
    if without:
        lines.append(f'no objects, not in the mean: {", ".join(without)}')
    return '\n'.join(lines)


def number(value: float, digits: int = 4) -> str:
    """A number for people; '-' for NaN: a class without objects has none."""
    return '-' if np.isnan(value) else f'{value:.{digits}f}'
