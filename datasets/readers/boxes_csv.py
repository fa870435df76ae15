"""A CSV file with a box in pixels per row, as many converters write it. No TensorFlow.

Columns are found by the names in the first row, such as filename, class, xmin, ymin, xmax, ymax; a
file without names has image, xmin, ymin, xmax, ymax, class. They are separated by commas,
semicolons or tabs. A row with an image alone says that it has no objects.
"""
import collections
import csv
import pathlib
from collections.abc import Iterator

import numpy as np

from datasets.readers import annotations
from utils.errors import DataError

# What is read -> what its column may be called, in small letters.
_COLUMNS = {
    'image': ('filename', 'file_name', 'image', 'image_path', 'path', 'file', 'image_id', 'img'),
    'class': ('class', 'label', 'class_name', 'name', 'category', 'object'),
    'xmin': ('xmin', 'x_min', 'x1', 'left'), 'ymin': ('ymin', 'y_min', 'y1', 'top'),
    'xmax': ('xmax', 'x_max', 'x2', 'right'), 'ymax': ('ymax', 'y_max', 'y2', 'bottom')}
_WITHOUT_NAMES = ('image', 'xmin', 'ymin', 'xmax', 'ymax', 'class')


class Table(annotations.Source):
    """The images of one CSV file, relative to its folder or to images/ in it.

    Raises:
        DataError: the file cannot be read, or has other columns.
    """
    classes = ()

    def __init__(self, path: pathlib.Path, name: str):
        self.path, self.name = path, name
        self._rows = collections.defaultdict(list)
        rows = list(read(path))
        columns = columns_of(rows[0] if rows else [])
        if columns is None:
            raise DataError(f'{path}: its first row has no columns for {", ".join(_COLUMNS)}, such '
                            'as filename,class,xmin,ymin,xmax,ymax')
        start = 0 if _is_box(rows[0], columns) else 1
        for number, row in enumerate(rows[start:], start=start + 1):
            if any(row):
                self._rows[row[columns['image']].strip()].append(
                    (number, {key: row[at].strip() if at < len(row) else ''
                              for key, at in columns.items()}))

    def image_ids(self) -> list[str]:
        """Names of the images, in the order of the file; DataError if it has none."""
        if not self._rows:
            raise DataError(f'{self.path} has no row')
        return list(self._rows)

    def read(self, image_id: str) -> annotations.Annotation:
        """DataError if the image is missing."""
        where = f'{self.path}, line {self._rows[image_id][0][0]}'
        if problem := annotations.name_problem(image_id):
            raise DataError(f'{where}: image {image_id!r} {problem}')
        places = [self.path.parent / image_id, self.path.parent / 'images' / image_id]
        image = next((place for place in places if place.is_file()), None)
        if image is None:
            raise DataError(f'{where}: image {places[0]} is missing')
        objects, refused = [], []
        for number, row in self._rows[image_id]:
            if not any(text for key, text in row.items() if key != 'image'):
                continue
            edges = _numbers(list(row.values()), {key: n for n, key in enumerate(row)})
            if edges is None or not row['class']:
                refused.append(f'{self.path}, line {number}: a box or a class is missing')
            else:
                objects.append(annotations.box(row['class'], edges, f'line {number}'))
        return annotations.Annotation(image, objects, None, where, tuple(refused))


def read(path: pathlib.Path) -> Iterator[list[str]]:
    """The rows of a CSV file; DataError if it cannot be read."""
    try:
        with open(path, newline='', encoding='utf-8-sig') as file:
            separator = max(',;\t', key=file.readline().count)
            file.seek(0)
            yield from csv.reader(file, delimiter=separator)
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f'{path} cannot be read: {error}') from None


def columns_of(first: list[str]) -> dict[str, int] | None:
    """{what is read: number of its column} by the first row of a file; None for another table."""
    names = [name.strip().lower() for name in first]
    found = {key: next((names.index(name) for name in known if name in names), -1)
             for key, known in _COLUMNS.items()}
    if min(found.values()) >= 0:
        return found
    columns = {key: number for number, key in enumerate(_WITHOUT_NAMES)}
    return columns if len(first) == len(columns) and _is_box(first, columns) else None


def _is_box(row, columns):
    """Whether a row has a box, or an image alone, and is no row of names."""
    return _numbers(row, columns) is not None or bool(row[0]) and not any(row[1:])


def _numbers(row, columns):
    """(ymin, xmin, ymax, xmax) of a row; None where one of them is no number."""
    try:
        return np.array([float(row[columns[key]]) for key in ('ymin', 'xmin', 'ymax', 'xmax')])
    except (ValueError, IndexError):
        return None
