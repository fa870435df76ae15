"""Data in the layout of PASCAL VOC: class names, image sets, XML annotations. No TensorFlow.

VOC's files count pixels from 1 and include both ends: a box covers the pixels xmin to xmax. The
rest of the code uses the edges of the pixels, xmin - 1 and xmax: a box over the whole image goes
from 0 to its width.
"""
import collections
import contextlib
import dataclasses
import functools
import ntpath
import os
import pathlib
import re
import typing

import numpy as np
from defusedxml import DefusedXmlException, ElementTree

from datasets.readers import annotations
from utils.errors import DataError

CLASSES = ('aeroplane', 'bicycle', 'bird', 'boat', 'bottle', 'bus', 'car', 'cat', 'chair', 'cow',
           'diningtable', 'dog', 'horse', 'motorbike', 'person', 'pottedplant', 'sheep', 'sofa',
           'train', 'tvmonitor')
# Part of a VOC folder -> what else it is called, in any case.
_PARTS = {'JPEGImages': ('jpegimages', 'images', 'image', 'imgs', 'img'),
          'Annotations': ('annotations', 'annotation', 'xmls', 'xml', 'labels')}
_DECLARATION = rb'\s*<\?xml[^>]*?encoding\s*=\s*["\']([\w.:-]+)["\'][^>]*\?>'
_LISTS = 'ImageSets/Main'
_MOST_BYTES = 16 << 20  # of one XML file; a thousand objects take 0.3 MiB
# What counts as an image in a folder, in any case. A file that is given by its name may have any
# ending.
ENDINGS = ('.jpg', '.jpeg', '.jfif', '.png', '.bmp', '.webp', '.tif', '.tiff', '.gif', '.jp2',
           '.ppm', '.pgm', '.avif')
Listings: typing.TypeAlias = dict[pathlib.Path, dict[str, list[str]]]


class Folder(annotations.Source):
    """A folder in VOC layout, or a folder of images with an XML file beside each (labelImg)."""
    def __init__(self, folder: str | os.PathLike, classes: tuple[str, ...] = CLASSES):
        """DataError if there is no such folder."""
        self.classes = classes
        self.path = pathlib.Path(folder)
        if not self.path.is_dir():
            raise DataError(f'no VOC folder at {folder}')
        self.name = self.path.resolve().name
        self._listings: Listings = {}

    def image_ids(self) -> list[str]:
        """Paths of the XML files in their folder, without ending, sorted; DataError for none."""
        folder = _part(str(self.path), 'Annotations')
        found = sorted(_stems(folder, _is_xml))
        if not found:
            raise DataError(f'no annotation (*.xml) in {folder}; wanted are XML files in '
                            'Annotations/, annotations/ or xmls/, or beside the images')
        return found

    def read(self, image_id: str) -> annotations.Annotation:
        """DataError if the image or its XML file is missing, or the XML file is malformed."""
        found = read_xml(self.path, image_id)
        return dataclasses.replace(found, image=image_path(
            self.path, image_id, found.image.name, self._listings))

    def notes(self) -> list[str]:
        """One line if there are images without an XML file."""
        folder = _part(str(self.path), 'JPEGImages')
        without = sorted(_stems(folder, is_image) - set(self.image_ids()))
        if not without:
            return []
        return [f'{folder}: images without an XML file, which are left out: {len(without)}, first '
                f'{without[0]}. An image without objects needs an XML file without <object>']


def folders_in(folder: str | os.PathLike) -> list[pathlib.Path]:
    """A folder that has lists of images, or those in it that have, as in a VOCdevkit; or []."""
    path = pathlib.Path(folder)
    return [path] if (path / _LISTS).is_dir() else [
        lists.parent.parent for lists in sorted(path.glob(f'*/{_LISTS}'))]


def has_xml(folder: str | os.PathLike) -> bool:
    """Whether a folder has XML files where annotations are looked for."""
    return bool(_stems(_part(str(folder), 'Annotations'), _is_xml))


def _is_xml(name):
    return name.endswith('.xml')


def _stems(folder, fits):
    """Files of a folder that fit, or else of its subfolders: paths in it without ending."""
    def found(paths):
        inner = [path.relative_to(folder) for path in paths if fits(path.name)]
        return {path.with_suffix('').as_posix() for path in inner
                if not any(part.startswith('.') for part in path.parts)}
    return found(folder.iterdir()) or found(folder.rglob('*'))


