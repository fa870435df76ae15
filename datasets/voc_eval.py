"""PASCAL VOC's average precision, in numpy; for the detections of any detector.

    python3 -m datasets.voc_eval --detections DIR --voc VOCDIR --image_set test [--metric 07|area]

The rule (VOC devkit, VOCevaldet.m): all detections of a class by descending score; each is compared with its image's object of
that class that it overlaps most, by IoU of inclusive pixel widths (max - min + 1). Above 0.5 it is right if that object is not
found yet, wrong if it is; objects marked difficult are neither right nor wrong, and not counted. Anything else is wrong.
"""
import argparse
import dataclasses
import os
import pathlib
import sys
import typing

import numpy as np

from datasets import DataError, voc

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
    """ap: NaN where there is no object.  ground_truths: not difficult ones.  precision, recall: after each detection."""
    name: str
    ap: float
    ground_truths: int
    detections: int
    precision: np.ndarray
    recall: np.ndarray


@dataclasses.dataclass(frozen=True)
class Result:
    """metric: '07' (11-point) or 'area' (all-point).  classes: one ClassResult each."""
    metric: str
    classes: tuple[ClassResult, ...]

    @property
    def mean_ap(self) -> float:
        """Over the classes that have objects; NaN where none has."""
        return self.mean_over(1)

    def mean_over(self, objects: int) -> float:
        """Mean AP over the classes that have at least so many objects."""
        values = [entry.ap for entry in self.classes if entry.ground_truths >= objects]
        return float(np.mean(values)) if values else float('nan')


def average_precision(precision, recall, metric: str) -> float:
    """AP of a precision-recall curve, both [D] in the order of descending score; 0 for an empty one.

    '07': mean of the best precision at recall >= 0, .1, ..., 1 (VOC2007).  'area': area under the curve, precision made
    monotonous (VOC2010 and later).
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


def overlaps(box, boxes):
    """IoU of one box [4] with boxes [R, 4], VOC pixels: a box from 3 to 3 is one pixel wide."""
    return _pair_overlaps(np.broadcast_to(box, boxes.shape), boxes)


def evaluate(detections, ground_truths, classes, metric: str = '07', threshold: float = 0.5) -> Result:
    """detections: {image id: Detection}; images without any may be left out.  ground_truths: {image id: GroundTruth}.
    classes: names of labels 1, 2, ...
    """
    if stray := set(detections) - set(ground_truths):
        raise DataError(f'detections of {len(stray)} images that are not in the image set, first {min(stray)}')
    rows = Rows(detections, ground_truths)
    return Result(metric, tuple(_evaluate_class(label, name, rows, metric, threshold)
                                for label, name in enumerate(classes, start=1)))


def _evaluate_class(label, name, rows, metric, threshold):
    total = int((~rows.difficult[rows.object_labels == label]).sum())
    hits = matches(label, rows, threshold).hit
    right, wrong = np.cumsum(hits == 1), np.cumsum(hits == -1)
    recall = right / total if total else np.zeros(len(hits))
    precision = right / np.maximum(right + wrong, 1)
    ap = average_precision(precision, recall, metric) if total else float('nan')
    return ClassResult(name, ap, total, len(hits), precision, recall)


class Matches(typing.NamedTuple):
    """All detections of a class by descending score, each compared with its image's objects of the class; arrays of [D].

    image: position among the images of the ground truths.  index: of the detection in its image.
    hit: 1 right, -1 wrong, 0 on a difficult object.  object: index in its image of the object that it overlaps most, -1 without
    one.  overlap: IoU with it.
    """
    image: np.ndarray
    index: np.ndarray
    hit: np.ndarray
    object: np.ndarray
    overlap: np.ndarray


class Rows:
    """The same detections and ground truths as long tables, for `matches`."""

    def __init__(self, detections, ground_truths):
        position = {image: number for number, image in enumerate(ground_truths)}
        entries, truths = list(detections.values()), list(ground_truths.values())
        self.images = len(truths)
        self.image, self.index = _positions([position[image] for image in detections], [len(e.labels) for e in entries])
        self.boxes, self.labels, self.scores = (_joined(entries, name) for name in ('boxes', 'labels', 'scores'))
        self.ranks = np.concatenate([[], *(np.zeros(len(e.labels)) if e.ranks is None else e.ranks for e in entries)])
        self.object_image, self.object_index = _positions(range(self.images), [len(t.labels) for t in truths])
        self.object_boxes, self.object_labels, self.difficult = (
            _joined(truths, name) for name in ('boxes', 'labels', 'difficult'))


def _positions(images, lengths):
    """Of every row: its image, and its index there."""
    starts = np.cumsum([0, *lengths])
    return np.repeat(np.array(images, int), lengths), np.arange(starts[-1]) - np.repeat(starts[:-1], lengths)


def _joined(entries, name):
    empty = {'boxes': np.zeros([0, 4]), 'scores': np.zeros(0), 'labels': np.zeros(0, int), 'difficult': np.zeros(0, bool)}
    return np.concatenate([empty[name], *(getattr(entry, name) for entry in entries)])


def matches(label: int, rows: Rows, threshold: float = 0.5) -> Matches:
    """Compares a class's detections with its objects, by the rule above. Equal scores come by rank."""
    mine = np.flatnonzero(rows.labels == label)
    mine = mine[np.lexsort((rows.ranks[mine], -rows.scores[mine]))]
    objects = np.flatnonzero(rows.object_labels == label)
    best, overlap = _best_objects(rows, mine, objects)
    near = np.flatnonzero(overlap > threshold)
    difficult = rows.difficult[best[near]]
    hit = np.full(len(mine), -1)
    hit[near[difficult]] = 0
    near = near[~difficult]
    hit[near[np.unique(best[near], return_index=True)[1]]] = 1  # of several on one object the first
    found = np.where(best < 0, -1, rows.object_index[best]) if len(objects) else best
    return Matches(rows.image[mine], rows.index[mine], hit, found, overlap)


