"""Data in the layout of PASCAL VOC: class names, image sets, XML annotations. No TensorFlow.

VOC's pixel coordinates are 1-based and inclusive: a box xmin..xmax covers the pixels xmin to xmax, that is, the stretch from
xmin - 1 to xmax. Here it becomes ((xmin - 1) / width, xmax / width), so that a box over the whole image is exactly 0..1.
"""
import os
import pathlib

import numpy as np
from defusedxml import DefusedXmlException, ElementTree

from datasets import annotations
from utils.errors import DataError

CLASSES = ('aeroplane', 'bicycle', 'bird', 'boat', 'bottle', 'bus', 'car', 'cat', 'chair', 'cow', 'diningtable', 'dog', 'horse',
           'motorbike', 'person', 'pottedplant', 'sheep', 'sofa', 'train', 'tvmonitor')
# Of one annotation; a thousand objects are 0.3 MiB.
_MOST_BYTES = 16 << 20
_ENDINGS = ('.jpg', '.jpeg', '.JPG', '.JPEG', '.png', '.PNG', '.bmp')


class RawObject(annotations.RawObject):
    """One <object> as it stands in the file. box: (ymin, xmin, ymax, xmax), VOC pixels."""

    def has_area(self) -> bool:
        """Whether the corners differ; a box of one pixel, xmin = xmax, does not pass."""
        # By VOC's rule equal corners are one pixel. In files of other tools, which count from 0, they are a box without area.
        ymin, xmin, ymax, xmax = self.box
        return ymax > ymin and xmax > xmin

    def corners(self, height: int, width: int) -> np.ndarray:
        """float64 [4] ymin, xmin, ymax, xmax in units of the image, not clipped."""
        return voc_pixels_to_corners(np.array(self.box), height, width)

    def __str__(self) -> str:
        ymin, xmin, ymax, xmax = self.box
        return f'xmin {xmin:g} ymin {ymin:g} xmax {xmax:g} ymax {ymax:g}'


class Folder(annotations.Source):
    """A folder in VOC layout, or one that holds pictures with one XML file each beside them, as labelImg writes them."""
    classes = CLASSES

    def __init__(self, folder: str | os.PathLike):
        """DataError where there is no such folder."""
        self.path = pathlib.Path(folder)
        if not self.path.is_dir():
            raise DataError(f'no VOC folder at {folder}')
        self.name = self.path.resolve().name

    def image_ids(self) -> list[str]:
        """Names of the XML files without ending, sorted; DataError where there are none."""
        found = sorted(_stems(_part(self.path, 'Annotations'), ('.xml',)))
        if not found:
            raise DataError(f'no annotation (*.xml) in {_part(self.path, "Annotations")}')
        return found

    def read(self, image_id: str) -> annotations.Annotation:
        """DataError where the picture or its XML file is missing, or that file is malformed."""
        objects, size = read_xml(self.path, image_id)
        return annotations.Annotation(image_path(self.path, image_id), objects, size,
                                      str(annotation_path(self.path, image_id)))

    def notes(self) -> list[str]:
        """One line where pictures have no XML file."""
        pictures = _part(self.path, 'JPEGImages')
        without = sorted(_stems(pictures, _ENDINGS) - set(self.image_ids()))
        if not without:
            return []
        return [f'{pictures}: pictures without an XML file, which are left out: {len(without)}, first {without[0]}. One without '
                'objects wants an XML file without <object>']


def _stems(folder, endings):
    return {path.stem for path in folder.iterdir() if path.suffix in endings and not path.name.startswith('.')}


def _part(folder, name) -> pathlib.Path:
    """A folder of VOC's layout, or the whole where there is none of that name."""
    part = pathlib.Path(folder) / name
    return part if part.is_dir() else pathlib.Path(folder)


def read_class_list(path: str | os.PathLike) -> tuple[str, ...]:
    """Class names, one per line; blank lines and lines that start with # do not count. DataError on doubles or none."""
    try:
        lines = [line.strip() for line in pathlib.Path(path).read_text(encoding='utf-8-sig').splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f'class list {path} cannot be read: {_reason(error)}') from None
    return annotations.class_list([line for line in lines if line and not line.startswith('#')], f'class list {path}')


