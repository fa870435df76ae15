"""The worst errors of a detector, as pictures: the wrong detection or the missed object in red, the other objects in green."""
import dataclasses
from collections.abc import Sequence

import cv2
import numpy as np

from detection import drawing
from evaluation import errors as error_kinds
from evaluation import voc as voc_eval

KINDS = ('background', 'wrong class', 'poor box', 'missed')
_WRONG, _OBJECT, _DIFFICULT = (235, 45, 35), (40, 190, 70), (150, 150, 150)
# Sides in pixels: of the longer side of a picture, and of the least part of an image that one shows.
_SIDE, _LEAST = 360, 160
_QUALITY = 80


@dataclasses.dataclass(frozen=True)
class Case:
    """One error. image: id.  caption: what is wrong.  detection, object: rows of error_kinds.Wrong.rows, -1 for none."""
    kind: str
    image: str
    caption: str
    detection: int
    object: int


def worst(wrong: error_kinds.Wrong, classes: Sequence[str], count: int) -> list[Case]:
    """Of each kind the `count` most confident detections, and the largest missed objects; best scores first.

    classes: names of labels 1, 2, ...
    """
    rows, cases = wrong.rows, []
    for kind in KINDS[:-1]:
        mine = np.flatnonzero(wrong.kinds == kind)
        for row in mine[np.argsort(-rows.scores[mine], kind='stable')][:count]:
            cases.append(_of_detection(kind, wrong, classes, int(row)))
    sides = rows.object_boxes[:, 2:] - rows.object_boxes[:, :2] + 1
    largest = wrong.missed[np.argsort(-sides[wrong.missed].prod(axis=1), kind='stable')][:count]
    for row in largest.tolist():
        height, width = sides[row]
        caption = f'{classes[rows.object_labels[row] - 1]}, {width:.0f} x {height:.0f} pixels'
        cases.append(Case('missed', rows.names[rows.object_image[row]], caption, -1, row))
    return cases


def _of_detection(kind, wrong, classes, row):
    rows, touched = wrong.rows, int(wrong.objects[row])
    caption = f'{classes[rows.labels[row] - 1]} {rows.scores[row]:.2f}'
    if touched >= 0:
        overlap = voc_eval.overlaps(rows.boxes[row], rows.object_boxes[[touched]])[0]
        caption += f', overlaps {classes[rows.object_labels[touched] - 1]} by {overlap:.2f}'
    return Case(kind, rows.names[rows.image[row]], caption, row, touched)


def picture(case: Case, rows: voc_eval.Rows, classes: Sequence[str], image: np.ndarray) -> np.ndarray:
    """The part of the image around an error, with its detection and the objects drawn -> uint8 RGB, longer side 360.

    rows: of the `Wrong` that the case is from.  classes: names of labels 1, 2, ...  image: uint8 RGB [H, W, 3].
    """
    boxes = [table[row] for table, row in ((rows.boxes, case.detection), (rows.object_boxes, case.object)) if row >= 0]
    top, left, bottom, right = _window(_edges(np.array(boxes)), *image.shape[:2])
    scale = _SIDE / max(bottom - top, right - left)
    size = max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale))
    part = cv2.resize(image[top:bottom, left:right], size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)

    def draw(box, text, colour, below):
        corners = np.round((_edges(box) - (top, left, top, left)) * scale).clip(-_SIDE, 2 * _SIDE)  # OpenCV takes 32 bits
        if (corners[:2] < part.shape[:2]).all() and (corners[2:] > 0).all():
            drawing.draw_box(part, corners, text, colour, below, weight=1.4)

    for row in np.flatnonzero(rows.object_image == rows.names.index(case.image)):
        draw(rows.object_boxes[row], classes[rows.object_labels[row] - 1], _DIFFICULT if rows.difficult[row] else _OBJECT, True)
    if case.detection >= 0:
        text = f'{classes[rows.labels[case.detection] - 1]} {rows.scores[case.detection]:.2f}'
        draw(rows.boxes[case.detection], text, _WRONG, False)
    else:
        draw(rows.object_boxes[case.object], classes[rows.object_labels[case.object] - 1], _WRONG, True)
    return part


def _edges(boxes):
    """VOC pixels, which count from 1 and include both ends -> edges, from 0."""
    return boxes - np.array([1, 1, 0, 0])


def _window(boxes, height, width):
    """(top, left, bottom, right) of what is shown: the boxes and half of their size on every side, inside the image."""
    low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    sides = np.minimum(np.maximum(2 * (high - low), _LEAST), [height, width])
    first = np.clip((low + high - sides) / 2, 0, [height, width] - sides)
    return *np.floor(first).astype(int).tolist(), *np.ceil(first + sides).astype(int).tolist()


def jpeg(image: np.ndarray) -> bytes:
    """uint8 RGB [H, W, 3] -> a JPEG file."""
    return cv2.imencode('.jpg', cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()
