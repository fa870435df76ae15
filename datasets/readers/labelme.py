"""Annotations of LabelMe: a JSON file per image, with shapes of points in pixels. No TensorFlow.

Rectangles, polygons, circles and masks become bounding boxes; points and lines are refused.
"""
import json
import pathlib

import numpy as np

from datasets.readers import annotations
from utils.errors import DataError


class Shapes(annotations.Source):
    """The JSON files of one folder, or else of its subfolders, each beside its image."""
    classes = ()

    def __init__(self, folder: pathlib.Path, name: str):
        self.path, self.name = folder, name

    def image_ids(self) -> list[str]:
        """Paths of the JSON files in the folder, without ending; DataError if there are none."""
        paths = [*self.path.glob('*.json')] or self.path.rglob('*.json')
        found = sorted(path.relative_to(self.path).with_suffix('').as_posix() for path in paths)
        if not found:
            raise DataError(f'no annotation (*.json) in {self.path}')
        return found

    def read(self, image_id: str) -> annotations.Annotation:
        """DataError if the JSON file or its image cannot be used."""
        path = self.path / f'{image_id}.json'
        content = content_of(path)
        if content is None:
            raise DataError(f'{path}: no annotation of LabelMe: no list "shapes"')
        name = str(content.get('imagePath') or '').replace('\\', '/').split('/')[-1]
        image = path.with_name(name) if name else path
        if annotations.name_problem(name) or not image.is_file():
            raise DataError(f'{path}: its image {name!r} is missing beside it')
        objects, refused = [], []
        for number, shape in enumerate(content['shapes'], start=1):
            try:
                objects.append(annotations.box(_name(shape), _edges(shape), f'shape {number}'))
            except (TypeError, ValueError, AttributeError) as error:
                refused.append(f'{path}: shape {number}: {error}')
        sides = content.get('imageHeight'), content.get('imageWidth')
        size = sides if all(isinstance(side, int) for side in sides) else None
        return annotations.Annotation(image, objects, size, str(path), tuple(refused))


def content_of(path: pathlib.Path) -> dict | None:
    """The content of a JSON file of LabelMe; None if it is another one."""
    try:
        content = json.loads(path.read_text(encoding='utf-8-sig'))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f'{path} cannot be read: {error}') from None
    return content if isinstance(content, dict) and isinstance(content.get('shapes'), list) \
        else None


def _name(shape):
    if not str(shape.get('label') or '').strip():
        raise ValueError('it has no label')
    return str(shape['label']).strip()


def _edges(shape):
    kind = shape.get('shape_type') or 'polygon'
    points = np.array(shape.get('points'), float).reshape(-1, 2)
    if kind == 'circle' and len(points) == 2:  # centre and a point of the edge
        radius = np.hypot(*(points[1] - points[0]))
        points = points[0] + np.array([[-radius, -radius], [radius, radius]])
    elif kind not in ('rectangle', 'polygon', 'rotation', 'mask') or len(points) < 2:
        raise ValueError(f'a {kind} of {len(points)} points is no area')
    (xmin, ymin), (xmax, ymax) = points.min(axis=0), points.max(axis=0)
    return np.array([ymin, xmin, ymax, xmax])