def _best_objects(rows, mine, objects):
    """Of each detection: the object of its image that it overlaps most (-1: there is none), and the IoU."""
    counts = np.bincount(rows.object_image[objects], minlength=rows.images)
    starts = (np.cumsum(counts) - counts)[rows.image[mine]]
    counts = counts[rows.image[mine]]
    firsts = np.cumsum(counts) - counts  # each detection's first row in the table of pairs
    detection = np.repeat(np.arange(len(mine)), counts)
    partner = objects[np.arange(len(detection)) - firsts[detection] + starts[detection]]
    pairs = _pair_overlaps(rows.boxes[mine[detection]], rows.object_boxes[partner])
    best, overlap = np.full(len(mine), -1), np.zeros(len(mine))
    some = counts > 0
    if some.any():
        overlap[some] = np.maximum.reduceat(pairs, firsts[some])
        top = np.flatnonzero(pairs == overlap[detection])[::-1]
        best[detection[top]] = partner[top]  # written from the last to the first: of equal ones the first stays
    return best, overlap


def _pair_overlaps(first, second):
    """As `overlaps`, row by row: [P, 4], [P, 4] -> [P]."""
    low, high = np.maximum(first[:, :2], second[:, :2]), np.minimum(first[:, 2:], second[:, 2:])
    sides = np.maximum(high - low + 1, 0)
    intersection = sides[:, 0] * sides[:, 1]
    areas = [(boxes[:, 2] - boxes[:, 0] + 1) * (boxes[:, 3] - boxes[:, 1] + 1) for boxes in (first, second)]
    return intersection / (areas[0] + areas[1] - intersection)


def table(*results: Result) -> str:
    """Per class: objects, detections and the AP of each result; then the means."""
    width = max(len('mean over 20+ objects'), *(len(entry.name) for entry in results[0].classes))
    lines = [f'{"class":<{width}} objects detections' + ''.join(f'  AP {result.metric:>4}' for result in results)]
    for entries in zip(*(result.classes for result in results), strict=True):
        first = entries[0]
        lines.append(f'{first.name:<{width}} {first.ground_truths:7d} {first.detections:10d}'
                     + ''.join(f'  {_number(entry.ap):>7}' for entry in entries))
    for title, least in (('mean', 1), ('mean over 20+ objects', 20)):
        lines.append(f'{title:<{width}} {"":18}' + ''.join(f'  {_number(result.mean_over(least)):>7}' for result in results))
    without = [entry.name for entry in results[0].classes if not entry.ground_truths]
    if without:
        lines.append(f'no objects, not in the mean: {", ".join(without)}')
    return '\n'.join(lines)


def _number(value):
    return '-' if np.isnan(value) else f'{value:.4f}'


