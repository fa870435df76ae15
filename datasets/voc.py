"""Data in the layout of PASCAL VOC: class names, image sets, XML annotations. No TensorFlow.

VOC's pixel coordinates are 1-based and inclusive: a box xmin..xmax covers the pixels xmin to xmax, that is, the stretch from
xmin - 1 to xmax. Here it becomes ((xmin - 1) / width, xmax / width), so that a box over the whole image is exactly 0..1.
"""
import collections
import dataclasses
import difflib
import pathlib
from xml.etree import ElementTree

import numpy as np

from datasets import DataError

CLASSES = ('aeroplane', 'bicycle', 'bird', 'boat', 'bottle', 'bus', 'car', 'cat', 'chair', 'cow', 'diningtable', 'dog', 'horse',
           'motorbike', 'person', 'pottedplant', 'sheep', 'sofa', 'train', 'tvmonitor')


@dataclasses.dataclass(frozen=True)
class RawObject:
    """One <object> as it stands in the file. box: (ymin, xmin, ymax, xmax), VOC pixels."""
    name: str
    box: tuple[float, float, float, float]
    difficult: bool = False
    truncated: bool = False


@dataclasses.dataclass(frozen=True)
class Objects:
    """The usable objects of one image, and what was done to the others.

    boxes: float32 [R, 4] corners in [0, 1].  labels: int64 [R], from 1.  difficult, truncated: bool [R].
    clipped: boxes that reached outside the image.  refused: one line per object that was left out, with the reason.
    """
    boxes: np.ndarray
    labels: np.ndarray
    difficult: np.ndarray
    truncated: np.ndarray
    clipped: int = 0
    refused: tuple[str, ...] = ()


def read_class_list(path) -> tuple[str, ...]:
    """Class names, one per line; blank lines and lines that start with # do not count. DataError on doubles or none."""
    try:
        lines = [line.strip() for line in pathlib.Path(path).read_text(encoding='utf-8').splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f'class list {path} cannot be read: {_reason(error)}') from None
    names = [line for line in lines if line and not line.startswith('#')]
    doubles = sorted(name for name, count in collections.Counter(names).items() if count > 1)
    if doubles or not names:
        raise DataError(f'class list {path} ' + (f'names {", ".join(doubles[:5])} twice' if doubles else 'is empty'))
    return tuple(names)


def image_ids(folder, image_set: str) -> list[str]:
    """The ids listed in <folder>/ImageSets/Main/<image_set>.txt, in its order, each once.

    A second column, as in the per-class lists, is left out. DataError names the list and those that exist.
    """
    lists = pathlib.Path(folder) / 'ImageSets' / 'Main'
    path = lists / f'{image_set}.txt'
    if not pathlib.Path(folder).is_dir():
        raise DataError(f'no VOC folder at {folder}')
    if not path.is_file():
        known = sorted(p.stem for p in lists.glob('*.txt') if '_' not in p.stem)
        raise DataError(f'no image list at {path}; lists there: {", ".join(known) or "none"}')
    try:
        lines = path.read_text(encoding='utf-8').splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f'image list {path} cannot be read: {_reason(error)}') from None
    return list(dict.fromkeys(line.split()[0] for line in lines if line.strip()))


def image_path(folder, image_id: str) -> pathlib.Path:
    """JPEGImages/<id>.jpg, or with another usual ending where that is what exists; DataError where nothing does."""
    stem = pathlib.Path(folder) / 'JPEGImages' / image_id
    for ending in ('.jpg', '.jpeg', '.JPG', '.JPEG', '.png', '.PNG', '.bmp'):
        path = stem.with_name(stem.name + ending)
        if path.is_file():
            return path
    raise DataError(f'{stem}.jpg: image is missing')


