"""What a detector gets wrong, and how much average precision each kind of error costs.

    python3 -m datasets.error_kinds --detections DIR --voc VOCdevkit/VOC2007 --image_set test

A wrong detection is, in this order: a `double` (its object is found already), a `poor box` (IoU of 0.1 to 0.5 with an object of
its class), a `wrong class` (IoU above 0.5 with an object of another class), `background` (everything else). `missed` are the
objects that no detection finds, nor would find with another box or class. The cost of a kind is the AP that a detector without
it would gain: poor boxes and wrong classes are corrected where their object is not found otherwise, all others dropped, missed
objects not counted. The kinds are those of Hoiem et al. 2012 and TIDE (Bolya et al. 2020, arXiv 2008.08115), which cut them a
little differently.
"""
import dataclasses
import sys
import typing

import numpy as np

from datasets import DataError, voc_eval

KINDS = ('missed', 'background', 'wrong class', 'poor box', 'double')
_LEAST_OVERLAP = 0.1


@dataclasses.dataclass(frozen=True)
class Errors:
    """counts: {kind: {class name: number}}, of detections scoring at least `score`; of `missed`, objects.
    costs: {kind: {class name: AP that is lost}}; NaN for a class without objects.  score: see counts.
    """
    counts: dict
    costs: dict
    score: float


class _Matched(typing.NamedTuple):
    """One row of voc_eval.Matches, with the image's name."""
    image: str
    index: int
    hit: int
    object: int
    overlap: float


@dataclasses.dataclass(frozen=True)
class _Error:
    """A wrong detection. object: index of the object that it would find if corrected, -1 for none."""
    kind: str
    image: str
    index: int
    object: int


def analyse(detections, ground_truths, classes, metric='07', threshold=0.5, score=0.3) -> Errors:
    """detections, ground_truths, classes: as datasets.voc_eval.evaluate takes them."""
    errors, found = _errors(detections, ground_truths, classes, threshold)
    missed = _missed(errors, found, ground_truths)
    before = voc_eval.evaluate(detections, ground_truths, classes, metric, threshold)
    costs = {}
    for kind in KINDS:
        fixed = ((detections, _without(missed, ground_truths)) if kind == 'missed'
                 else (_corrected([e for e in errors if e.kind == kind], found, detections, ground_truths), ground_truths))
        after = voc_eval.evaluate(*fixed, classes, metric, threshold)
        costs[kind] = {old.name: new.ap - old.ap if new.ground_truths else float('nan')
                       for old, new in zip(before.classes, after.classes, strict=True)}
    return Errors(_counts(errors, missed, detections, ground_truths, classes, score), costs, score)


def _errors(detections, ground_truths, classes, threshold):
    """-> ([_Error], {(image, index of an object that is found)})."""
    rows, images = voc_eval.Rows(detections, ground_truths), list(ground_truths)
    matched = [_Matched(images[image], *values) for label in range(1, len(classes) + 1)
               for image, *values in zip(*(v.tolist() for v in voc_eval.matches(label, rows, threshold)), strict=True)]
    found = {(entry.image, entry.object) for entry in matched if entry.hit == 1}
    return [_error(entry, detections, ground_truths, threshold) for entry in matched if entry.hit == -1], found


def _error(entry, detections, ground_truths, threshold):
    truth = ground_truths[entry.image]
    if entry.overlap > threshold:
        return _Error('double', entry.image, entry.index, -1)
    if entry.overlap >= _LEAST_OVERLAP:
        return _Error('poor box', entry.image, entry.index, -1 if truth.difficult[entry.object] else entry.object)
    if len(truth.boxes):
        overlap = voc_eval.overlaps(detections[entry.image].boxes[entry.index], truth.boxes)
        best = int(overlap.argmax())
        if overlap[best] > threshold:
            return _Error('wrong class', entry.image, entry.index, -1 if truth.difficult[best] else best)
    return _Error('background', entry.image, entry.index, -1)


def _missed(errors, found, ground_truths):
    """{(image, index)} of the objects that no detection finds, not even a corrected one."""
    near = found | {(error.image, error.object) for error in errors}
    return {(image, index) for image, truth in ground_truths.items() for index in np.flatnonzero(~truth.difficult)
            if (image, index) not in near}


def _without(missed, ground_truths):
    """The ground truths with the missed objects as difficult ones, which do not count."""
    result = {}
    for image, truth in ground_truths.items():
        gone = np.array([(image, index) in missed for index in range(len(truth.labels))], bool)
        result[image] = dataclasses.replace(truth, difficult=truth.difficult | gone)
    return result


def _corrected(errors, found, detections, ground_truths):
    """The detections without these errors: the best one on each object that is not found is corrected, the others go."""
    by_image = {}
    for error in errors:
        by_image.setdefault(error.image, []).append(error)
    result = dict(detections)
    for image, mine in by_image.items():
        entry, truth = detections[image], ground_truths[image]
        boxes, labels, kept = entry.boxes.copy(), entry.labels.copy(), np.ones(len(entry.labels), bool)
        taken = set()
        for error in sorted(mine, key=lambda error: -entry.scores[error.index]):
            if error.object < 0 or (image, error.object) in found or error.object in taken:
                kept[error.index] = False
            else:
                taken.add(error.object)
                boxes[error.index], labels[error.index] = truth.boxes[error.object], truth.labels[error.object]
        result[image] = voc_eval.Detection(boxes[kept], labels[kept], entry.scores[kept],
                                           None if entry.ranks is None else entry.ranks[kept])
    return result


def _counts(errors, missed, detections, ground_truths, classes, score):
    counts = {kind: dict.fromkeys(classes, 0) for kind in KINDS}
    for error in errors:
        entry = detections[error.image]
        if entry.scores[error.index] >= score:
            counts[error.kind][classes[entry.labels[error.index] - 1]] += 1
    for image, index in missed:
        counts['missed'][classes[ground_truths[image].labels[index] - 1]] += 1
    return counts


def table(errors: Errors, classes) -> str:
    """One line per class: of each kind the number and the AP that it costs. classes: names to show."""
    width = max(len('class'), *(len(name) for name in classes))
    lines = [f'{"class":<{width}}' + ''.join(f'{kind:>18}' for kind in KINDS)]
    for name in classes:
        lines.append(f'{name:<{width}}' + ''.join(f'{errors.counts[kind][name]:11d} {errors.costs[kind][name]:6.3f}'
                                                  for kind in KINDS))
    means = {kind: np.nanmean([errors.costs[kind][name] for name in classes]) for kind in KINDS}
    lines.append(f'{"mean":<{width}}' + ''.join(f'{means[kind]:18.3f}' for kind in KINDS))
    return '\n'.join(lines) + f'\ncolumns: detections scoring {errors.score:g} or more (of missed: objects), AP lost'


def main(argv=None):
    parser = voc_eval.command_line('python3 -m datasets.error_kinds', __doc__)
    parser.add_argument('--least', type=int, default=20, help='show classes with at least so many objects [20]')
    parser.add_argument('--score', type=float, default=0.3, help='count detections scoring at least this [0.3]')
    options = parser.parse_args(argv)
    try:
        classes, truths, detections, _ = voc_eval.read_both(options)
        result = voc_eval.evaluate(detections, truths, classes)
        shown = [entry.name for entry in result.classes if entry.ground_truths >= max(1, options.least)]
        if not shown:
            raise DataError(f'no class has {options.least} objects in {options.image_set}; set --least')
        print(table(analyse(detections, truths, classes, score=options.score), shown))
    except DataError as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    return 0


if __name__ == '__main__':
    sys.exit(main())
