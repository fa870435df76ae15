"""Data in the layout of PASCAL VOC: image sets and XML annotations. No TensorFlow.

VOC's files count pixels from 1 and include both ends: a box covers the pixels xmin to xmax. The
rest of the code uses the edges of the pixels, xmin - 1 and xmax: a box over the whole image goes
from 0 to its width.
"""
import dataclasses
import functools
import os
import pathlib
import re
from collections.abc import Iterable, Sequence

import numpy as np
from defusedxml import DefusedXmlException, ElementTree

from datasets import annotations, class_lists, lists
from datasets.images import Images, files_in, stem
from utils.errors import DataError

CLASSES = class_lists.VOC
# Part of a VOC folder -> what else it is called, in any case.
_PARTS = {'JPEGImages': ('jpegimages', 'images', 'image', 'imgs', 'img'),
          'Annotations': ('annotations', 'annotation', 'xmls', 'xml', 'labels')}
_DECLARATION = rb'\s*<\?xml[^>]*?encoding\s*=\s*["\']([\w.:-]+)["\'][^>]*\?>'
_LISTS = 'ImageSets/Main'
_MOST_BYTES = 16 << 20  # of one XML file; a thousand objects take 0.3 MiB
_FETCH = '; python3 -m datasets.fetch voc2007 voc2012 downloads those of VOC'
_LOOKED_AT = 20  # XML files that are looked into, to know whose they are
# Root of an XML file -> the program that writes it.
_OTHERS = {'annotations': 'CVAT', 'dataset': 'dlib'}


class Folder(annotations.Source):
    """A folder of XML files and images: in VOC layout, beside each other, or in two folders.

    Args:
        folder: searched with its subfolders.
        classes: see annotations.Source.
        images: folders of the images; (): in the same folder.

    Raises:
        DataError: there is no such folder.
    """
    boxes = 'bndbox has corners in pixels'

    def __init__(self, folder: str | os.PathLike, classes: tuple[str, ...] = CLASSES,
                 images: Sequence[str | os.PathLike] = ()):
        self.classes = classes
        self.path = pathlib.Path(folder)
        if not self.path.is_dir():
            raise DataError(f'no VOC folder at {folder}{_FETCH}')
        self.name = self.path.resolve().name
        self._given = images

    @functools.cached_property
    def _xml(self) -> dict[str, pathlib.Path]:
        """{path of an XML file in their folder, without ending: the file}, sorted."""
        paths = xml_files(self.path)
        part = os.path.commonpath([path.parent for path in paths]) if paths else self.path
        return dict(sorted((path.relative_to(part).as_posix()[:-4], path) for path in paths))

    @functools.cached_property
    def _images(self) -> Images:
        return Images(self.path, self._given, self._xml)

    def image_ids(self) -> list[str]:
        """Paths of the XML files in their folder, without ending, sorted; DataError for none."""
        if not self._xml:
            raise DataError(f'no annotation (*.xml) in {self.path} and its subfolders')
        return list(self._xml)

    def lists(self) -> list[str]:
        """Those in ImageSets/Main, or others beside the data."""
        return lists_of(self.path) or super().lists()

    def listed(self, name: str) -> tuple[list[str], list[str]]:
        """As of annotations.Source; an image that has no XML file is refused when it is read."""
        if name in lists_of(self.path):
            return image_ids(self.path, name, self._xml), []
        return super().listed(name)

    def read(self, image_id: str) -> annotations.Annotation:
        """DataError if the image or its XML file is missing, or the XML file is malformed."""
        path = self._xml.get(image_id) or annotation_path(self.path, image_id)
        found, called = read_file(path)
        return dataclasses.replace(found, image=self._images.find(
            [image_id, *called], str(path), path.parent))

    def notes(self) -> list[str]:
        """One line if there are images without an XML file."""
        own = {stem(os.path.basename(image_id)) for image_id in self.image_ids()}
        part = _part(str(self.path), 'JPEGImages')
        without = sorted(path.relative_to(part).as_posix() for path in self._images.all()
                         if path.is_relative_to(part) and stem(path.name) not in own)
        if not without:
            return []
        return [f'{part}: images without an XML file, which are left out: {len(without)}, first '
                f'{without[0]}. An image without objects needs an XML file without <object>']


def folders_in(folder: str | os.PathLike) -> list[pathlib.Path]:
    """A folder that has lists of images, or those in it that have, as in a VOCdevkit; or []."""
    path = pathlib.Path(folder)
    return [path] if (path / _LISTS).is_dir() else [
        lists.parent.parent for lists in sorted(path.glob(f'*/{_LISTS}'))]


