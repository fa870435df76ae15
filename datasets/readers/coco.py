"""Annotations in COCO's JSON format for instances. No TensorFlow.

The file has the tables images, annotations and categories (https://cocodataset.org/#format-data).
A bbox is [x, y, width, height] in pixels from the upper left corner of the image; without one, the
box around the polygons is taken.

A crowd region (iscrowd 1) covers many objects. Training leaves it out, COCO's numbers treat it by
COCO's rule (evaluation.coco), and VOC's numbers treat it as a difficult object.
"""
import collections
import json
import os
import pathlib
import posixpath
import re
from collections.abc import Mapping, Sequence

from datasets import annotations, class_lists
from datasets.annotations import Numbering, identifier
from datasets.images import Images
from utils.errors import DataError


class Instances(annotations.Source):
    """The images of one instances_*.json; images without annotations are background.

    Args:
        path: the JSON file.
        images: folders of the image files; (): beneath the folder of the JSON file, or beside it.

    Raises:
        DataError: the file as a whole is ambiguous: it is no such JSON, or two images or categories
            share an id, name or file. `read` reports what concerns one image or one object.
    """
    boxes = 'bbox is x, y, width, height in pixels'

    def __init__(self, path: str | os.PathLike, images: Sequence[str | os.PathLike] = ()):
        self.path = pathlib.Path(path)
        if missing := [str(folder) for folder in images if not os.path.isdir(folder)]:
            raise DataError(f'no image folder at {missing[0]}')
        content = read(self.path)
        # Roboflow calls all its files _annotations.coco.json, in folders train, valid and test.
        self.name = self.path.resolve().parent.name if self.path.stem.startswith('_') \
            else self.path.stem
        rows = _by_id(content, 'categories', path)
        self._known = set(rows)
        self._categories, self._left_out = _used(rows, content.get('annotations'))
        self.classes = class_lists.check(list(self._categories.values()), f'{path}: categories')
        self._rows = _by_id(content, 'images', path)
        names = {key: row['file_name'] for key, row in self._rows.items()
                 if annotations.is_name(row.get('file_name'))}
        self._refuse_shared_files(names)
        self._images = Images(self.path.parent, images, names.values(), self.path.stem)
        self._objects, self._refused = collections.defaultdict(list), collections.defaultdict(list)
        self._strays: list[str] = []
        self._numbers: dict[str, set[str]] = {'category_id': set(), 'image_id': set()}
        self._add(_table(content, 'annotations', path))

    def image_ids(self) -> list[str]:
        """Ids as text, in the order of the file; DataError if it lists none."""
        if not self._rows:
            raise DataError(f'{self.path}: no images')
        return list(self._rows)

    def files(self) -> dict[str, str]:
        """{id: file_name}."""
        return {key: str(row.get('file_name')) for key, row in self._rows.items()}

    def read(self, image_id: str) -> annotations.Annotation:
        """DataError if the image has no usable file name, or no file."""
        row, where = self._rows[image_id], f'{self.path}: image {image_id}'
        name = row.get('file_name')
        if not annotations.is_name(name):
            raise DataError(f'{where}: file name {name!r} is none')
        path = self._images.find([name], where)
        where = f'{where} ({name})'
        return annotations.Annotation(
            path, self._objects.get(image_id, []),
            annotations.size(row.get('height'), row.get('width')), where,
            tuple(f'{where}: {line}' for line in self._refused.get(image_id, ())))

    def notes(self) -> list[str]:
        """Lines on annotations of images that the file does not list, and categories left out."""
        lines = [f'{self.path}: category {name}, which no annotation has, is left out'
                 for name in self._left_out]
        if self._strays:
            lines.append(f'{self.path}: annotations of images that it does not list, which are '
                         f'left out: {len(self._strays)}, first {self._strays[0]}')
        return lines

    def numberings(self) -> list[Numbering]:
        """Of the categories and of the images."""
        known = {'category_id': self._known, 'image_id': self._rows}
        return [Numbering(f'{self.path}: {key}', used, {*map(_plain, known[key])})
                for key, used in self._numbers.items()]

    def _add(self, rows):
        """Sorts the objects by image; what cannot be used goes to the refused lines."""
        categories, images = _lookup(self._categories), _lookup(self._rows)
        seen = set()
        for number, row in enumerate(rows, start=1):
            name = identifier(row.get('id'))
            reference = f'annotation {name or f"number {number}"}'
            given = {key: identifier(row.get(key)) for key in self._numbers}
            for key, value in given.items():
                self._numbers[key].add(_plain(value))
            image = _found(images, given['image_id'])
            if image is None:
                self._strays.append(f'{reference} of image {row.get("image_id")}')
                continue
            category = _found(categories, given['category_id'])
            box = annotations.numbers(row.get('bbox'), 4)
            if name and name in seen:
                self._refused[image].append(f'{reference}: its id stands twice')
            elif category is None:
                self._refused[image].append(
                    f'{reference}: there is no category {row.get("category_id")!r}')
            elif box is None:
                self._refused[image].append(
                    f'{reference} ({self._categories[category]}): bbox is not four numbers'
                    + ('' if row.get('bbox') else ', and there is no polygon'))
            else:
                crowd = identifier(row.get('iscrowd')) == '1' or row.get('iscrowd') is True
                self._objects[image].append(
                    coco_object(self._categories[category], tuple(box), crowd, reference))
            seen.add(name)

    def _refuse_shared_files(self, names):
        # A split could put one file with two ids into both training and test.
        owners = {}
        for key, name in names.items():
            first = owners.setdefault(posixpath.normpath(name.replace('\\', '/')), key)
            if first != key:
                raise DataError(f'{self.path}: images {first} and {key} are the same file {name}')


