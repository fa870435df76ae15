"""Detections and ground truths as files: VOC's comp4_det_<set>_<class>.txt and annotations."""
import argparse
import collections
import math
import os
import pathlib
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from datasets import class_lists
from datasets.annotations import fractions_problem
from datasets.readers import voc
from evaluation import voc as voc_eval
from evaluation.voc import METRICS, Detection, GroundTruth
from utils import command_line, files
from utils.errors import DataError


def write_detections(folder: str | os.PathLike, image_set: str, classes: Sequence[str],
                     detections: Mapping[str, Detection]) -> None:
    """Writes one file comp4_det_<set>_<class>.txt per class.

    A line is 'image score xmin ymin xmax ymax', in VOC pixels. DataError names a file that cannot
    be written.
    """
    for label, name in enumerate(classes, start=1):
        lines = []
        for image, entry in detections.items():
            mine = entry.labels == label
            boxes = voc.to_voc_pixels(entry.boxes[mine])
            for (ymin, xmin, ymax, xmax), score in zip(boxes, entry.scores[mine], strict=True):
                lines.append(f'{_name(image)} {score:.6f} '
                             f'{xmin:.2f} {ymin:.2f} {xmax:.2f} {ymax:.2f}\n')
        path = _detections_file(folder, image_set, name)
        with files.writing(path):
            path.write_text(''.join(lines), encoding='utf-8')


def _detections_file(folder, image_set, name):
    name = name.replace('%', '%25').replace('/', '%2F')  # a/b and a_b are two files
    return pathlib.Path(folder, f'comp4_det_{image_set}_{name}.txt')


def _name(image):
    """What the files call an image: its id without the source, and without spaces."""
    return os.path.basename(image).replace('%', '%25').replace(' ', '%20')


def check_names(images: Iterable[str]) -> None:
    """Raises DataError where two image ids are one in the files, as VOC2007/1 and VOC2012/1."""
    first: dict[str, str] = {}
    for image in images:
        if (other := first.setdefault(_name(image), image)) != image:
            raise DataError(f'{other} and {image} have the same name, so files of detections could '
                            'not tell them apart; write those of one source at a time')


def read_detections(folder: str | os.PathLike, image_set: str, classes: Sequence[str]
                    ) -> tuple[dict[str, Detection], list[str]]:
    """Reads the files comp4_det_<set>_<class>.txt of a folder.

    Equal scores rank in the order of the file, as in the devkit's stable sort.

    Returns:
        {image id: Detection}, and the classes whose file is missing.

    Raises:
        DataError: there is no file at all, one is malformed, or boxes are fractions of the image.
    """
    rows, missing = collections.defaultdict(list), []
    for label, name in enumerate(classes, start=1):
        path = _detections_file(folder, image_set, name)
        if not path.is_file():
            missing.append(name)
            continue
        for number, (image, *values) in enumerate(_read_lines(path), start=1):
            rows[image].append([*values, label, number])
    if len(missing) == len(classes):
        raise DataError(f'no detections at {_detections_file(folder, image_set, "<class>")}')
    farthest = max((abs(edge) for values in rows.values() for row in values for edge in row[:4]),
                   default=0)
    if problem := fractions_problem(farthest):
        raise DataError(f'{_detections_file(folder, image_set, "<class>")}: {problem}')
    tables = {image: np.array(values) for image, values in rows.items()}
    return {image: Detection(voc.from_voc_pixels(v[:, :4]), v[:, 5].astype(int), v[:, 4], v[:, 6])
            for image, v in tables.items()}, missing


def _read_lines(path):
    """Yields (image id, ymin, xmin, ymax, xmax, score) of every line."""
    try:
        lines = path.read_text(encoding='utf-8').splitlines()
    except UnicodeDecodeError:
        raise DataError(f'{path} is no text in UTF-8') from None
    except OSError as error:
        raise DataError(f'{path} cannot be read: {error.strerror}') from None
    for number, line in enumerate(lines, start=1):
        try:
            image, *values = line.split()
            score, xmin, ymin, xmax, ymax = map(_finite, values)
        except ValueError:
            raise DataError(f"{path}, line {number}: '{line}' is not 'image score xmin ymin xmax "
                            "ymax'") from None
        yield image.replace('%20', ' ').replace('%25', '%'), ymin, xmin, ymax, xmax, score


