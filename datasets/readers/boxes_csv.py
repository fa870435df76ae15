"""A CSV file with a box per row, as many programs write it. No TensorFlow.

Columns are found by the names in the first row: corners (xmin, ymin, xmax, ymax), or x, y, width,
height, or the centre instead, or one column bbox with x, y, width, height. A file without names has
image, xmin, ymin, xmax, ymax, class. Boxes that are all within 0 and 1 are fractions of the upright
image, as Open Images has them. A row with an image alone says that it has no objects.
"""
import csv
import os
import pathlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from datasets import annotations
from datasets.images import Images, is_image
from datasets.readers import yolo
from utils.errors import DataError

# What is read -> what its column may be called: small letters and numbers only.
_COLUMNS = {
    'image': ('filename', 'image', 'imagepath', 'imagename', 'imagefile', 'path', 'file', 'imageid',
              'imgname', 'img', 'imgid', 'frame', 'externalid', 'name'),
    'class': ('class', 'label', 'classname', 'labelname', 'labels', 'name', 'category',
              'categoryname', 'object', 'classid', 'categoryid', 'regionlabel'),
    'xmin': ('xmin', 'x1', 'left', 'bboxxmin', 'xtl', 'xleft'),
    'ymin': ('ymin', 'y1', 'top', 'bboxymin', 'ytl', 'ytop'),
    'xmax': ('xmax', 'x2', 'right', 'bboxxmax', 'xbr', 'xright'),
    'ymax': ('ymax', 'y2', 'bottom', 'bboxymax', 'ybr', 'ybottom'),
    'x': ('x', 'bboxx', 'boxx', 'xmin', 'left', 'x1'),
    'y': ('y', 'bboxy', 'boxy', 'ymin', 'top', 'y1'),
    'cx': ('cx', 'xcenter', 'centerx', 'xcentre', 'bboxcx'),
    'cy': ('cy', 'ycenter', 'centery', 'ycentre', 'bboxcy'),
    'w': ('bboxwidth', 'bboxw', 'boxwidth', 'boxw', 'w', 'width'),
    'h': ('bboxheight', 'bboxh', 'boxheight', 'boxh', 'h', 'height'),
    'bbox': ('bbox', 'box', 'boundingbox'),
    'image width': ('imagewidth', 'imgwidth', 'imagew', 'imgw', 'width'),
    'image height': ('imageheight', 'imgheight', 'imageh', 'imgh', 'height'),
    'crowd': ('isgroupof', 'iscrowd'), 'truncated': ('istruncated', 'truncated'),
    'difficult': ('difficult', 'isdifficult')}
# How the numbers of a box may be given, the surest first.
_BOXES = (('xmin', 'ymin', 'xmax', 'ymax'), ('x', 'y', 'w', 'h'), ('cx', 'cy', 'w', 'h'), ('bbox',))
# Columns of files without names: of most converters, of SKU110K, and of Make Sense.
_WITHOUT_NAMES = (('image', 'xmin', 'ymin', 'xmax', 'ymax', 'class'),
                  ('image', 'xmin', 'ymin', 'xmax', 'ymax', 'class', 'image width', 'image height'),
                  ('class', 'x', 'y', 'w', 'h', 'image', 'image width', 'image height'))
_ONE_CLASS = 'object'  # the class of a file without one
_DESCRIPTIONS = 'class-descriptions*.csv'  # Open Images: /m/01yrx,Cat


class Layout(NamedTuple):
    """What stands in which column.

    Attributes:
        columns: {what is read: number of its column}.
        box: an element of _BOXES.
        named: whether the first row has the names.
    """
    columns: dict[str, int]
    box: tuple[str, ...]
    named: bool


class Table(annotations.Source):
    """The images of one CSV file.

    Args:
        path: the file.
        name: of the source.
        images: folders of the images; (): beneath that of the file, or beside it.

    Raises:
        DataError: the file cannot be read, or has other columns.
    """
    classes = ()

    def __init__(self, path: pathlib.Path, name: str,
                 images: Sequence[str | os.PathLike] = ()):
        self.path, self.name = path, name
        rows = list(read(path))
        layout = layout_of(rows[:2], path)
        self._box, self._columns = layout.box, layout.columns
        self.boxes = f'a box is {", ".join(layout.box)}' if len(layout.box) > 1 \
            else 'bbox is x, y, width, height'
        self._rows: dict[str, list[tuple[int, dict[str, str]]]] = {}
        for number, row in enumerate(rows, start=1):
            if any(row) and (number > 1 or not layout.named):
                found = {key: row[at].strip() if at < len(row) else ''
                         for key, at in layout.columns.items()}
                self._rows.setdefault(found['image'], []).append((number, found))
        self._fractions = self._are_fractions()
        self._names = {row.get('class', '') for rows in self._rows.values() for _, row in rows}
        self._descriptions = _descriptions(path.parent)
        self._images = Images(path.parent, images, self._rows, path.stem)

    def image_ids(self) -> list[str]:
        """Names of the images, in the order of the file; DataError if it has none."""
        if not self._rows:
            raise DataError(f'{self.path} has no row')
        return list(self._rows)

    def notes(self) -> list[str]:
        """One line if the file names no classes, or only their codes."""
        coded = [name for name in sorted(self._names) if re.match('/[mg]/', name)]
        if coded and not self._descriptions:
            return [f'{self.path}: classes are called {coded[0]}, ...; the file '
                    'class-descriptions-boxable.csv of Open Images beside it would name them']
        if 'class' in self._columns:
            return []
        return [f"{self.path} has no column of classes: all boxes are of the class "
                f"'{_ONE_CLASS}'; a line 'cat = {_ONE_CLASS}' in --classes_file=FILE renames it"]

    def read(self, image_id: str) -> annotations.Annotation:
        """DataError if the image is missing."""
        where = f'{self.path}, line {self._rows[image_id][0][0]}'
        if not annotations.is_name(image_id):
            raise DataError(f'{where}: image {image_id!r} is none')
        image = self._images.find([image_id], where)
        first = self._rows[image_id][0][1]
        size = annotations.size(first.get('image height', ''), first.get('image width', ''))
        scale = np.ones(4)
        if self._fractions:
            try:
                size = yolo.upright_size(image)
            except (OSError, ValueError) as error:
                raise DataError(f'{where}: {image} cannot be read: {error}') from None
            scale = np.array([*size, *size])
        objects, refused = [], []
        for number, row in self._rows[image_id]:
            if not any(row.get(key) for key in ('class', *self._box)):
                continue
            edges, name = _edges(row, self._box), row.get('class', _ONE_CLASS)
            if edges is None or not name:
                refused.append(f'{self.path}, line {number}: a box or a class is missing')
            else:
                objects.append(annotations.box(
                    self._descriptions.get(name, name), edges * scale, f'line {number}',
                    **{key: _is_set(row.get(key)) for key in ('difficult', 'truncated', 'crowd')}))
        return annotations.Annotation(image, objects, size, where, tuple(refused))

    def _are_fractions(self):
        found = [edges for rows in self._rows.values() for _, row in rows
                 if (edges := _edges(row, self._box)) is not None and np.isfinite(edges).all()]
        return bool(found) and max(edges.max() for edges in found) <= 1.01 and any(
            edge % 1 for edges in found for edge in edges)


