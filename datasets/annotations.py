"""The objects of one image, from any kind of annotation file, and their checks. No TensorFlow.

A new kind of file is one module with a class derived from `Source`, as in datasets.voc and
datasets.coco; conversion, splitting and class lists then work for it.
"""
import abc
import collections
import dataclasses
import difflib
import ntpath
import pathlib
import unicodedata
from collections.abc import Iterable, Sequence

import numpy as np

from utils.errors import DataError


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


def box(name: str, edges: Sequence[float] | np.ndarray, reference: str) -> RawObject:
    """An object of a file that counts pixels from 0. edges: ymin, xmin, ymax, xmax."""
    ymin, xmin, ymax, xmax = (float(edge) for edge in edges)
    return RawObject(name, (ymin, xmin, ymax, xmax),
                     f'xmin {xmin:g} ymin {ymin:g} xmax {xmax:g} ymax {ymax:g}',
                     ymax > ymin and xmax > xmin, reference=reference)


@dataclasses.dataclass(frozen=True)
class Annotation:
    """What is known of one image before the image itself is read.

    Attributes:
        image: path of the image file.
        objects: all objects that could be read.
        size: (height, width) as the file states it, or None.
        where: names the annotation in messages.
        refused: one line per object that could not be read.
    """
    image: pathlib.Path
    objects: list[RawObject]
    size: tuple[int, int] | None
    where: str
    refused: tuple[str, ...] = ()


class Source(abc.ABC):
    """Annotated images from one place.

    Attributes:
        name: records call an image <name>/<image id>.
        path: the annotation file or folder.
        classes: names of labels 1, 2, ... if the user names no classes; (): those that the
            annotations name.
    """
    name: str
    path: pathlib.Path
    classes: tuple[str, ...]

    @abc.abstractmethod
    def image_ids(self) -> list[str]:
        """All annotated images, each once; DataError if there are none."""

    @abc.abstractmethod
    def read(self, image_id: str) -> Annotation:
        """The annotation of one of `image_ids`; DataError names what is missing or malformed."""

    def notes(self) -> list[str]:
        """Lines about what `image_ids` leaves out."""
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
    """Checks the objects of an image and clips their boxes to it.

    Args:
        objects: as they were read.
        height: of the image, pixels.
        width: of the image, pixels.
        classes: names of labels 1, 2, ...
        where: names the annotation, at the start of each reason.
    """
    kept, boxes, refused, clipped = [], [], [], 0
    labels = {name: number for number, name in enumerate(classes, start=1)}
    for number, item in enumerate(objects, start=1):
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


def fractions_problem(farthest: float) -> str:
    """Why boxes are none in pixels, although a file has to state pixels; '' if they are.

    Args:
        farthest: the largest edge of all boxes; 0 if there are none.
    """
    if not 0 < farthest < 2:
        return ''
    return (f'no box reaches beyond {farthest:.2g} pixels; boxes have to be in pixels, not in '
            'fractions of the image')


def class_list(names: Sequence[str], origin: str) -> tuple[str, ...]:
    """Checks class names; DataError, which begins with `origin`, if they cannot be a class list."""
    doubles = sorted(name for name, count in collections.Counter(names).items() if count > 1)
    if doubles:
        raise DataError(f'{origin} names {", ".join(doubles[:5])} twice')
    if not names:
        raise DataError(f'{origin} is empty')
    for name in names:
        # In the file of a class list, # begins a comment.
        if name != name.strip() or not is_one_line(name) or name.startswith('#'):
            raise DataError(f'{origin} has the class name {name!r}, which a list with one name '
                            'per line cannot hold')
    return tuple(names)


def name_problem(name: object) -> str:
    """Why something is not the name of a file inside a folder; '' if it is one."""
    if not isinstance(name, str) or not is_one_line(name):
        return 'is none'
    drive, rest = ntpath.splitdrive(name)
    if drive or rest.startswith(('/', '\\')) or '..' in rest.replace('\\', '/').split('/'):
        return 'reaches outside the folder'
    return ''


def is_one_line(text: str) -> bool:
    """Whether a text fits on one line of a UTF-8 file: not empty, no controls, no surrogates."""
    return bool(text) and not any(unicodedata.category(c) in ('Cc', 'Cs', 'Zl', 'Zp') for c in text)