@functools.lru_cache(maxsize=64)
def _part(path: str, name: str) -> pathlib.Path:
    """The part of a VOC folder with this name or a usual one; without it, the folder itself."""
    folder = pathlib.Path(path)
    if (folder / name).is_dir() or not folder.is_dir():
        return folder / name if (folder / name).is_dir() else folder
    names = os.listdir(folder)
    if not any(_is_xml(other) for other in names):
        for usual in _PARTS[name]:
            for other in names:
                if other.lower() == usual and (folder / other).is_dir():
                    part = folder / other
                    # The Oxford pets have annotations/xmls/.
                    return _part(str(part), name) if name == 'Annotations' else part
    return folder


def class_names(path: str | os.PathLike | None) -> tuple[str, ...]:
    """Class names, one per line, without blank lines and lines that start with #; '': VOC's 20.

    Raises:
        DataError: the file cannot be read, has no name, or one name twice.
    """
    if not path:
        return CLASSES
    try:
        text = pathlib.Path(path).read_text(encoding='utf-8-sig')
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f'class list {path} cannot be read: {_reason(error)}') from None
    lines = [line.strip() for line in text.splitlines()]
    return annotations.class_list([line for line in lines if line and not line.startswith('#')],
                                  f'class list {path}')


def lists_of(folder: str | os.PathLike) -> list[str]:
    """Names of the lists in ImageSets/Main of a folder, sorted."""
    return sorted(path.stem for path in pathlib.Path(folder, _LISTS).glob('*.txt'))


def image_ids(folder: str | os.PathLike, image_set: str) -> list[str]:
    """The ids in <folder>/ImageSets/Main/<image_set>.txt, in its order, each once.

    An id may hold spaces, be in quotes, or be the name of an image with its ending and folders. In
    the lists of one class a second column follows: images with -1, which lack the class, are left
    out. DataError names the list, or the lists that exist.
    """
    path = pathlib.Path(folder, _LISTS, f'{image_set}.txt')
    if not pathlib.Path(folder).is_dir():
        raise DataError(f'no VOC folder at {folder}')
    if not path.is_file():
        known = [name for name in lists_of(folder) if '_' not in name]
        raise DataError(f'no image list at {path}; lists there: {", ".join(known) or "none"}')
    try:
        lines = path.read_text(encoding='utf-8-sig').splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f'image list {path} cannot be read: {_reason(error)}') from None
    ids = list(dict.fromkeys(filter(None, (_listed(line.strip(), folder) for line in lines))))
    for image_id in ids:
        if problem := annotations.name_problem(image_id):
            raise DataError(f"image list {path}: '{image_id}' {problem}")
    return ids


def _listed(line, folder):
    """The id in a line of a list; '' for none, and where the second column says -1."""
    words = line.split()
    name, flag = (line[:-len(words[-1])].rstrip(), words[-1]) \
        if words[1:] and words[-1] in ('1', '0', '-1') else (line, '')
    found = [text.strip('"\'') for text in (line, name)]
    stems = [ntpath.splitext(text)[0] for text in found if is_image(text)]
    for image_id in (*found, *stems, *map(ntpath.basename, stems)):
        if not annotations.name_problem(image_id) and annotation_path(folder, image_id).is_file():
            return '' if flag == '-1' and image_id != found[0] else image_id
    return '' if flag == '-1' else found[1]


def image_path(folder: str | os.PathLike, image_id: str, filename: str = '',
               listings: Listings | None = None) -> pathlib.Path:
    """The image <id> in JPEGImages, with any usual ending.

    Args:
        folder: in VOC layout.
        image_id: name of the file without ending.
        filename: what the annotation calls it, which decides between several images; '': the first
            in the order of ENDINGS.
        listings: what was found before, to read each folder once.

    Raises:
        DataError: there is none, or several others than `filename`.
    """
    stem = _part(str(folder), 'JPEGImages') / image_id
    listings = {} if listings is None else listings
    if stem.parent not in listings:
        listings[stem.parent] = _listing(stem.parent)
    names = listings[stem.parent].get(stem.name, [])
    fitting = sorted((name for name in names if is_image(name)),
                     key=lambda name: ENDINGS.index(os.path.splitext(name)[1].lower()))
    if not fitting:
        there = f'; there is {", ".join(names[:3])}' if names else ''
        raise DataError(f'{stem}.jpg: image is missing{there}')
    if len(fitting) > 1 and filename:
        fitting = [name for name in fitting if name == ntpath.basename(filename)]
        if not fitting:
            raise DataError(f'{stem}: the annotation means {filename!r}, and there are '
                            f'{", ".join(names)}')
    return stem.with_name(fitting[0])


def is_image(name: str) -> bool:
    """Whether a file has the ending of an image, in any case."""
    return name.lower().endswith(ENDINGS)