def read_xml(folder, image_id: str) -> tuple[list[RawObject], tuple[int, int] | None]:
    """Annotations/<id>.xml -> (objects, (height, width) or None where the file has no size).

    DataError names a file that is missing or malformed.
    """
    path = pathlib.Path(folder) / 'Annotations' / f'{image_id}.xml'
    try:
        root = ElementTree.parse(path).getroot()
    except FileNotFoundError:
        raise DataError(f'{path}: annotation is missing') from None
    except (ElementTree.ParseError, OSError, UnicodeDecodeError) as error:
        raise DataError(f'{path}: malformed XML: {_reason(error)}') from None
    try:
        objects = [_raw_object(element) for element in root.findall('object')]
        size = root.find('size')
        return objects, (int(size.findtext('height')), int(size.findtext('width'))) if size is not None else None
    except (TypeError, ValueError, AttributeError):
        raise DataError(f'{path}: malformed XML: an object without name or box, or a number that is none') from None


def _raw_object(element) -> RawObject:
    box = element.find('bndbox')  # a direct child: the boxes of <part>s lie deeper
    corners = tuple(float(box.findtext(key)) for key in ('ymin', 'xmin', 'ymax', 'xmax'))
    return RawObject(element.findtext('name').strip(), corners,
                     _flag(element, 'difficult'), _flag(element, 'truncated'))


def _flag(element, key) -> bool:
    # Not `if element.find(key)`: an element without children is false.
    text = element.findtext(key)
    return text is not None and bool(int(float(text)))


def usable(objects: list[RawObject], height: int, width: int, classes, path) -> Objects:
    """Checks and converts objects: clips boxes to the image, leaves out degenerate ones and unknown classes.

    path: named in the reasons.
    """
    rows, refused, clipped = [], [], 0
    known = {name: number for number, name in enumerate(classes, start=1)}
    for number, item in enumerate(objects, start=1):
        reason, box = _checked(item, height, width, known)
        if reason:
            refused.append(f'{path}: object {number} ({item.name}): {reason}')
            continue
        inside = np.clip(box, 0, 1)
        clipped += bool(np.abs(inside - box).max() > 1e-9)
        rows.append((inside, known[item.name], item.difficult, item.truncated))
    boxes, labels, difficult, truncated = zip(*rows, strict=True) if rows else ((), (), (), ())
    return Objects(np.array(boxes, np.float32).reshape(-1, 4), np.array(labels, np.int64), np.array(difficult, bool),
                   np.array(truncated, bool), clipped, tuple(refused))


def _checked(item, height, width, known):
    """-> (reason to refuse, or '', box in units of the image)."""
    if item.name not in known:
        near = difflib.get_close_matches(item.name, known, n=1)
        return f"unknown class{f', nearest: {near[0]}' if near else ''}", None
    box = np.array(item.box)
    if not np.isfinite(box).all():
        return f'box {_text(item.box)} is not finite', None
    if (box[2:] <= box[:2]).any():
        return f'box {_text(item.box)} has no area', None
    box = voc_pixels_to_corners(box, height, width)
    if (np.clip(box, 0, 1)[2:] <= np.clip(box, 0, 1)[:2]).any():
        return f'box {_text(item.box)} lies outside the {width} x {height} image', None
    return '', box


def _text(box):
    ymin, xmin, ymax, xmax = box
    return f'xmin {xmin:g} ymin {ymin:g} xmax {xmax:g} ymax {ymax:g}'


def voc_pixels_to_corners(boxes, height, width):
    """[..., 4] ymin, xmin, ymax, xmax, VOC pixels -> corners in units of the image, not clipped."""
    return (boxes - np.array([1, 1, 0, 0])) / np.array([height, width, height, width], np.float64)


def corners_to_voc_pixels(boxes, height, width):
    """The inverse of `voc_pixels_to_corners`: float64 [..., 4]."""
    return np.asarray(boxes, np.float64) * np.array([height, width, height, width], np.float64) + np.array([1, 1, 0, 0])


def _reason(error):
    return str(error).splitlines()[0]
