"""Annotations in COCO's JSON format for instances: images, annotations, categories. No TensorFlow.

Source: https://cocodataset.org/#format-data. A bbox is [x, y, width, height] in pixels, fractions allowed, counted from the
upper left corner of the image: a box over the whole image is [0, 0, width, height].

Crowd regions (iscrowd 1) become difficult objects, as in weiliu89/caffe (branch ssd), src/caffe/util/io.cpp,
ReadJSONToAnnotatedDatum: evaluation counts neither them nor what is detected there. COCO's own evaluation does the same by
another overlap (of the detection's area alone).
"""
import collections
import json
import os
import pathlib
import posixpath
import re

import numpy as np

from datasets import annotations
from utils.errors import DataError


class RawObject(annotations.RawObject):
    """One entry of 'annotations'. box: (x, y, width, height), pixels."""

    def has_area(self) -> bool:
        """Whether width and height are above 0."""
        return self.box[2] > 0 and self.box[3] > 0

    def corners(self, height: int, width: int) -> np.ndarray:
        """float64 [4] ymin, xmin, ymax, xmax in units of the image, not clipped."""
        x, y, wide, high = self.box
        return np.array([y / height, x / width, (y + high) / height, (x + wide) / width])

    def __str__(self) -> str:
        return 'x {:g} y {:g} width {:g} height {:g}'.format(*self.box)


class Instances(annotations.Source):
    """The images of one instances_*.json. Image ids are the file's own, as text; images without annotations are background.

    Args:
        path: the JSON file.  images: folder that its file names start from; '' is the file's own folder.

    Raises:
        DataError: what makes the whole file ambiguous: it is no such JSON, two images or categories share an id or a name, two
            images are one file. What concerns one image or one object is told by `read`.
    """

    def __init__(self, path: str | os.PathLike, images: str | os.PathLike = ''):
        self.path, self.images = pathlib.Path(path), pathlib.Path(images or pathlib.Path(path).parent)
        if not self.images.is_dir():
            raise DataError(f'no image folder at {self.images}')
        content = _read(self.path)
        self.name = self.path.stem
        rows = sorted(_by_id(content, 'categories', path).items(), key=lambda item: _order(item[0]))
        self._categories = {key: str(row.get('name', '')).strip() for key, row in rows}
        self.classes = annotations.class_list(list(self._categories.values()), f'{path}: categories')
        self._images = _by_id(content, 'images', path)
        self._refuse_shared_files()
        self._objects, self._refused, self._strays = collections.defaultdict(list), collections.defaultdict(list), []
        seen = set()
        for number, row in enumerate(_table(content, 'annotations', path), start=1):
            name = str(row['id']) if 'id' in row else f'number {number}'
            self._add(row, f'annotation {name}', name in seen)
            seen.add(name)

    def image_ids(self) -> list[str]:
        """In the order of the file; DataError where it lists none."""
        if not self._images:
            raise DataError(f'{self.path}: no images')
        return list(self._images)

    def read(self, image_id: str) -> annotations.Annotation:
        """DataError where the image has no usable file name, or no file."""
        row, where = self._images[image_id], f'{self.path}: image {image_id}'
        name = row.get('file_name')
        if problem := annotations.name_problem(name):
            raise DataError(f'{where}: file name {name!r} {problem}')
        path = self.images / name
        if not os.path.isfile(path):
            raise DataError(f'{path}: image is missing ({where})')
        return annotations.Annotation(path, self._objects.get(image_id, []), _size(row), f'{where} ({name})',
                                      tuple(f'{where} ({name}): {line}' for line in self._refused.get(image_id, ())))

    def notes(self) -> list[str]:
        """One line where annotations are of images that the file does not list."""
        if not self._strays:
            return []
        return [f'{self.path}: annotations of images that it does not list, which are left out: {len(self._strays)}, '
                f'first {self._strays[0]}']

    def _add(self, row, reference, double):
        image = str(row.get('image_id'))
        if image not in self._images:
            self._strays.append(f'{reference} of image {image}')
            return
        name, box = self._categories.get(str(row.get('category_id'))), _box(row.get('bbox'))
        if double:
            self._refused[image].append(f'{reference}: its id stands twice')
        elif name is None:
            self._refused[image].append(f'{reference}: there is no category {row.get("category_id")!r}')
        elif box is None:
            self._refused[image].append(f'{reference} ({name}): bbox is not four numbers')
        else:
            self._objects[image].append(RawObject(name, box, row.get('iscrowd') == 1, reference=reference))

    def _refuse_shared_files(self):
        """Two ids for one file: a split could put the same picture into training and test."""
        owners = {}
        for key, row in self._images.items():
            name = row.get('file_name')
            first = key if annotations.name_problem(name) else owners.setdefault(posixpath.normpath(name), key)
            if first != key:
                raise DataError(f'{self.path}: images {first} and {key} are the same file {name}')


def _read(path):
    try:
        with open(path, encoding='utf-8-sig') as file:
            return json.load(file, object_hook=_without_outlines)
    except FileNotFoundError:
        raise DataError(f'no COCO file at {path}') from None
    except OSError as error:
        raise DataError(f'{path} cannot be read: {error.strerror}') from None
    except (ValueError, RecursionError) as error:
        raise DataError(f'{path}: malformed JSON: {str(error).splitlines()[0]}') from None


def _without_outlines(row):
    # The polygons are most of the file, and nothing here needs them.
    row.pop('segmentation', None)
    return row


def _table(content, key, path) -> list[dict]:
    rows = content.get(key) if isinstance(content, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise DataError(f"{path}: no list '{key}'; COCO's format for instances has images, annotations and categories")
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
    """Numbers by value, then other ids by the alphabet."""
    return (0, int(key), '') if re.fullmatch(r'-?\d{1,20}', key) else (1, 0, key)


def _box(value) -> tuple[float, ...] | None:
    """Four numbers, or None."""
    if not isinstance(value, list) or len(value) != 4 or any(type(number) not in (int, float) for number in value):
        return None
    try:
        return tuple(float(number) for number in value)
    except OverflowError:
        return None


def _size(row):
    height, width = row.get('height'), row.get('width')
    return (height, width) if isinstance(height, int) and isinstance(width, int) else None