def xml_files(folder: str | os.PathLike) -> list[pathlib.Path]:
    """The XML files of a folder: those of its Annotations, or else all beneath it."""
    part = _part(str(folder), 'Annotations')
    return [path for path in files_in(part) if _is_xml(path.name)] or [
        path for path in files_in(pathlib.Path(folder)) if _is_xml(path.name)]


def recognised(folder: pathlib.Path, images: Sequence[str | os.PathLike] = ()) -> list[Folder]:
    """The source of a folder with XML files of VOC; DataError if they are those of others."""
    reasons = []
    for path in xml_files(folder)[:_LOOKED_AT]:
        try:
            read_file(path)
            return [Folder(folder, (), images)]
        except DataError as error:
            reasons.append(str(error))
    if reasons:
        raise DataError(reasons[0])
    return []


def _is_xml(name):
    return name.lower().endswith('.xml')


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


def lists_of(folder: str | os.PathLike) -> list[str]:
    """Names of the lists in ImageSets/Main of a folder, sorted."""
    return sorted(path.stem for path in pathlib.Path(folder, _LISTS).glob('*.txt'))


def image_ids(folder: str | os.PathLike, image_set: str, known: Iterable[str] | None = None
              ) -> list[str]:
    """The ids in <folder>/ImageSets/Main/<image_set>.txt, in its order, each once.

    An id may hold spaces, be in quotes, or be the name of an image with its ending and folders. In
    the lists of one class a second column follows: images with -1, which lack the class, are left
    out.

    Args:
        folder: in VOC layout.
        image_set: name of the list.
        known: ids that have an XML file; None: those in the folder.

    Raises:
        DataError: names the list, or the lists that exist.
    """
    path = pathlib.Path(folder, _LISTS, f'{image_set}.txt')
    if not pathlib.Path(folder).is_dir():
        raise DataError(f'no VOC folder at {folder}{_FETCH}')
    if not path.is_file():
        there = [name for name in lists_of(folder) if '_' not in name]
        raise DataError(f'no image list at {path}; lists there: {", ".join(there) or "none"}')
    if known is None:
        part = _part(str(folder), 'Annotations')
        known = [path.relative_to(part).as_posix()[:-4] for path in files_in(part)
                 if _is_xml(path.name)]
    ids = lists.in_order(path, lists.Known({image_id: image_id for image_id in known}))
    for image_id in ids:
        if problem := annotations.name_problem(image_id):
            raise DataError(f"image list {path}: '{image_id}' {problem}")
    return ids


def image_path(folder: str | os.PathLike, image_id: str, filename: str = '') -> pathlib.Path:
    """The image of an annotation in VOC layout, by the rule of datasets.images.

    Args:
        folder: in VOC layout.
        image_id: name of the file without ending.
        filename: what the annotation calls it, which decides between several images.

    Raises:
        DataError: there is none, or several others than `filename`.
    """
    part = _part(str(folder), 'JPEGImages')
    return Images(part, (), [image_id]).find([image_id, filename], str(part / image_id))


def annotation_path(folder: str | os.PathLike, image_id: str) -> pathlib.Path:
    """Annotations/<id>.xml, whether it exists or not."""
    return _part(str(folder), 'Annotations') / f'{image_id}.xml'


def read_xml(folder: str | os.PathLike, image_id: str) -> annotations.Annotation:
    """Annotations/<id>.xml; its `image` is what <filename> says, or <id>.jpg.

    DataError names a file that is missing, malformed, or no annotation of VOC.
    """
    return read_file(annotation_path(folder, image_id))[0]


def read_file(path: pathlib.Path) -> tuple[annotations.Annotation, list[str]]:
    """An XML file, and all names that it has for its image; DataError as of `read_xml`."""
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
    size = annotations.size(*(root.findtext(f'size/{key}') for key in ('height', 'width')))
    called = [text.strip() for key in ('filename', 'path') if (text := root.findtext(key, ''))]
    image = pathlib.Path(next(iter(called), f'{path.stem}.jpg'))
    return annotations.Annotation(image, objects, size, str(path), tuple(refused)), called


def _foreign(root):
    """Why a root element is none of VOC's; '' if it is. Without an object it must look like one."""
    if root.tag != 'annotation':
        owner = f': it is of {_OTHERS[root.tag]}' if root.tag in _OTHERS else ''
        return (f'its root is <{root.tag}>, not <annotation>{owner}; export as VOC, COCO or YOLO '
                'and name the new folder')
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
