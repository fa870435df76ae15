"""Annotations of LabelMe: a JSON file per image, with shapes of points in pixels. No TensorFlow.

Rectangles, polygons, circles and masks become bounding boxes; points and lines are refused.
"""
import base64
import functools
import json
import os
import pathlib
from collections.abc import Sequence

import numpy as np

from datasets import annotations
from datasets.images import Images, files_in, stem
from utils.errors import DataError


class Shapes(annotations.Source):
    """The JSON files of one folder and its subfolders, wherever their images lie.

    Args:
        folder: searched with its subfolders.
        name: of the source.
        images: folders of the images; (): in the same folder.
    """
    classes = ()
    boxes = 'points are in pixels'

    def __init__(self, folder: pathlib.Path, name: str,
                 images: Sequence[str | os.PathLike] = ()):
        self.path, self.name, self._given = folder, name, images

    @functools.cached_property
    def _json(self) -> dict[str, pathlib.Path]:
        paths = [path for path in files_in(self.path) if path.suffix.lower() == '.json']
        part = os.path.commonpath([path.parent for path in paths]) if paths else self.path
        return dict(sorted((path.relative_to(part).as_posix()[:-5], path) for path in paths))

    @functools.cached_property
    def _images(self) -> Images:
        return Images(self.path, self._given, self._json)

    def image_ids(self) -> list[str]:
        """Paths of the JSON files in the folder, without ending; DataError if there are none."""
        if not self._json:
            raise DataError(f'no annotation (*.json) in {self.path}')
        return list(self._json)

    def notes(self) -> list[str]:
        """One line if there are images without a JSON file."""
        own = {stem(os.path.basename(image_id)) for image_id in self._json}
        without = [path.relative_to(self.path).as_posix() for path in self._images.all()
                   if path.is_relative_to(self.path) and stem(path.name) not in own]
        return [f'{self.path}: images without a JSON file, which are left out: {len(without)}, '
                f'first {without[0]}. An image without objects needs one without shapes'] \
            if without else []

    def read(self, image_id: str) -> annotations.Annotation:
        """DataError if the JSON file or its image cannot be used."""
        path = self._json[image_id]
        content = content_of(path)
        if content is None:
            raise DataError(f'{path}: no annotation of LabelMe: no list "shapes"')
        called = str(content.get('imagePath') or '')
        image, encoded = self._image(path, image_id, called, content.get('imageData'))
        objects, refused = [], []
        for number, shape in enumerate(content['shapes'], start=1):
            try:
                objects.append(annotations.box(_name(shape), _edges(shape), f'shape {number}'))
            except (TypeError, ValueError, AttributeError) as error:
                refused.append(f'{path}: shape {number}: {error}')
        size = annotations.size(content.get('imageHeight'), content.get('imageWidth'))
        return annotations.Annotation(image, objects, size, str(path), tuple(refused), encoded)

    def _image(self, path, image_id, called, data):
        """The image file; or else what it would be called, and its bytes within the JSON file."""
        try:
            return self._images.find([called, image_id], str(path), path.parent, image_id), b''
        except DataError:
            if not isinstance(data, str) or not data:
                raise
        try:
            return path.with_suffix('.jpg'), base64.b64decode(data, validate=True)
        except ValueError:
            raise DataError(f'{path}: its image {called!r} is missing, and imageData is no image '
                            'in base64') from None


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
