"""Is one of two evaluations better, or is it chance? Average precision side by side.

    python3 -m evaluation.compare first second        # two folders of ssd_test.py, the same images

For each class both APs, their difference, and the interval that holds 95 % of the differences when
the images are drawn anew, with repetitions, 1,000 times (paired bootstrap). An interval without 0,
marked *, is a difference that other images of this kind would show too. What chance the training
adds, another seed has to tell.
"""
import dataclasses
import os
import zipfile
from collections.abc import Sequence

import numpy as np

from evaluation import voc as voc_eval
from utils import command_line
from utils.errors import DataError

FILE = 'evaluation.npz'
_CHUNK = 1 << 22  # numbers of a table that is computed at once
_LEVELS = np.linspace(0, 1, 11)


@dataclasses.dataclass(frozen=True)
class Hits:
    """What average precision needs of an evaluation.

    Attributes:
        names: ids of the N images.
        classes: names of labels 1, 2, ...
        objects: [N, C], number of objects of each image and class that are not difficult.
        image, label: of the D detections that count, by descending score within each class.
        hit: bool [D], right.
    """
    names: np.ndarray
    classes: np.ndarray
    objects: np.ndarray
    image: np.ndarray
    label: np.ndarray
    hit: np.ndarray


def hits_of(rows: voc_eval.Rows, classes: Sequence[str], threshold: float = 0.5) -> Hits:
    """Args as of evaluation.voc.evaluate_rows."""
    objects = np.zeros([len(rows.names), len(classes)], np.int32)
    real = ~rows.difficult
    np.add.at(objects, (rows.object_image[real], rows.object_labels[real] - 1), 1)
    found = []
    for label in range(1, len(classes) + 1):
        matched = voc_eval.matches(label, rows, threshold)
        counted = matched.hit != 0
        found.append((rows.image[matched.detection[counted]], np.full(counted.sum(), label),
                      matched.hit[counted] == 1))
    image, label, hit = map(np.concatenate, zip(*found, strict=True)) if found else [
        np.zeros(0, int)] * 3
    return Hits(np.array(rows.names, str), np.array(classes, str), objects,
                image.astype(np.int32), label.astype(np.int16), hit.astype(bool))


def save(folder: str | os.PathLike, hits: Hits) -> None:
    """Writes folder/evaluation.npz; OSError where that fails."""
    np.savez_compressed(os.path.join(folder, FILE), **vars(hits))


def load(path: str | os.PathLike) -> Hits:
    """Reads what `save` wrote, from its folder or a file in it; DataError if it is none."""
    if not os.path.exists(path):
        raise DataError(f'{path} does not exist; name a folder of ssd_test.py')
    folder = path if os.path.isdir(path) else os.path.dirname(path)
    path = os.path.join(folder, FILE)
    try:
        with np.load(path) as content:
            return Hits(**{field.name: content[field.name] for field in dataclasses.fields(Hits)})
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        raise DataError(f'{path} is no evaluation that ssd_test.py wrote; run it again, with '
                        '--output=FOLDER for each of the two detectors') from None


def average_precisions(hits: Hits, weights: np.ndarray) -> np.ndarray:
    """11-point AP of each class where images count several times.

    Args:
        hits: of an evaluation.
        weights: [R, N], how often each image counts.

    Returns:
        [R, C]; NaN where a class has no object.
    """
    result = np.full([len(weights), len(hits.classes)], np.nan)
    for number in range(len(hits.classes)):
        mine = hits.label == number + 1
        image, hit = hits.image[mine], hits.hit[mine]
        step = max(1, _CHUNK // max(1, len(image)))
        for first in range(0, len(weights), step):
            part = weights[first:first + step]
            counts = part[:, image]  # of each detection
            right = np.cumsum(counts * hit, axis=1)[:, hit]
            all_ = np.cumsum(counts, axis=1)[:, hit]
            total = part @ hits.objects[:, number]
            result[first:first + step, number] = [
                _ap(*row) for row in zip(right, all_, total, strict=True)]
    return result


def _ap(right, all_, total):
    """11-point AP from the numbers of right and of all detections at each right one."""
    if not total:
        return np.nan
    if not len(right):
        return 0.
    precision = np.maximum.accumulate((right / np.maximum(all_, 1))[::-1])[::-1]
    at = np.searchsorted(right / total, _LEVELS)
    return np.append(precision, 0.)[at].sum() / 11


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Of each class, and last of the mean over the classes with objects: [C + 1].

    Attributes:
        names: of the classes, and 'mean'.
        first, second: AP.
        low, high: of the difference second - first.
    """
    names: tuple[str, ...]
    first: np.ndarray
    second: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def table(self) -> str:
        """One line per class, and one that says which is better."""
        width = max(len('class'), *map(len, self.names))
        lines = [f'{"class":<{width}}   first  second  difference  95 % of differences']
        for name, *values in zip(self.names, self.first, self.second, self.low, self.high,
                                 strict=True):
            first, second, low, high = values
            line = f'{name:<{width}} {voc_eval.number(first):>7} {voc_eval.number(second):>7}'
            if not np.isnan(first):
                sure = ' *' if low > 0 or high < 0 else ''
                line += f'  {second - first:+10.4f}  {low:+.4f} to {high:+.4f}{sure}'
            lines.append(line)
        low, high = self.low[-1], self.high[-1]
        verdict = ('second is better' if low > 0 else 'first is better' if high < 0 else
                   'neither is better by more than the choice of the images explains')
        return '\n'.join([*lines, f'mean: {verdict}'])


def compare(first: Hits, second: Hits, resamples: int = 1000, seed: int = 0) -> Comparison:
    """Compares two evaluations of the same images; DataError if they are of others."""
    for attribute in ('classes', 'names', 'objects'):
        if not np.array_equal(getattr(first, attribute), getattr(second, attribute)):
            raise DataError(f'the two evaluations are of other images: their {attribute} differ')
    count = len(first.names)
    random = np.random.default_rng(seed)
    drawn = (random.multinomial(count, np.full(count, 1 / count), resamples) if count
             else np.zeros([resamples, 0], int))
    weights = np.concatenate([np.ones([1, count], int), drawn])
    tables = [average_precisions(hits, weights) for hits in (first, second)]
    with np.errstate(all='ignore'):
        tables = [np.column_stack([table, _mean(table)]) for table in tables]
    differences = tables[1][1:] - tables[0][1:]
    known = ~np.isnan(tables[0][0])
    low, high = np.full([2, differences.shape[1]], np.nan)
    if known.any():
        low[known], high[known] = np.nanpercentile(differences[:, known], [2.5, 97.5], axis=0)
    return Comparison((*map(str, first.classes), 'mean'), tables[0][0], tables[1][0], low, high)


def _mean(table):
    """Mean over the classes that have objects: [R, C] -> [R]."""
    there = ~np.isnan(table)
    return np.where(there, table, 0.).sum(axis=1) / there.sum(axis=1)


def main(argv: Sequence[str] | None = None) -> None:
    parser = command_line.parser('python3 -m evaluation.compare', __doc__)
    parser.add_argument('first', help='Folder with the evaluation of a detector.')
    parser.add_argument('second', help='Folder with that of another one, on the same images.')
    parser.add_argument('--resamples', type=int, default=1000, metavar='NUMBER',
                        help='How often the images are drawn anew.')
    parser.add_argument('--seed', type=int, default=0, metavar='NUMBER', help='Of the draws.')
    options = parser.parse_args(argv)
    found = compare(load(options.first), load(options.second), max(1, options.resamples),
                    options.seed)
    print(found.table())


if __name__ == '__main__':
    from utils.script import run

    run(main)