def write_detections(folder, image_set: str, classes, detections):
    """Writes comp4_det_<set>_<class>.txt, lines 'image score xmin ymin xmax ymax' in VOC pixels, one file per class."""
    os.makedirs(folder, exist_ok=True)
    for label, name in enumerate(classes, start=1):
        lines = []
        for image, entry in detections.items():
            mine = entry.labels == label
            for (ymin, xmin, ymax, xmax), score in zip(entry.boxes[mine], entry.scores[mine], strict=True):
                lines.append(f'{os.path.basename(image)} {score:.6f} {xmin:.2f} {ymin:.2f} {xmax:.2f} {ymax:.2f}\n')
        _detections_file(folder, image_set, name).write_text(''.join(lines), encoding='utf-8')


def _detections_file(folder, image_set, name):
    return pathlib.Path(folder, f'comp4_det_{image_set}_{name.replace("/", "_")}.txt')


def read_detections(folder, image_set: str, classes) -> tuple[dict[str, Detection], list[str]]:
    """comp4_det_<set>_<class>.txt of a folder -> ({image id: Detection}, classes whose file is missing).

    Equal scores rank in the order of the file, as the devkit's stable sort has it.
    """
    rows, missing = {}, []
    for label, name in enumerate(classes, start=1):
        path = _detections_file(folder, image_set, name)
        if not path.is_file():
            missing.append(name)
            continue
        for number, line in enumerate(path.read_text(encoding='utf-8').splitlines(), start=1):
            try:
                image, score, xmin, ymin, xmax, ymax = line.split()
                rows.setdefault(image, []).append([float(v) for v in (ymin, xmin, ymax, xmax, score)] + [label, number])
            except ValueError:
                raise DataError(f"{path}, line {number}: '{line}' is not 'image score xmin ymin xmax ymax'") from None
    if len(missing) == len(classes):
        raise DataError(f'no detections at {pathlib.Path(folder, f"comp4_det_{image_set}_<class>.txt")}')
    tables = {image: np.array(values) for image, values in rows.items()}
    return {image: Detection(v[:, :4], v[:, 5].astype(int), v[:, 4], v[:, 6]) for image, v in tables.items()}, missing


def read_ground_truths(folder, image_set: str, classes) -> dict[str, GroundTruth]:
    """The annotations of one VOC image set, in VOC pixels as they stand in the files. Unknown classes are left out."""
    known = {name: label for label, name in enumerate(classes, start=1)}
    truths = {}
    for image in voc.image_ids(folder, image_set):
        objects = [item for item in voc.read_xml(folder, image)[0] if item.name in known]
        truths[image] = GroundTruth(np.array([item.box for item in objects], float).reshape(-1, 4),
                                    np.array([known[item.name] for item in objects], int),
                                    np.array([item.difficult for item in objects], bool))
    return truths


def _voc_folder(path) -> str:
    """A VOC folder, or the only one inside a VOCdevkit."""
    if os.path.isdir(os.path.join(path, 'ImageSets')):
        return path
    years = sorted(p for p in pathlib.Path(path).glob('*/ImageSets')) if os.path.isdir(path) else []
    if len(years) != 1:
        choice = '; name one of ' + ', '.join(str(p.parent) for p in years) if years else ''
        raise DataError(f'no VOC folder at {path}{choice}')
    return str(years[0].parent)


def command_line(prog: str, description: str) -> argparse.ArgumentParser:
    """The options that name detections and ground truths, for `read_both`."""
    parser = argparse.ArgumentParser(prog=prog, description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--detections', required=True, help='folder of comp4_det_<set>_<class>.txt')
    parser.add_argument('--voc', required=True, help='VOC folder, e.g. VOCdevkit/VOC2007')
    parser.add_argument('--image_set', required=True, help='list of ImageSets/Main, e.g. test')
    parser.add_argument('--classes', help='text file with one class name per line; default: the 20 of VOC')
    return parser


def read_both(options):
    """What the options of `command_line` name -> (classes, ground truths, detections, classes whose file is missing)."""
    classes = voc.read_class_list(options.classes) if options.classes else voc.CLASSES
    truths = read_ground_truths(_voc_folder(options.voc), options.image_set, classes)
    return classes, truths, *read_detections(options.detections, options.image_set, classes)


def main(argv=None):
    parser = command_line('python3 -m datasets.voc_eval', __doc__)
    parser.add_argument('--metric', choices=METRICS, default='07', help='07: 11-point; area: all-point')
    options = parser.parse_args(argv)
    try:
        classes, truths, detections, missing = read_both(options)
        result = evaluate(detections, truths, classes, options.metric)
    except DataError as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    print(table(result))
    if missing:
        print(f'no file of detections for: {", ".join(missing)}')
    print(f'mAP {options.metric} {result.mean_ap:.6f}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
