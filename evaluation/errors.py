"""What a detector gets wrong, and how much average precision each kind of error costs.

    python3 -m evaluation.errors --detections DIR --voc VOCdevkit/VOC2007 --image_set test

A wrong detection is, in this order, a `double` (its object is already found), a `poor box` (IoU of
0.1 to 0.5 with an object of its class), a `wrong class` (IoU above 0.5 with an object of another
class) or `background` (everything else). `missed` are the objects that no detection finds, nor
would find with another box or class. A kind costs the AP that the detector would gain without it:
poor boxes and wrong classes are corrected if their object is not found otherwise, all others are
removed, and missed objects are not counted. The kinds are those of Hoiem et al. 2012 and TIDE
(Bolya et al. 2020, arXiv 2008.08115), with small differences.
"""
import dataclasses
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from evaluation import voc as voc_eval
from evaluation import voc_files
from utils.errors import DataError

KINDS = ('missed', 'background', 'wrong class', 'poor box', 'double')
_LEAST_OVERLAP = 0.1


@dataclasses.dataclass(frozen=True)
class Wrong:
    """Which detections are wrong, and which objects are missed.

    Attributes:
        rows: all detections and objects.
        kinds: of each detection the kind of its error, '' if it is none.
        objects: of each detection the row of the object that its poor box or wrong class touches,
            perhaps a difficult one; -1 for none.
        missed: rows of the missed objects.
    """
    rows: voc_eval.Rows
    kinds: np.ndarray
    objects: np.ndarray
    missed: np.ndarray


@dataclasses.dataclass(frozen=True)
class Errors:
    """How many errors there are of each kind, and what they cost.

    Attributes:
        counts: {kind: {class name: number}} of detections with at least `score`; of `missed`, of
            objects.
        costs: {kind: {class name: AP that is lost}}; NaN for a class without objects.
        score: see counts.
        wrong: the errors one by one.
    """
    counts: dict[str, dict[str, int]]
    costs: dict[str, dict[str, float]]
    score: float
    wrong: Wrong

    def mean_cost(self, kind: str, classes: Iterable[str]) -> float:
        """Mean of the AP that a kind costs over classes with objects; NaN if none has objects."""
        costs = [cost for name in classes if not np.isnan(cost := self.costs[kind][name])]
        return float(np.mean(costs)) if costs else float('nan')


def analyse(detections: Mapping[str, voc_eval.Detection],
            ground_truths: Mapping[str, voc_eval.GroundTruth], classes: Sequence[str],
            metric: str = '07', threshold: float = 0.5, score: float = 0.3) -> Errors:
    """Finds all errors and their costs.

    Args, Raises: as of evaluation.voc.evaluate; `threshold` takes the place of 0.5 in the kinds.
        score: least score of the detections that are counted.
    """
    rows = voc_eval.Rows(detections, ground_truths)
    wrong, found = _classified(rows, len(classes), threshold)
    before = voc_eval.evaluate_rows(rows, classes, metric, threshold)
    costs = {}
    for kind in KINDS:
        fixed = _without_missed(wrong) if kind == 'missed' else _corrected(kind, wrong, found)
        after = voc_eval.evaluate_rows(fixed, classes, metric, threshold)
        costs[kind] = {old.name: new.ap - old.ap
                       for old, new in zip(before.classes, after.classes, strict=True)}
    return Errors(_counts(wrong, classes, score), costs, score, wrong)


def _classified(rows, classes, threshold):
    """-> (Wrong, bool [R]: which objects are found)."""
    kinds, objects = np.full(len(rows.labels), '', 'U11'), np.full(len(rows.labels), -1)
    found = np.zeros(len(rows.object_labels), bool)
    for label in range(1, classes + 1):
        matched = voc_eval.matches(label, rows, threshold)
        found[matched.object[matched.hit == 1]] = True
        wrong, overlap = matched.hit == -1, matched.overlap
        poor = wrong & (overlap <= threshold) & (overlap >= _LEAST_OVERLAP)
        double = overlap[wrong] > threshold
        kinds[matched.detection[wrong]] = np.where(double, 'double', 'background')
        kinds[matched.detection[poor]] = 'poor box'
        objects[matched.detection[poor]] = matched.object[poor]
    rest = np.flatnonzero(kinds == 'background')
    best, overlap = voc_eval.best_objects(rows, rest, np.arange(len(found)))
    near = overlap > threshold
    kinds[rest[near]], objects[rest[near]] = 'wrong class', best[near]
    missed = ~rows.difficult & ~found
    missed[objects[objects >= 0]] = False
    return Wrong(rows, kinds, objects, np.flatnonzero(missed)), found