def _finite(text):
    value = float(text)
    if not math.isfinite(value):
        raise ValueError
    return value


def read_ground_truths(folder: str | os.PathLike, image_set: str, classes: Sequence[str]
                       ) -> dict[str, GroundTruth]:
    """The annotations of one VOC image set, by image id, without objects of unknown classes.

    DataError if the list or an annotation is missing or malformed, a box is not finite, or all are
    fractions of the image.
    """
    labels = {name: label for label, name in enumerate(classes, start=1)}
    truths = {}
    for image in voc.image_ids(folder, image_set):
        found = voc.read_xml(folder, image)
        if found.refused:
            raise DataError(found.refused[0])
        objects = [item for item in found.objects if item.name in labels]
        for item in objects:
            if not np.isfinite(item.edges).all():
                raise DataError(f'{voc.annotation_path(folder, image)}: {item.name}: box '
                                f'{item.text} is not finite')
        truths[image] = GroundTruth(
            np.array([item.edges for item in objects], float).reshape(-1, 4),
            np.array([labels[item.name] for item in objects], int),
            np.array([item.difficult for item in objects], bool))
    farthest = max((np.abs(truth.boxes).max(initial=0) for truth in truths.values()), default=0)
    if problem := fractions_problem(farthest):
        raise DataError(f'{folder}: {problem}')
    return truths


def voc_folder(path: str | os.PathLike) -> str:
    """A VOC folder, or the only one in a VOCdevkit; DataError if there is none, or several."""
    if os.path.isdir(os.path.join(path, 'ImageSets')):
        return str(path)
    years = sorted(pathlib.Path(path).glob('*/ImageSets')) if os.path.isdir(path) else []
    if len(years) != 1:
        choice = '; name one of ' + ', '.join(str(p.parent) for p in years) if years else ''
        raise DataError(f'no VOC folder at {path}{choice}')
    return str(years[0].parent)


def options_parser(prog: str, description: str) -> argparse.ArgumentParser:
    """A command line with the options that `read_both` reads."""
    parser = command_line.parser(prog, description)
    parser.add_argument('--detections', required=True, metavar='FOLDER',
                        help='Folder of comp4_det_<set>_<class>.txt, lines "image score xmin ymin '
                        'xmax ymax" in pixels from 1.')
    parser.add_argument('--voc', required=True, metavar='FOLDER',
                        help='VOC folder, such as VOCdevkit/VOC2007.')
    parser.add_argument('--image_set', required=True, metavar='NAME',
                        help='List of ImageSets/Main, such as test.')
    parser.add_argument('--classes', metavar='FILE',
                        help='Text file with one class name per line.\n'
                        'Default: the 20 classes of VOC')
    return parser


def read_both(options: argparse.Namespace) -> tuple[
        tuple[str, ...], dict[str, GroundTruth], dict[str, Detection], list[str]]:
    """Reads the files that the options name; DataError names what is missing or malformed.

    Returns:
        Classes, ground truths, detections, classes whose file is missing.
    """
    classes = class_lists.names(options.classes)
    truths = read_ground_truths(voc_folder(options.voc), options.image_set, classes)
    return classes, truths, *read_detections(options.detections, options.image_set, classes)


def main(argv: Sequence[str] | None = None) -> None:
    parser = options_parser('python3 -m datasets.voc_eval', voc_eval.__doc__)
    parser.add_argument('--metric', choices=METRICS, default='07',
                        help='07: 11-point average precision, the rule of VOC2007. area: '
                        'all-point, the rule from VOC2010 on.')
    options = parser.parse_args(argv)
    classes, truths, detections, missing = read_both(options)
    result = voc_eval.evaluate(detections, truths, classes, options.metric)
    print(voc_eval.ap_table(result))
    if missing:
        print(f'no file of detections for: {", ".join(missing)}')
    print(voc_eval.means(result))
