"""Annotations of YOLO: a text file per image, with a line 'class cx cy width height' per object.

The class counts from 0; the other numbers are fractions of the upright image. A line with more
numbers is a polygon, which becomes its bounding box. No TensorFlow.
"""
import os
import pathlib

import numpy as np
import yaml
from PIL import Image

from datasets.readers import annotations, voc
from utils.errors import DataError

_MOST_BYTES = 1 << 20  # of a YAML file; a thousand names take 30 KiB


class Labels(annotations.Source):
    """A folder of images with a folder of text files, which may be the same.

    Args:
        images: searched with its subfolders.
        labels: has the same subfolders.
        classes: names of the classes 0, 1, ... of the text files.
        name: of the source.

    Raises:
        DataError: an image has no size.
    """

    def __init__(self, images: pathlib.Path, labels: pathlib.Path, classes: tuple[str, ...],
                 name: str):
        self.path, self.name, self.classes, self._labels = images, name, classes, labels
        found = sorted(path for path in images.rglob('*') if voc.is_image(path.name))
        self._images = {str(path.relative_to(images).with_suffix('')): path for path in found}

    def image_ids(self) -> list[str]:
        """Images with a text file; DataError if there are none."""
        found = [image_id for image_id in self._images if self._text_file(image_id).is_file()]
        if not found:
            raise DataError(f'no text file in {self._labels} has the name of an image in '
                            f'{self.path}')
        return found

    def read(self, image_id: str) -> annotations.Annotation:
        """DataError if the files of an image cannot be read."""
        path, image = self._text_file(image_id), self._images[image_id]
        try:
            lines = path.read_text(encoding='utf-8-sig').splitlines()
            height, width = upright_size(image)
        except (OSError, ValueError) as error:
            raise DataError(f'{path}: cannot be read: {error}') from None
        objects, refused = [], []
        for number, line in enumerate(lines, start=1):
            if line.strip():
                try:
                    label, box = parse(line)
                    name = self.classes[label]
                except IndexError:
                    refused.append(f'{path}, line {number}: class {label}, but the last of the '
                                   f'{len(self.classes)} names is {len(self.classes) - 1}')
                except ValueError as error:
                    refused.append(f'{path}, line {number}: {error}')
                else:
                    edges = box * [height, width, height, width]
                    objects.append(annotations.box(name, edges, f'line {number}'))
        return annotations.Annotation(image, objects, (height, width), str(path), tuple(refused))

    def notes(self) -> list[str]:
        """One line if there are images without a text file."""
        without = sorted(set(self._images) - set(self.image_ids()))
        if not without:
            return []
        return [f'{self.path}: images without a text file in {self._labels}, which are left out: '
                f'{len(without)}, first {without[0]}. An image without objects has an empty one']

    def _text_file(self, image_id):
        return self._labels / f'{image_id}.txt'


def parse(line: str) -> tuple[int, np.ndarray]:
    """A line of a text file -> (class, corners [ymin, xmin, ymax, xmax] in fractions).

    Raises:
        ValueError: says what is wrong.
    """
    try:
        label, *numbers = [float(word) for word in line.split()]
    except ValueError:
        raise ValueError(f'{line!r} has words that are no numbers') from None
    if label != int(label) or label < 0 or not np.isfinite(numbers).all():
        raise ValueError(f'{line!r} has no class number, or a number that is not finite')
    if len(numbers) == 4:
        cx, cy, width, height = numbers
        return int(label), np.array([cy - height / 2, cx - width / 2,
                                     cy + height / 2, cx + width / 2])
    if len(numbers) < 6 or len(numbers) % 2:
        raise ValueError(f"{line!r} is not 'class cx cy width height', nor a polygon")
    xs, ys = numbers[::2], numbers[1::2]
    return int(label), np.array([min(ys), min(xs), max(ys), max(xs)])


def upright_size(path: str | os.PathLike) -> tuple[int, int]:
    """(height, width) of an image as people see it; OSError if it is none."""
    with Image.open(path) as image:
        width, height = image.size
        turned = image.getexif().get(0x0112, 1) in (5, 6, 7, 8)
    return (width, height) if turned else (height, width)


class _Loader(yaml.BaseLoader):
    """Values as they are written, as text: a class 'no' or '01' is none of YAML's other types."""

    def compose_node(self, parent, index):
        if self.check_event(yaml.AliasEvent):  # of which a few can stand for billions of values
            raise DataError('it repeats a part by an alias (*name), which is not read')
        return super().compose_node(parent, index)


def read_yaml(path: pathlib.Path) -> dict:
    """The content of a YAML file, all values as text; {} for another than a dict.

    DataError if it cannot be read.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise DataError(f'more than {_MOST_BYTES >> 20} MiB are no list of classes')
        content = yaml.load(path.read_text(encoding='utf-8-sig'), _Loader)
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        raise DataError(f'{path} cannot be read: {str(error).splitlines()[0]}') from None
    return content if isinstance(content, dict) else {}


def class_names(folders: list[pathlib.Path]) -> tuple[str, ...]:
    """The names in the first data.yaml, classes.txt or obj.names of some folders; () for none.

    Raises:
        DataError: data.yaml is no YAML, or its names are no list of names.
    """
    for folder in folders:
        for path in sorted(folder.glob('*.y*ml')):
            names = read_yaml(path).get('names')
            if isinstance(names, dict):
                names = [names.get(str(number)) for number in range(len(names))]
                if None in names:
                    raise DataError(f'{path}: names lacks the number {names.index(None)}')
            if isinstance(names, list):
                return annotations.class_list([str(name) for name in names], f'{path}: names')
        for name in ('classes.txt', 'obj.names', 'labels.txt'):
            if (folder / name).is_file():
                return voc.class_names(folder / name)
    return ()