def _without_missed(wrong):
    """The missed objects as difficult ones, which do not count."""
    difficult = wrong.rows.difficult.copy()
    difficult[wrong.missed] = True
    return wrong.rows.replaced(difficult=difficult)


def _corrected(kind, wrong, found):
    """The best error on each object that is not found is corrected, the others are removed."""
    rows, mine = wrong.rows, np.flatnonzero(wrong.kinds == kind)
    able = mine[wrong.objects[mine] >= 0]
    able = able[~(found | rows.difficult)[wrong.objects[able]]]
    able = able[np.argsort(-rows.scores[able], kind='stable')]
    objects, first = np.unique(wrong.objects[able], return_index=True)
    able = able[first]
    boxes, labels = rows.boxes.copy(), rows.labels.copy()
    boxes[able], labels[able] = rows.object_boxes[objects], rows.object_labels[objects]
    kept = np.ones(len(rows.labels), bool)
    kept[mine] = False
    kept[able] = True
    return rows.replaced(boxes=boxes, labels=labels).kept(kept)


def _counts(wrong, classes, score):
    rows, counts = wrong.rows, {}
    for kind in KINDS:
        labels = (rows.object_labels[wrong.missed] if kind == 'missed'
                  else rows.labels[(wrong.kinds == kind) & (rows.scores >= score)])
        numbers = np.bincount(labels, minlength=len(classes) + 1)[1:]
        counts[kind] = dict(zip(classes, numbers.tolist(), strict=True))
    return counts


def error_table(errors: Errors, classes: Sequence[str]) -> str:
    """One line per class: of each kind the number and the AP that it costs."""
    width = max(len('class'), *(len(name) for name in classes))
    lines = [f'{"class":<{width}}' + ''.join(f'{kind:>18}' for kind in KINDS)]
    for name in classes:
        lines.append(f'{name:<{width}}' + ''.join(
            f'{errors.counts[kind][name]:11d} {voc_eval.number(errors.costs[kind][name], 3):>6}'
            for kind in KINDS))
    means = (voc_eval.number(errors.mean_cost(kind, classes), 3) for kind in KINDS)
    lines.append(f'{"mean":<{width}}' + ''.join(f'{mean:>18}' for mean in means))
    lines.append(f'columns: detections scoring {errors.score:g} or more (of missed: objects), '
                 'AP lost')
    return '\n'.join(lines)


def main(argv: Sequence[str] | None = None) -> None:
    parser = voc_files.options_parser('python3 -m evaluation.errors', __doc__)
    parser.add_argument('--least', type=int, default=20, metavar='NUMBER',
                        help='Only classes with at least so many objects are shown.')
    parser.add_argument('--score', type=float, default=0.3, metavar='NUMBER',
                        help='Only detections scoring at least this are counted, 0 to 1. The AP '
                        'takes all.')
    options = parser.parse_args(argv)
    classes, truths, detections, missing = voc_files.read_both(options)
    result = voc_eval.evaluate(detections, truths, classes)
    least = max(1, options.least)
    shown = [entry.name for entry in result.classes if entry.ground_truths >= least]
    if not shown:
        raise DataError(f'no class has {options.least} objects in {options.image_set}; set --least')
    print(error_table(analyse(detections, truths, classes, score=options.score), shown))
    if missing:
        print(f'no file of detections for: {", ".join(missing)}')


if __name__ == '__main__':
    from utils.script import run

    run(main)
