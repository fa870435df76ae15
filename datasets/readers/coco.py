"""Annotations in COCO's JSON format for instances. No TensorFlow.

The file has the tables images, annotations and categories (https://cocodataset.org/#format-data).
A bbox is [x, y, width, height] in pixels from the upper left corner of the image.

A crowd region (iscrowd 1) covers many objects. Training leaves it out, COCO's numbers treat it by
COCO's rule (evaluation.coco), and VOC's numbers treat it as a difficult object.
"""
import collections
import json
import os
import pathlib
import posixpath
import re

from datasets.readers import annotations
from utils.errors import DataError

_LOOKED_AT = 20  # images that are looked for, to find their folder


class Instances(annotations.Source):
    """The images of one instances_*.json; images without annotations are background.

    Args:
        path: the JSON file.
        images: folder of the image files; '': beside the JSON file, or as in COCO's own folders.

    Raises:
        DataError: the file as a whole is ambiguous: it is no such JSON, or two images or categories
            share an id, name or file. `read` reports what concerns one image or one object.
    """

    def __init__(self, path: str | os.PathLike, images: str | os.PathLike = ''):
        self.path = pathlib.Path(path)
        if images and not os.path.isdir(images):
            raise DataError(f'no image folder at {images}')
        content = read(self.path)
        # Roboflow calls all its files _annotations.coco.json, in folders train, valid and test.
        self.name = self.path.resolve().parent.name if self.path.stem.startswith('_') \
            else self.path.stem
        rows = sorted(_by_id(content, 'categories', path).items(), key=lambda item: _order(item[0]))
        found = content.get('annotations')
        used = {str(row.get('category_id')) for row in found if isinstance(row, dict)} \
            if isinstance(found, list) else set()
        # Some tools put the project itself before the categories, perhaps by the name of one.
        doubles = {_category(row) for key, row in rows if key in used}
        above = {row.get('supercategory') for _, row in rows}
        unused = [key for key, row in rows if key not in used and (
            _category(row) in doubles or (key == '0' and _category(row) in above))]
        self._categories = {key: _category(row) for key, row in rows if key not in unused}
        self._left_out = [_category(row) for key, row in rows if key in unused]
        names = list(self._categories.values())
        self.classes = annotations.class_list(names, f'{path}: categories')
        self._images = _by_id(content, 'images', path)
        self.images = pathlib.Path(images or self._folder())
        self._refuse_shared_files()
        self._objects, self._refused = collections.defaultdict(list), collections.defaultdict(list)
        self._strays, seen = [], set()
        for number, row in enumerate(_table(content, 'annotations', path), start=1):
            name = str(row['id']) if 'id' in row else f'number {number}'
            self._add(row, f'annotation {name}', name in seen)
            seen.add(name)

    def image_ids(self) -> list[str]:
        """Ids as text, in the order of the file; DataError if it lists none."""
        if not self._images:
            raise DataError(f'{self.path}: no images')
        return list(self._images)

    def read(self, image_id: str) -> annotations.Annotation:
        """DataError if the image has no usable file name, or no file."""
        row, where = self._images[image_id], f'{self.path}: image {image_id}'
        name = row.get('file_name')
        if problem := annotations.name_problem(name):
            raise DataError(f'{where}: file name {name!r} {problem}')
        path = image_file(self.images, name)
        if path is None:
            raise DataError(f'{self.images / name}: image is missing ({where})')
        where = f'{where} ({name})'
        size = row.get('height'), row.get('width')
        return annotations.Annotation(
            path, self._objects.get(image_id, []),
            size if all(isinstance(side, int) for side in size) else None, where,
            tuple(f'{where}: {line}' for line in self._refused.get(image_id, ())))

    def notes(self) -> list[str]:
        """Lines on annotations of images that the file does not list, and categories left out."""
        lines = [f'{self.path}: category {name}, which no annotation has, is left out'
                 for name in self._left_out]
        if self._strays:
            lines.append(f'{self.path}: annotations of images that it does not list, which are '
                         f'left out: {len(self._strays)}, first {self._strays[0]}')
        return lines

    def _folder(self):
        """Of a file train.json or annotations/instances_train.json: where the first images are."""
        rows = list(self._images.values())[:_LOOKED_AT]
        names = [row['file_name'] for row in rows if isinstance(row.get('file_name'), str)]
        part = self.path.stem.split('_')[-1]
        places = [folder / inner for folder in (self.path.parent, self.path.parent.parent)
                  for inner in ('', part, f'images/{part}', 'images')]
        return next((place for place in places for name in names if image_file(place, name)),
                    places[0])

    def _add(self, row, reference, double):
        image = str(row.get('image_id'))
        if image not in self._images:
            self._strays.append(f'{reference} of image {image}')
            return
        name, box = self._categories.get(str(row.get('category_id'))), _box(row.get('bbox'))
        if double:
            self._refused[image].append(f'{reference}: its id stands twice')
        elif name is None:
            category = row.get('category_id')
            self._refused[image].append(f'{reference}: there is no category {category!r}')
        elif box is None:
            self._refused[image].append(f'{reference} ({name}): bbox is not four numbers')
        else:
            self._objects[image].append(coco_object(name, box, row.get('iscrowd') == 1, reference))

    def _refuse_shared_files(self):
        # A split could put one file with two ids into both training and test.
        owners = {}
        for key, row in self._images.items():
            name = row.get('file_name')
            first = (key if annotations.name_problem(name)
                     else owners.setdefault(posixpath.normpath(name), key))
            if first != key:
                raise DataError(f'{self.path}: images {first} and {key} are the same file {name}')


