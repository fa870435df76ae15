"""Data in the layout of PASCAL VOC: class names, image sets, XML annotations. No TensorFlow.

VOC's files count pixels from 1 and include both ends: a box covers the pixels xmin to xmax. The
rest of the code uses the edges of the pixels, xmin - 1 and xmax: a box over the whole image goes
from 0 to its width.
"""
import os
import pathlib

import numpy as np
from defusedxml import DefusedXmlException, ElementTree

from datasets import annotations
from utils.errors import DataError

CLASSES = ('aeroplane', 'bicycle', 'bird', 'boat', 'bottle', 'bus', 'car', 'cat', 'chair', 'cow',
           'diningtable', 'dog', 'horse', 'motorbike', 'person', 'pottedplant', 'sheep', 'sofa',
           'train', 'tvmonitor')
_MOST_BYTES = 16 << 20  # of one XML file; a thousand objects take 0.3 MiB
_ENDINGS = ('.jpg', '.jpeg', '.JPG', '.JPEG', '.png', '.PNG', '.bmp')


class Folder(annotations.Source):
    """A folder in VOC layout, or a folder of images with an XML file beside each (labelImg)."""
    classes = CLASSES

    def __init__(self, folder: str | os.PathLike):
        """DataError if there is no such folder."""
        self.path = pathlib.Path(folder)
        if not self.path.is_dir():
            raise DataError(f'no VOC folder at {folder}')
        self.name = self.path.resolve().name

    def image_ids(self) -> list[str]:
        """Names of the XML files without ending, sorted; DataError if there are none."""
        folder = _part(self.path, 'Annotations')
        found = sorted(_stems(folder, ('.xml',)))
        if not found:
            raise DataError(f'no annotation (*.xml) in {folder}')
        return found

    def read(self, image_id: str) -> annotations.Annotation:
        """DataError if the image or its XML file is missing, or the XML file is malformed."""
        objects, size = read_xml(self.path, image_id)
        return annotations.Annotation(image_path(self.path, image_id), objects, size,
                                      str(annotation_path(self.path, image_id)))

    def notes(self) -> list[str]:
        """One line if there are images without an XML file."""
        folder = _part(self.path, 'JPEGImages')
        without = sorted(_stems(folder, _ENDINGS) - set(self.image_ids()))
        if not without:
            return []
        return [f'{folder}: images without an XML file, which are left out: {len(without)}, first '
                f'{without[0]}. An image without objects needs an XML file without <object>']


def _stems(folder, endings):
    return {path.stem for path in folder.iterdir()
            if path.suffix in endings and not path.name.startswith('.')}


def _part(folder, name) -> pathlib.Path:
    """The part of a VOC folder with this name, or the folder itself if it has no such part."""
    part = pathlib.Path(folder) / name
    return part if part.is_dir() else pathlib.Path(folder)


def read_class_list(path: str | os.PathLike) -> tuple[str, ...]:
    """Class names, one per line, without blank lines and lines that start with #.

    Raises:
        DataError: the file cannot be read, has no name, or one name twice.
    """
    try:
        text = pathlib.Path(path).read_text(encoding='utf-8-sig')
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f'class list {path} cannot be read: {_reason(error)}') from None
    lines = [line.strip() for line in text.splitlines()]
    return annotations.class_list([line for line in lines if line and not line.startswith('#')],
                                  f'class list {path}')


def class_names(path: str | os.PathLike | None) -> tuple[str, ...]:
    """The names of a class list, see `read_class_list`; without a path the 20 classes of VOC."""
    return read_class_list(path) if path else CLASSES


def image_ids(folder: str | os.PathLike, image_set: str) -> list[str]:
    """The ids in <folder>/ImageSets/Main/<image_set>.txt, in its order, each once.

    A second column, as in the lists of one class, is ignored. DataError names the list, or the
    lists that exist.
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
    """JPEGImages/<id>.jpg, or the file with another usual ending; DataError if there is none."""
    stem = _part(folder, 'JPEGImages') / image_id
    for ending in _ENDINGS:
        path = stem.with_name(stem.name + ending)
        if path.is_file():
            return path
    raise DataError(f'{stem}.jpg: image is missing')


def annotation_path(folder: str | os.PathLike, image_id: str) -> pathlib.Path:
    """Annotations/<id>.xml, whether it exists or not."""
    return _part(folder, 'Annotations') / f'{image_id}.xml'


def read_xml(folder: str | os.PathLike, image_id: str
             ) -> tuple[list[annotations.RawObject], tuple[int, int] | None]:
    """Annotations/<id>.xml -> (objects, (height, width) or None if the file has no size).

    DataError names a file that is missing or malformed.
    """
    path = annotation_path(folder, image_id)
    root = _parsed(path)
    try:
        objects = [_object(element) for element in root.findall('object')]
        size = root.find('size')
        if size is None:
            return objects, None
        return objects, (int(size.findtext('height')), int(size.findtext('width')))
    except (TypeError, ValueError, AttributeError, OverflowError):
        raise DataError(f'{path}: malformed XML: an object without name or box, or a number that '
                        'is none') from None


def _parsed(path):
    """The root of an XML file; DataError if it is missing, malformed, large or has a doctype."""
    try:
        if path.stat().st_size <= _MOST_BYTES:
            return ElementTree.parse(path, forbid_dtd=True).getroot()
    except FileNotFoundError:
        raise DataError(f'{path}: annotation is missing') from None
    except DefusedXmlException:
        raise DataError(f'{path}: malformed XML: a document type, which could define entities, is '
                        'not read') from None
    except (ElementTree.ParseError, OSError, ValueError, LookupError) as error:
        raise DataError(f'{path}: malformed XML: {_reason(error)}') from None
    raise DataError(f'{path}: more than {_MOST_BYTES >> 20} MiB is no annotation')


def _object(element):
    box = element.find('bndbox')  # a direct child: the boxes of <part>s lie deeper
    corners = tuple(float(box.findtext(key)) for key in ('ymin', 'xmin', 'ymax', 'xmax'))
    return voc_object(element.findtext('name').strip(), corners, _flag(element, 'difficult'),
                      _flag(element, 'truncated'))


def _flag(element, key) -> bool:
    # Not `if element.find(key)`: an element without children is false.
    text = element.findtext(key)
    return text is not None and bool(int(float(text)))


def voc_object(name: str, box: tuple[float, ...], difficult: bool = False,
               truncated: bool = False) -> annotations.RawObject:
    """One <object>. box: (ymin, xmin, ymax, xmax), VOC pixels."""
    ymin, xmin, ymax, xmax = box
    # By VOC's rule equal corners are one pixel. In files of other tools, which count from 0, such a
    # box has no area.
    return annotations.RawObject(name, (ymin - 1, xmin - 1, ymax, xmax),
                                 f'xmin {xmin:g} ymin {ymin:g} xmax {xmax:g} ymax {ymax:g}',
                                 ymax > ymin and xmax > xmin, difficult, truncated)


def from_voc_pixels(boxes: np.ndarray) -> np.ndarray:
    """[..., 4] ymin, xmin, ymax, xmax: VOC pixels -> pixel edges."""
    return boxes - np.array([1, 1, 0, 0])


def to_voc_pixels(boxes: np.ndarray) -> np.ndarray:
    """[..., 4] ymin, xmin, ymax, xmax: pixel edges -> VOC pixels."""
    return boxes + np.array([1, 1, 0, 0])


def _reason(error):
    return str(error).splitlines()[0]