def class_names(path: str | os.PathLike | None) -> tuple[str, ...]:
    """The names of a class list (see `read_class_list`), or where none is given ('' or None) the 20 of VOC."""
    return read_class_list(path) if path else CLASSES


def image_ids(folder: str | os.PathLike, image_set: str) -> list[str]:
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
        lines = path.read_text(encoding='utf-8-sig').splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f'image list {path} cannot be read: {_reason(error)}') from None
    ids = list(dict.fromkeys(line.split()[0] for line in lines if line.strip()))
    for image_id in ids:
        if problem := annotations.name_problem(image_id):
            raise DataError(f"image list {path}: '{image_id}' {problem}")
    return ids


def image_path(folder: str | os.PathLike, image_id: str) -> pathlib.Path:
    """JPEGImages/<id>.jpg, or with another usual ending where that is what exists; DataError where nothing does."""
    stem = _part(folder, 'JPEGImages') / image_id
    for ending in _ENDINGS:
        path = stem.with_name(stem.name + ending)
        if path.is_file():
            return path
    raise DataError(f'{stem}.jpg: image is missing')


def annotation_path(folder: str | os.PathLike, image_id: str) -> pathlib.Path:
    """Annotations/<id>.xml, whether it exists or not."""
    return _part(folder, 'Annotations') / f'{image_id}.xml'


def read_xml(folder: str | os.PathLike, image_id: str) -> tuple[list[RawObject], tuple[int, int] | None]:
    """Annotations/<id>.xml -> (objects, (height, width) or None where the file has no size).

    DataError names a file that is missing or malformed.
    """
    path = annotation_path(folder, image_id)
    root = _parsed(path)
    try:
        objects = [_raw_object(element) for element in root.findall('object')]
        size = root.find('size')
        return objects, (int(size.findtext('height')), int(size.findtext('width'))) if size is not None else None
    except (TypeError, ValueError, AttributeError, OverflowError):
        raise DataError(f'{path}: malformed XML: an object without name or box, or a number that is none') from None


def _parsed(path):
    """The root of an XML file; DataError for one that is missing, malformed, too large, or defines entities."""
    try:
        if path.stat().st_size <= _MOST_BYTES:
            return ElementTree.parse(path, forbid_dtd=True).getroot()
    except FileNotFoundError:
        raise DataError(f'{path}: annotation is missing') from None
    except DefusedXmlException:
        raise DataError(f'{path}: malformed XML: a document type, which could define entities, is not read') from None
    except (ElementTree.ParseError, OSError, ValueError, LookupError) as error:
        raise DataError(f'{path}: malformed XML: {_reason(error)}') from None
    raise DataError(f'{path}: more than {_MOST_BYTES >> 20} MiB is no annotation')


def _raw_object(element) -> RawObject:
    box = element.find('bndbox')  # a direct child: the boxes of <part>s lie deeper
    corners = tuple(float(box.findtext(key)) for key in ('ymin', 'xmin', 'ymax', 'xmax'))
    return RawObject(element.findtext('name').strip(), corners,
                     _flag(element, 'difficult'), _flag(element, 'truncated'))


def _flag(element, key) -> bool:
    # Not `if element.find(key)`: an element without children is false.
    text = element.findtext(key)
    return text is not None and bool(int(float(text)))


def voc_pixels_to_corners(boxes: np.ndarray, height: int, width: int) -> np.ndarray:
    """[..., 4] ymin, xmin, ymax, xmax, VOC pixels -> float64 corners in units of the image, not clipped."""
    return (boxes - np.array([1, 1, 0, 0])) / np.array([height, width, height, width], np.float64)


def corners_to_voc_pixels(boxes: np.ndarray, height: int, width: int) -> np.ndarray:
    """The inverse of `voc_pixels_to_corners`: float64 [..., 4]."""
    return np.asarray(boxes, np.float64) * np.array([height, width, height, width], np.float64) + np.array([1, 1, 0, 0])


def _reason(error):
    return str(error).splitlines()[0]
