"""The objects of one image, from any kind of annotation file, and their checks. No TensorFlow.

A new kind of file is one module with a class derived from `Source`, as in datasets.readers.voc and
datasets.readers.coco; conversion, splitting and class lists then work for it.
"""
import abc
import dataclasses
import difflib
import ntpath
import pathlib
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from datasets import lists


@dataclasses.dataclass(frozen=True)
class RawObject:
    """One object of an annotation file, not checked yet.

    Attributes:
        name: class name.
        edges: (ymin, xmin, ymax, xmax), pixels from the upper left corner of the image.
        text: the box in the words of the file, for messages.
        has_area: whether both sides of the box are above 0 by the rule of the file.
        difficult: neither right nor wrong in evaluation.
        truncated: only a part of the object is in the image.
        crowd: COCO's iscrowd: a region of many objects; such a region is also difficult.
        reference: what the file calls the object ('annotation 7'); '' if it has only a position.
    """
    name: str
    edges: tuple[float, float, float, float]
    text: str
    has_area: bool
    difficult: bool = False
    truncated: bool = False
    crowd: bool = False
    reference: str = ''


def box(name: str, edges: Sequence[float] | np.ndarray, reference: str, difficult: bool = False,
        truncated: bool = False, crowd: bool = False) -> RawObject:
    """An object of a file that counts pixels from 0. edges: ymin, xmin, ymax, xmax."""
    ymin, xmin, ymax, xmax = (float(edge) for edge in edges)
    return RawObject(name, (ymin, xmin, ymax, xmax),
                     f'xmin {xmin:g} ymin {ymin:g} xmax {xmax:g} ymax {ymax:g}',
                     ymax > ymin and xmax > xmin, difficult or crowd, truncated, crowd, reference)


def identity(item: RawObject) -> tuple:
    """What two entries of one object have in common."""
    return item.name, item.edges, item.crowd


@dataclasses.dataclass(frozen=True)
class Annotation:
    """What is known of one image before the image itself is read.

    Attributes:
        image: path of the image file.
        objects: all objects that could be read.
        size: (height, width) as the file states it, or None.
        where: names the annotation in messages.
        refused: one line per object that could not be read.
        encoded: the bytes of the image file, where the annotation holds them; else b''.
    """
    image: pathlib.Path
    objects: list[RawObject]
    size: tuple[int, int] | None
    where: str
    refused: tuple[str, ...] = ()
    encoded: bytes = b''


class Numbering(NamedTuple):
    """Numbers of a file that stand for something else in it.

    Attributes:
        what: the file, and what is numbered, in words.
        used: numbers that objects have.
        known: numbers for which the file has a name or a row.
    """
    what: str
    used: set[str]
    known: set[str]


class Source(abc.ABC):
    """Annotated images from one place.

    Attributes:
        name: records call an image <name>/<image id>.
        path: the annotation file or folder.
        classes: names of labels 1, 2, ... if the user names no classes; (): those that the
            annotations name.
        boxes: what the numbers of a box are in its files, in words.
        listing: {name of a list of images: its text files, or folders of images}.
    """
    listing: Mapping[str, Sequence[pathlib.Path]] = {}
    name: str
    path: pathlib.Path
    classes: tuple[str, ...]
    boxes: str

    @abc.abstractmethod
    def image_ids(self) -> list[str]:
        """All annotated images, each once; DataError if there are none."""

    @abc.abstractmethod
    def read(self, image_id: str) -> Annotation:
        """The annotation of one of `image_ids`; DataError names what is missing or malformed."""

    def notes(self) -> list[str]:
        """Lines about what `image_ids` leaves out, and about what is not read."""
        return []

    def files(self) -> dict[str, str]:
        """{image id: what lists call the image}."""
        return {image_id: image_id for image_id in self.image_ids()}

    def lists(self) -> list[str]:
        """Names of lists of images that belong to the source: train, val, ..."""
        return list(self.listing)

    def listed(self, name: str) -> tuple[list[str], list[str]]:
        """The image ids of one of `lists`, and what it names that is no image of the source.

        DataError if the list cannot be read.
        """
        files = self.files()
        ids, others = [], []
        for path in self.listing[name]:
            if path.is_dir():
                ids += [key for key, file in files.items()
                        if pathlib.Path(file).is_relative_to(path)]
            else:
                found, missing = lists.read(path, lists.Known(files))
                ids, others = ids + found, others + missing
        return list(dict.fromkeys(ids)), others

    def numberings(self) -> list[Numbering]:
        """Numbers that stand for classes or images; complete once all annotations are read."""
        return []