def _used(rows, found):
    """The categories {id: name} in the order of their ids, and names of those that are none.

    Some tools put the project itself, or the background, before the categories.
    """
    rows = dict(sorted(rows.items(), key=lambda item: _order(item[0])))
    names = {key: str(row.get('name', '')).strip() for key, row in rows.items()}
    numbered = _lookup(rows)
    used = {_found(numbered, identifier(row.get('category_id'))) for row in found
            if isinstance(row, dict)} if isinstance(found, list) else set()
    doubles = {names[key] for key in rows if key in used}
    above = {row.get('supercategory') for row in rows.values()}
    first = next(iter(rows), '')
    unused = [key for key in rows if key not in used and (
        names[key] in doubles or (key == '0' and names[key] in above)
        or (key == first and class_lists.is_background(names[key])))]
    return ({key: name for key, name in names.items() if key not in unused},
            [names[key] for key in unused])


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
    # The polygons are most of the file. They are used where there is no box.
    outline = row.pop('segmentation', None)
    if outline and not row.get('bbox'):
        row['bbox'] = _around(outline)
    return row


def _around(outline):
    """The box around polygons [[x, y, x, y, ...], ...]; None if it is a mask or something else."""
    if not isinstance(outline, list):
        return None
    polygons = [annotations.numbers(polygon) for polygon in outline]
    if not all(polygon and len(polygon) % 2 == 0 for polygon in polygons):
        return None
    xs, ys = ([number for polygon in polygons for number in polygon[start::2]] for start in (0, 1))
    return [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)]


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
        name = identifier(row.get('id'))
        if not name:
            raise DataError(f"{path}: number {number} of '{key}' has no id")
        if name in rows:
            raise DataError(f"{path}: id {name} stands twice in '{key}'")
        rows[name] = row
    return rows


def _lookup(rows: Mapping[str, object]) -> dict[str, str]:
    """{an id as another table may write it: the id}: 7 for 007."""
    plain = collections.Counter(_plain(key) for key in rows)
    return {_plain(key): key for key in rows if plain[_plain(key)] == 1} | {
        key: key for key in rows}


def _found(lookup, value):
    return lookup.get(value, lookup.get(_plain(value)))


def _plain(key):
    return re.sub(r'^0+(?=\d+$)', '', key)


def _order(key: str) -> tuple[int, int, str]:
    """Sorts numbers by value, then other ids by text."""
    return (0, int(key), '') if re.fullmatch(r'-?\d{1,20}', key) else (1, 0, key)
