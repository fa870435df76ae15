"""Writes XML annotations as PASCAL VOC has them; datasets.readers.voc reads them. No TensorFlow."""
from collections.abc import Iterable, Sequence
from xml.etree import ElementTree


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
