"""What every kind of annotation file becomes: the objects of one image, checked against it. No TensorFlow.

A new kind of file is one module with a `RawObject` and a `Source`, as datasets.voc and datasets.coco have them; conversion,
splitting and class lists then work for it.
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
class RawObject(abc.ABC):
    """One object as it stands in its file. box: four numbers in the file's own convention.  reference: what the file calls it,
    e.g. 'annotation 7'; '' where it has only its place.
    """
    name: str
    box: tuple[float, float, float, float]
    difficult: bool = False
    truncated: bool = False
    reference: str = ''

    @abc.abstractmethod
    def has_area(self) -> bool:
        """Whether both sides of the box are above 0."""

    @abc.abstractmethod
    def corners(self, height: int, width: int) -> np.ndarray:
        """float64 [4] ymin, xmin, ymax, xmax in units of the image, not clipped."""

    @abc.abstractmethod
    def __str__(self) -> str:
        """The box in the file's own words, for messages."""


@dataclasses.dataclass(frozen=True)
class Annotation:
    """What is known of one image before the image itself is read.

    image: its file.  objects: as they stand.  size: (height, width) as stated, or None.  where: names the annotation in messages.
    refused: one line per object that could not even be read.
    """
    image: pathlib.Path
    objects: list[RawObject]
    size: tuple[int, int] | None
    where: str
    refused: tuple[str, ...] = ()


class Source(abc.ABC):
    """Annotated images of one origin.

    name: the records call an image <name>/<image id>.  path: of the file or folder.  classes: names that belong to this origin,
    those of labels 1, 2, ...
    """
    name: str
    path: pathlib.Path
    classes: tuple[str, ...]

    @abc.abstractmethod
    def image_ids(self) -> list[str]:
        """All annotated images, each once; DataError where there are none."""

    @abc.abstractmethod
    def read(self, image_id: str) -> Annotation:
        """The annotation of one of `image_ids`; DataError names what is missing or malformed."""

    def notes(self) -> list[str]:
        """Lines about what `image_ids` leaves out."""
        return []


@dataclasses.dataclass(frozen=True)
class Objects:
    """The usable objects of one image, and what was done to the others.

    boxes: float32 [R, 4] corners in [0, 1].  labels: int64 [R], from 1.  difficult, truncated: bool [R].
    clipped: boxes that reached outside the image.  refused: one line per object that was left out, with the reason.
    unknown: names outside the class list, one per object.
    """
    boxes: np.ndarray
    labels: np.ndarray
    difficult: np.ndarray
    truncated: np.ndarray
    clipped: int = 0
    refused: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


def usable(objects: Sequence[RawObject], height: int, width: int, classes: Iterable[str], where: str) -> Objects:
    """Checks and converts objects: clips boxes to the image, leaves out degenerate ones and unknown classes.

    height, width: of the image, pixels.  classes: names of labels 1, 2, ...  where: begins the reasons.
    """
    rows, refused, clipped = [], [], 0
    known = {name: number for number, name in enumerate(classes, start=1)}
    for number, item in enumerate(objects, start=1):
        reason, box = _checked(item, height, width, known)
        if reason:
            refused.append(f'{where}: {item.reference or f"object {number}"} ({item.name}): {reason}')
            continue
        inside = np.clip(box, 0, 1)
        clipped += bool(np.abs(inside - box).max() > 1e-9)
        rows.append((inside, known[item.name], item.difficult, item.truncated))
    boxes, labels, difficult, truncated = zip(*rows, strict=True) if rows else ((), (), (), ())
    return Objects(np.array(boxes, np.float32).reshape(-1, 4), np.array(labels, np.int64), np.array(difficult, bool),
                   np.array(truncated, bool), clipped, tuple(refused),
                   tuple(item.name for item in objects if item.name not in known))


def _checked(item, height, width, known):
    """-> (reason to refuse, or '', box in units of the image)."""
    if item.name not in known:
        near = difflib.get_close_matches(item.name, known, n=1)
        return f"unknown class{f', nearest: {near[0]}' if near else ''}", None
    if not np.isfinite(item.box).all():
        return f'box {item} is not finite', None
    if not item.has_area():
        return f'box {item} has no area', None
    box = item.corners(height, width)
    # In float32, as the record has it: what a thinner box would be rounded to has no area.
    inside = np.clip(box, 0, 1).astype(np.float32)
    if (inside[2:] <= inside[:2]).any():
        return f'box {item} lies outside the {width} x {height} image', None
    return '', box


def class_list(names: Sequence[str], origin: str) -> tuple[str, ...]:
    """Names that can be a class list, in their order; DataError, which begins with `origin`, where they cannot."""
    doubles = sorted(name for name, count in collections.Counter(names).items() if count > 1)
    if doubles:
        raise DataError(f'{origin} names {", ".join(doubles[:5])} twice')
    if not names:
        raise DataError(f'{origin} is empty')
    for name in names:
        # A list is a file of lines, in which # begins a comment.
        if name != name.strip() or not is_one_line(name) or name.startswith('#'):
            raise DataError(f'{origin} has the class name {name!r}, which a list with one name per line cannot hold')
    return tuple(names)


def name_problem(name: object) -> str:
    """Why something, text or not, is not the name of a file inside a folder; '' where it is."""
    if not isinstance(name, str) or not is_one_line(name):
        return 'is none'
    drive, rest = ntpath.splitdrive(name)
    if drive or rest.startswith(('/', '\\')) or '..' in rest.replace('\\', '/').split('/'):
        return 'reaches outside the folder'
    return ''


def is_one_line(text: str) -> bool:
    """Whether a text can stand in a line of a UTF-8 file: not empty, no control characters, no lone surrogates."""
    return bool(text) and not any(unicodedata.category(character) in ('Cc', 'Cs', 'Zl', 'Zp') for character in text)


def count_classes(annotations: Iterable[Annotation]) -> collections.Counter[str]:
    """Objects per class name."""
    return collections.Counter(item.name for annotation in annotations for item in annotation.objects)