@dataclasses.dataclass(frozen=True)
class Objects:
    """The usable objects of one image, and what was done to the others.

    Attributes:
        boxes: float32 [R, 4], corners in [0, 1].
        labels: int64 [R], from 1.
        difficult: bool [R].
        truncated: bool [R].
        crowd: bool [R], crowd regions; None if there are none.
        clipped: number of boxes that reached outside the image.
        refused: one line with the reason per object that was left out.
        unknown: names that are not in the class list, one per object.
    """
    boxes: np.ndarray
    labels: np.ndarray
    difficult: np.ndarray
    truncated: np.ndarray
    crowd: np.ndarray | None = None
    clipped: int = 0
    refused: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


def usable(objects: Sequence[RawObject], height: int, width: int, classes: Iterable[str],
           where: str) -> Objects:
    """Checks the objects of an image and clips their boxes to it; takes equal ones once.

    Args:
        objects: as they were read.
        height: of the image, pixels.
        width: of the image, pixels.
        classes: names of labels 1, 2, ...
        where: names the annotation, at the start of each reason.
    """
    kept, boxes, refused, clipped, seen = [], [], [], 0, set()
    labels = {name: number for number, name in enumerate(classes, start=1)}
    for number, item in enumerate(objects, start=1):
        if identity(item) in seen:
            continue
        seen.add(identity(item))
        box = np.array(item.edges) / [height, width, height, width]
        inside = np.clip(box, 0, 1)
        if reason := _reason(item, inside, height, width, labels):
            name = item.reference or f'object {number}'
            refused.append(f'{where}: {name} ({item.name}): {reason}')
            continue
        clipped += bool(np.abs(inside - box).max() > 1e-9)
        boxes.append(inside)
        kept.append(item)
    return Objects(np.array(boxes, np.float32).reshape(-1, 4),
                   np.array([labels[item.name] for item in kept], np.int64),
                   np.array([item.difficult for item in kept], bool),
                   np.array([item.truncated for item in kept], bool),
                   np.array([item.crowd for item in kept], bool), clipped, tuple(refused),
                   tuple(item.name for item in objects if item.name not in labels))


def _reason(item, inside, height, width, known):
    """Why an object cannot be used, or ''. inside: its box, clipped to [0, 1]."""
    if item.name not in known:
        near = difflib.get_close_matches(item.name, known, n=1)
        return 'unknown class' + (f', nearest: {near[0]}' if near else '')
    if not np.isfinite(item.edges).all():
        return f'box {item.text} is not finite'
    if not item.has_area:
        return f'box {item.text} has no area'
    low, high = inside.astype(np.float32).reshape(2, 2)  # records hold float32
    if (high <= low).any():
        return f'box {item.text} lies outside the {width} x {height} image'
    return ''


def identifier(value: object) -> str:
    """An id as text, the same for 1, 1.0 (which pandas makes of it), '1' and '1.0'; '' for none."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)) or value != value:
        return ''
    text = str(value).strip()
    return re.sub(r'(?<=^)(-?\d+)\.0*$', r'\1', text)


def numbers(value: object, count: int = 0) -> list[float] | None:
    """Numbers of a list, or of a text such as '[1, 2.5, 3, 4]'; None if some is none.

    count: so many, or any number of them (0).
    """
    if isinstance(value, str):
        value = [word for word in re.split(r'[\s,;]+', value.strip('[]() \t')) if word]
    if not isinstance(value, (list, tuple)) or len(value) != (count or len(value)):
        return None
    if any(isinstance(item, bool) or not isinstance(item, (int, float, str)) for item in value):
        return None
    try:
        return [float(item) for item in value]
    except (ValueError, OverflowError):
        return None


def size(height: object, width: object) -> tuple[int, int] | None:
    """(height, width) in pixels as a file states them, as numbers or text; None if it does not."""
    found = numbers([height, width], 2)
    if found is None or not all(1 <= side < 2**31 and side == int(side) for side in found):
        return None
    return int(found[0]), int(found[1])


def fractions_problem(farthest: float) -> str:
    """Why boxes are none in pixels, although a file has to state pixels; '' if they are.

    Args:
        farthest: the largest edge of all boxes; 0 if there are none.
    """
    if not 0 < farthest < 2:
        return ''
    return (f'no box reaches beyond {farthest:.2g} pixels; boxes have to be in pixels, not in '
            'fractions of the image')


def name_problem(name: object) -> str:
    """Why something is not the name of a file inside a folder; '' if it is one."""
    if not is_name(name):
        return 'is none'
    drive, rest = ntpath.splitdrive(str(name))
    if drive or rest.startswith(('/', '\\')) or '..' in rest.replace('\\', '/').split('/'):
        return 'reaches outside the folder'
    return ''


def is_name(value: object) -> bool:
    """Whether something can be the name of a file."""
    return isinstance(value, str) and is_one_line(value)


def is_one_line(text: str) -> bool:
    """Whether a text fits on one line of a UTF-8 file: not empty, no controls, no surrogates."""
    return bool(text) and not any(unicodedata.category(c) in ('Cc', 'Cs', 'Zl', 'Zp') for c in text)
