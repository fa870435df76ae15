"""Writes XML annotations as PASCAL VOC has them; datasets.voc reads them. No TensorFlow."""
from collections.abc import Iterable, Sequence
from xml.etree import ElementTree

import numpy as np

from datasets import voc


def annotation(filename: str, height: int, width: int,
               objects: Iterable[tuple[str, Sequence[float], bool | int]]) -> str:
    """The text of one XML file.

    Args:
        filename: of the image, without its folder.
        height: of the image, pixels.
        width: of the image, pixels.
        objects: (name, (ymin, xmin, ymax, xmax) in VOC pixels, difficult) of each.
    """
    root = ElementTree.Element('annotation')
    _add(root, filename=filename)
    _add(ElementTree.SubElement(root, 'size'), width=width, height=height, depth=3)
    for name, (ymin, xmin, ymax, xmax), difficult in objects:
        element = ElementTree.SubElement(root, 'object')
        _add(element, name=name, difficult=int(difficult))
        _add(ElementTree.SubElement(element, 'bndbox'), xmin=xmin, ymin=ymin, xmax=xmax, ymax=ymax)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding='unicode') + '\n'


def _add(element, **values):
    for key, value in values.items():
        ElementTree.SubElement(element, key).text = str(value)


def whole_pixels(boxes: np.ndarray, height: int, width: int) -> np.ndarray:
    """float [D, 4] corners in [0, 1] -> int64 [D, 4], the nearest VOC pixels, 1 .. side.

    A box keeps at least two pixels of each side if the image has them: a box of a single pixel,
    xmin = xmax, is read as empty.
    """
    sides = np.array([height, width])
    edges = np.asarray(boxes, np.float64) * [height, width, height, width]
    corners = np.round(voc.to_voc_pixels(edges)).astype(np.int64)
    low = np.clip(corners[:, :2], 1, np.maximum(sides - 1, 1))
    high = np.clip(corners[:, 2:], np.minimum(low + 1, sides), sides)
    return np.concatenate([low, high], axis=1)
