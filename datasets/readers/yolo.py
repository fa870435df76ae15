"""Annotations of YOLO: a text file per image, with a line 'class cx cy width height' per object.

The class counts from 0; the other numbers are fractions of the upright image. A sixth number is a
score, which is not used. A line with more numbers is a polygon, which becomes its bounding box, or
a box with key points, where data.yaml says so by kpt_shape. No TensorFlow.
"""
import os
import pathlib
import re
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image

from datasets import annotations, lists
from datasets.images import Images, files_in
from datasets.readers import data_yaml
from utils.errors import DataError

_LOOKED_AT = 50  # text files whose first line is looked at


class Labels(annotations.Source):
    """Images with a text file each.

    Args:
        folder: of the text files.
        name: of the source.
        setup: names of the classes 0, 1, ... of the text files, and whether they hold key points.
        pairs: {image id: (text file, image)}.
    """
    boxes = "a line is 'class cx cy width height', in fractions of the image"

    def __init__(self, folder: pathlib.Path, name: str, setup: data_yaml.Setup,
                 pairs: Mapping[str, tuple[pathlib.Path, pathlib.Path]]):
        self.path, self.name, self.classes, self._pose = folder, name, setup.names, setup.pose
        self._pairs = dict(pairs)
        self._numbers: set[str] = set()
        self.left_out: list[str] = []

    def image_ids(self) -> list[str]:
        """Images with a text file."""
        return list(self._pairs)

    def files(self) -> dict[str, str]:
        """{id: path of the image}."""
        return {image_id: str(image) for image_id, (_, image) in self._pairs.items()}

    def notes(self) -> list[str]:
        """Lines about images without a text file, and text files without an image."""
        return self.left_out

    def numberings(self) -> list[annotations.Numbering]:
        """Of the classes."""
        return [annotations.Numbering(f'{self.path}: the number of the class', self._numbers,
                                      {str(number) for number in range(len(self.classes))})]

    def read(self, image_id: str) -> annotations.Annotation:
        """DataError if the files of an image cannot be read."""
        path, image = self._pairs[image_id]
        try:
            lines = path.read_text(encoding='utf-8-sig').splitlines()
            height, width = upright_size(image)
        except (OSError, ValueError) as error:
            raise DataError(f'{path}: cannot be read: {error}') from None
        objects, refused = [], []
        for number, line in enumerate(lines, start=1):
            if line.strip():
                try:
                    label, box = parse(line, self._pose)
                    self._numbers.add(str(label))
                    name = self.classes[label]
                except IndexError:
                    refused.append(f'{path}, line {number}: class {label}, but the last of the '
                                   f'{len(self.classes)} names is {len(self.classes) - 1}')
                except ValueError as error:
                    refused.append(f'{path}, line {number}: {error}')
                else:
                    edges = box * [height, width, height, width]
                    objects.append(annotations.box(name, edges, f'line {number}'))
        return annotations.Annotation(image, objects, (height, width), str(path), tuple(refused))


def parse(line: str, pose: bool = False) -> tuple[int, np.ndarray]:
    """A line of a text file -> (class, corners [ymin, xmin, ymax, xmax] in fractions).

    Args:
        line: at least five numbers.
        pose: whether what follows the box are key points, and no polygon.

    Raises:
        ValueError: says what is wrong.
    """
    label, *numbers = [_number(word, line) for word in line.split()]
    if not np.isfinite([label, *numbers]).all() or label != int(label) or label < 0:
        raise ValueError(f'{line!r} has no class number, or a number that is not finite')
    if pose and len(numbers) > 4:
        numbers = numbers[:4]
    if len(numbers) in (4, 5):  # the fifth is a score
        cx, cy, width, height = numbers[:4]
        return int(label), np.array([cy - height / 2, cx - width / 2,
                                     cy + height / 2, cx + width / 2])
    if len(numbers) < 6 or len(numbers) % 2:
        points = '; of key points? data.yaml lacks kpt_shape' if len(numbers) > 6 else ''
        raise ValueError(f"{line!r} is not 'class cx cy width height', nor a polygon{points}")
    xs, ys = numbers[::2], numbers[1::2]
    return int(label), np.array([min(ys), min(xs), max(ys), max(xs)])