def read(path: pathlib.Path) -> Iterator[list[str]]:
    """The rows of a CSV file; DataError if it cannot be read."""
    try:
        with open(path, newline='', encoding='utf-8-sig') as file:
            separator = max(',;\t', key=file.readline().count)
            file.seek(0)
            yield from csv.reader(file, delimiter=separator)
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f'{path} cannot be read: {error}') from None


def layout_of(rows: Sequence[list[str]], path: pathlib.Path) -> Layout:
    """What the columns are, by the first two rows of a file; DataError names what is missing."""
    first, second = ([*rows, [], []])[:2]
    names = [re.sub('[^a-z0-9]', '', name.lower()) for name in first]
    columns = {key: names.index(name) for key, known in _COLUMNS.items()
               for name in reversed(known) if name in names}
    pictures = [at for at, text in enumerate(second) if is_image(text.strip())]
    if pictures and columns.get('image') not in pictures:
        columns['image'] = pictures[0]
    if columns.get('class') == columns.get('image'):
        columns.pop('class', None)
    for box in _BOXES:
        if not {'image', *box} <= set(columns):
            continue
        used = [columns[key] for key in box]
        # width and height may be those of the image, if they do not follow x and y.
        apart = [names[at] for at in used[2:]] == ['width', 'height'] and used != list(
            range(used[0], used[0] + 4))
        if not apart:
            others = {key: at for key, at in columns.items() if at not in used}
            return Layout(others | dict(zip(box, used, strict=True)), box, True)
    for layout in _WITHOUT_NAMES:
        box = next(box for box in _BOXES if set(box) <= set(layout))
        row = dict(zip(layout, first, strict=False))
        if len(first) == len(layout) and _is_row(row, box) and (
                len(layout) == 6 or is_image(row['image'].strip())):
            return Layout({key: at for at, key in enumerate(layout)}, box, False)
    there = ', '.join(text.strip() for text in first)[:200]
    if (len(first) - 1) % 5 == 0 and len(first) > 6 and is_image(first[0].strip()):
        raise DataError(f'{path}, line 1: {len(first)} columns are several boxes in a row; write '
                        'one row per box: image,xmin,ymin,xmax,ymax,class')
    missing = [] if 'image' in columns else ['image']
    lacking = [[key for key in box if key not in columns] for box in _BOXES[:2]]
    missing += lacking[0] if all(lacking) or not missing else []
    raise DataError(f'{path}: its first row has no columns for {", ".join(missing)}; it has: '
                    f'{there or "nothing"}. What is read: filename,class,xmin,ymin,xmax,ymax, or '
                    'x,y,width,height')


def _is_row(row, box):
    """Whether a row of a file without names has a box, or an image alone."""
    return _edges(row, box) is not None or bool(row['image']) and not any(
        text for key, text in row.items() if key != 'image')


def _edges(row: Mapping[str, str], box: Sequence[str]) -> np.ndarray | None:
    """ymin, xmin, ymax, xmax of a row; None where one of them is no number."""
    found = annotations.numbers(row.get('bbox'), 4) if box == ('bbox',) \
        else annotations.numbers([_point(row.get(key, '')) for key in box], 4)
    if found is None:
        return None
    x, y, x2, y2 = found
    if box[0] == 'cx':
        x, y = x - x2 / 2, y - y2 / 2
    if box[0] != 'xmin':
        x2, y2 = x + x2, y + y2
    return np.array([y, x, y2, x2])


def _point(text):
    """A number with a decimal comma, as a program in many countries writes it, with a point."""
    return re.sub(r'^(-?\d+),(\d+)$', r'\1.\2', text)


def _is_set(text):
    return text is not None and text.strip().lower() in ('1', '1.0', 'true', 'yes')


def _descriptions(folder):
    """{code: name} of Open Images, from a file beside the table or in the folder above."""
    found = {}
    for path in [*folder.glob(_DESCRIPTIONS), *folder.parent.glob(_DESCRIPTIONS)]:
        found |= {row[0].strip(): row[1].strip() for row in read(path)
                  if len(row) == 2 and row[1].strip()}
    return found