def _listing(folder):
    """{name without ending: its files} in a folder, without annotations and hidden files."""
    found = collections.defaultdict(list)
    with contextlib.suppress(OSError):
        for name in sorted(os.listdir(folder)):
            if not name.startswith('.') and not name.lower().endswith(('.xml', '.txt')):
                found[os.path.splitext(name)[0]].append(name)
    return found


def annotation_path(folder: str | os.PathLike, image_id: str) -> pathlib.Path:
    """Annotations/<id>.xml, whether it exists or not."""
    return _part(str(folder), 'Annotations') / f'{image_id}.xml'


def read_xml(folder: str | os.PathLike, image_id: str) -> annotations.Annotation:
    """Annotations/<id>.xml; its `image` is what <filename> says, or <id>.jpg.

    DataError names a file that is missing, malformed, or no annotation of VOC.
    """
    path = annotation_path(folder, image_id)
    root = _parsed(path)
    if problem := _foreign(root):
        raise DataError(f'{path}: no VOC annotation: {problem}')
    objects, refused = [], []
    for number, element in enumerate(root.findall('object'), start=1):
        try:
            objects.append(_object(element))
        except ValueError as error:
            name = (element.findtext('name') or 'nameless').strip()
            refused.append(f'{path}: object {number} ({name}): {error}')
    sides = [_number(root, f'size/{key}') for key in ('height', 'width')]
    size = (int(sides[0]), int(sides[1])) if min(sides) >= 1 else None
    image = (root.findtext('filename') or '').strip() or f'{image_id}.jpg'
    return annotations.Annotation(pathlib.Path(image), objects, size, str(path), tuple(refused))


def _foreign(root):
    """Why a root element is none of VOC's; '' if it is. Without an object it must look like one."""
    if root.tag != 'annotation':
        return f'its root is <{root.tag}>, not <annotation>'
    if root.find('object') is None:
        others = [element.tag for element in root.iter()
                  if re.search('object|bndbox|box|polygon|shape', str(element.tag).lower())]
        if others:
            return f'no <object> in <annotation>, but <{others[0]}>'
        if root.find('size') is None and root.find('filename') is None:
            return 'neither <object> nor <size> nor <filename>'
    return ''


def _number(element, key) -> float:
    """A number of an XML file; 0 where it is missing, no number, or infinite."""
    try:
        value = float(element.findtext(key, ''))
    except ValueError:
        return 0.
    return value if np.isfinite(value) else 0.


def _parsed(path):
    """The root of an XML file; DataError if it is missing, malformed, large or has a doctype."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise DataError(f'{path}: more than {_MOST_BYTES >> 20} MiB is no annotation')
        data = path.read_bytes()
        try:
            return ElementTree.fromstring(data, forbid_dtd=True)
        except (ElementTree.ParseError, ValueError, LookupError):
            # The parser knows four encodings; Python knows more.
            declared = re.match(_DECLARATION, data)
            text = data[declared.end() if declared else 0:].decode(
                declared[1].decode() if declared else 'utf-8-sig')
            return ElementTree.fromstring(text, forbid_dtd=True)
    except FileNotFoundError:
        raise DataError(f'{path}: annotation is missing') from None
    except DefusedXmlException:
        raise DataError(f'{path}: malformed XML: a document type, which could define entities, is '
                        'not read') from None
    except UnicodeDecodeError as error:
        raise DataError(f'{path}: malformed XML: its text is not in the encoding {error.encoding}; '
                        'declare the right one in its first line: <?xml version="1.0" '
                        'encoding="..."?>') from None
    except (ElementTree.ParseError, OSError, ValueError, LookupError) as error:
        raise DataError(f'{path}: malformed XML: {_reason(error)}') from None


def _object(element):
    """ValueError says what is missing or no number; other fields than these do not count."""
    name = (element.findtext('name') or '').strip()
    if not name:
        raise ValueError('it has no name')
    box = element.find('bndbox')  # a direct child: the boxes of <part>s lie deeper
    if box is None:
        others = [child.tag for child in element if re.search('box|polygon', str(child.tag))]
        raise ValueError(f'it has no <bndbox>{f", but <{others[0]}>" if others else ""}')
    corners = []
    for key in ('ymin', 'xmin', 'ymax', 'xmax'):
        text = box.findtext(key)
        try:
            corners.append(float(text))
        except (TypeError, ValueError):
            raise ValueError(f'its {key} is {"missing" if text is None else repr(text)}') from None
    return voc_object(name, tuple(corners), _flag(element, 'difficult'),
                      _flag(element, 'truncated'))


def _flag(element, key) -> bool:
    """Whether a flag is set: a number of 1 or more, or a word for yes. Unspecified is not."""
    return (_number(element, key) >= 1
            or element.findtext(key, '').strip().lower() in ('true', 'yes'))


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