def image_file(folder: pathlib.Path, name: str) -> pathlib.Path | None:
    """The image that file_name means, written with slashes or as on Windows; None if missing."""
    places = folder / name, folder / name.replace('\\', '/')
    return next((path for path in places if os.path.isfile(path)), None)


def _category(row):
    return str(row.get('name', '')).strip()


def coco_object(name: str, bbox: tuple[float, ...], crowd: bool = False,
                reference: str = '') -> annotations.RawObject:
    """One row of 'annotations'. bbox: (x, y, width, height), pixels."""
    x, y, width, height = bbox
    return annotations.RawObject(
        name, (y, x, y + height, x + width), f'x {x:g} y {y:g} width {width:g} height {height:g}',
        width > 0 and height > 0, difficult=crowd, crowd=crowd, reference=reference)


def read(path: pathlib.Path) -> dict:
    """The object in a JSON file, without polygons; {} for another, DataError for no JSON."""
    try:
        with open(path, encoding='utf-8-sig') as file:
            content = json.load(file, object_hook=_without_outlines)
            return content if isinstance(content, dict) else {}
    except FileNotFoundError:
        raise DataError(f'no COCO file at {path}') from None
    except OSError as error:
        raise DataError(f'{path} cannot be read: {error.strerror}') from None
    except (ValueError, RecursionError) as error:
        raise DataError(f'{path}: malformed JSON: {str(error).splitlines()[0]}') from None


def _without_outlines(row):
    # The polygons are most of the file and are not used.
    row.pop('segmentation', None)
    return row


def _table(content, key, path) -> list[dict]:
    rows = content.get(key)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise DataError(f"{path}: no list '{key}'; COCO's format for instances has images, "
                        'annotations and categories')
    return rows


def _by_id(content, key, path) -> dict[str, dict]:
    """The rows of a table by their id, as text."""
    rows = {}
    for number, row in enumerate(_table(content, key, path), start=1):
        name = row.get('id')
        if isinstance(name, bool) or not isinstance(name, (int, str)):
            raise DataError(f"{path}: number {number} of '{key}' has no id")
        if str(name) in rows:
            raise DataError(f"{path}: id {name} stands twice in '{key}'")
        rows[str(name)] = row
    return rows


def _order(key: str) -> tuple[int, int, str]:
    """Sorts numbers by value, then other ids by text."""
    return (0, int(key), '') if re.fullmatch(r'-?\d{1,20}', key) else (1, 0, key)


def _box(value) -> tuple[float, ...] | None:
    """Four floats, or None."""
    if not isinstance(value, list) or len(value) != 4:
        return None
    if any(type(number) not in (int, float) for number in value):  # bool is an int
        return None
    try:
        return tuple(float(number) for number in value)
    except OverflowError:
        return None