def _number(word, line):
    try:
        return float(word)
    except ValueError:
        pass
    if re.fullmatch(r'-?\d*,\d+', word):
        raise ValueError(f'{word!r} is no number: a decimal point is needed')
    if ',' in word:
        raise ValueError(f'{line!r} has commas between its numbers: spaces are needed')
    raise ValueError(f'{line!r} has words that are no numbers')


def upright_size(path: str | os.PathLike) -> tuple[int, int]:
    """(height, width) of an image as people see it; OSError if it is none."""
    with Image.open(path) as image:
        width, height = image.size
        turned = image.getexif().get(0x0112, 1) in (5, 6, 7, 8)
    return (width, height) if turned else (height, width)


def recognised(folder: pathlib.Path, beside: Sequence[pathlib.Path], name: str,
               images: Sequence[str | os.PathLike] = ()) -> list[Labels]:
    """The sources of a folder with text files that have the names of images.

    Folders train, val, ... of text files become a source each.

    Args:
        folder: searched with its subfolders.
        beside: where data.yaml, or the names of the classes, may be.
        name: of the source.
        images: folders of the images; (): the folder, or those beside it.

    Raises:
        DataError: it is nearly such a folder: says what is missing or wrong.
    """
    texts = {path.relative_to(folder).as_posix()[:-4]: path for path in files_in(folder)
             if path.suffix.lower() == '.txt'}
    places = Images(folder, images, texts)
    pairs, alone = {}, {}
    for key, path in texts.items():
        try:
            pairs[key] = path, places.find([key], str(path), path.parent)
        except DataError as error:
            if _is_box(path):
                alone[key] = str(error)
    if not pairs:
        if alone:
            raise DataError(next(iter(alone.values())))
        return []
    inner = {path.parent: None for path, _ in pairs.values()}
    setup = data_yaml.beside([*beside, *inner, folder / 'labels'])
    problem = _problem([path for path, _ in pairs.values()], setup.pose)
    if problem:
        raise DataError(problem)
    if not setup.names:
        if problem is None:
            return []
        raise DataError(f'{folder} has text files of boxes, but no data.yaml, classes.txt or '
                        'obj.names with the names of the classes')
    taken = {image for _, image in pairs.values()}
    notes = [*setup.notes, *_left_out(folder, [path for path in places.all() if path not in taken],
                                      alone)]
    return _sources(pairs, name, setup, notes)


def _sources(pairs, name, setup, notes):
    """One source, or one for each of train, val, ... of which the text files lie in folders."""
    part = pathlib.Path(os.path.commonpath([path.parent for path, _ in pairs.values()]))
    grouped = {}
    for text, image in pairs.values():
        first, _, rest = text.relative_to(part).as_posix()[:-4].partition('/')
        grouped.setdefault(first if rest else '', {})[rest or first] = text, image
    if all(lists.is_split(first, loose=True) for first in grouped):
        sources = [Labels(part / first, first, setup, inner) for first, inner in grouped.items()]
    else:
        together = {text.relative_to(part).as_posix()[:-4]: (text, image)
                    for text, image in pairs.values()}
        called = part.name if lists.is_split(part.name) else name
        sources = [Labels(part, called, setup, together)]
        if not lists.is_split(called, loose=True):  # such a name says it already
            sources[0].listing = setup.lists
    sources[0].left_out = notes
    return sources


def _left_out(folder, images, alone):
    names = [path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)
             for path in images]
    lines = [f'{folder}: images without a text file, which are left out: {len(names)}, first '
             f'{names[0]}. An image without objects has an empty one'] if names else []
    return lines + ([f'{folder}: text files without an image, which are left out: {len(alone)}, '
                     f'first {next(iter(alone))}.txt'] if alone else [])


def _problem(paths: Sequence[pathlib.Path], pose: bool = False) -> str | None:
    """Why the first lines of text files are no boxes; '' if one is; None if all are empty."""
    reason = None
    for path in paths[:_LOOKED_AT]:
        try:
            line = next(iter(path.read_text(encoding='utf-8-sig').strip().splitlines()), '')
            if line:
                parse(line, pose)
                return ''
        except (OSError, ValueError) as error:
            reason = reason or f'{path}, line 1: {error}'
    return reason


def _is_box(path):
    return '' in (_problem([path]), _problem([path], pose=True))
