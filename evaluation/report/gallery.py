"""Images of the worst errors: the wrong detection or missed object in red, objects in green."""
import dataclasses
from collections.abc import Sequence

import cv2
import numpy as np

from detection import drawing
from evaluation import errors as error_kinds
from evaluation import voc as voc_eval

KINDS = ('background', 'wrong class', 'poor box', 'missed')
_WRONG, _OBJECT, _DIFFICULT = (235, 45, 35), (40, 190, 70), (150, 150, 150)
_SIDE = 360  # longer side of the result, pixels
_LEAST = 160  # least side of the part of the image that is shown, pixels
_QUALITY = 80


@dataclasses.dataclass(frozen=True)
class ErrorCase:
    """One error.

    Attributes:
        kind: one of KINDS.
        image: id.
        caption: what is wrong.
        detection: its row in Wrong.rows, -1 for none.
        object: its row in Wrong.rows, -1 for none.
    """
    kind: str
    image: str
    caption: str
    detection: int
    object: int


def worst(wrong: error_kinds.Wrong, classes: Sequence[str], count: int, score: float = 0.3
          ) -> list[ErrorCase]:
    """Of each kind the `count` detections with the highest scores, or the largest missed objects.

    Args:
        wrong: the errors.
        classes: names of labels 1, 2, ...
        count: errors of each kind at most.
        score: least score of a detection.
    """
    rows, cases = wrong.rows, []
    for kind in KINDS[:-1]:
        mine = np.flatnonzero((wrong.kinds == kind) & (rows.scores >= score))
        for row in mine[np.argsort(-rows.scores[mine], kind='stable')][:count].tolist():
            touched = int(wrong.objects[row])
            caption = f'{classes[rows.labels[row] - 1]} {rows.scores[row]:.2f}'
            if touched >= 0:
                iou = voc_eval.paired_iou(rows.boxes[[row]], rows.object_boxes[[touched]])[0]
                name = classes[rows.object_labels[touched] - 1]
                caption += f', overlaps {name} by {iou:.2f}'
            cases.append(ErrorCase(kind, rows.names[rows.image[row]], caption, row, touched))
    sides = rows.object_boxes[:, 2:] - rows.object_boxes[:, :2]
    largest = np.argsort(-sides[wrong.missed].prod(axis=1), kind='stable')[:count]
    for row in wrong.missed[largest].tolist():
        height, width = sides[row]
        caption = f'{classes[rows.object_labels[row] - 1]}, {width:.0f} x {height:.0f} pixels'
        cases.append(ErrorCase('missed', rows.names[rows.object_image[row]], caption, -1, row))
    return cases


def drawn(case: ErrorCase, rows: voc_eval.Rows, classes: Sequence[str], image: np.ndarray
          ) -> np.ndarray:
    """The part of an image around an error, with its detection and the objects.

    Args:
        case: the error.
        rows: Wrong.rows.
        classes: names of labels 1, 2, ...
        image: uint8 RGB [H, W, 3].

    Returns:
        uint8 RGB, longer side 360.
    """
    boxes = [table[row] for table, row in ((rows.boxes, case.detection),
                                           (rows.object_boxes, case.object)) if row >= 0]
    top, left, bottom, right = _window(np.array(boxes), *image.shape[:2])
    scale = _SIDE / max(bottom - top, right - left)
    size = max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale))
    part = cv2.resize(image[top:bottom, left:right], size,
                      interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)

    def draw(box, label, colour, below, score=''):
        corners = np.round((box - (top, left, top, left)) * scale)
        corners = corners.clip(-_SIDE, 2 * _SIDE)  # OpenCV takes 32 bits
        if (corners[:2] < part.shape[:2]).all() and (corners[2:] > 0).all():
            drawing.draw_box(part, corners, classes[label - 1] + score, colour, below, weight=1.4)

    for row in np.flatnonzero(rows.object_image == rows.names.index(case.image)):
        colour = _DIFFICULT if rows.difficult[row] else _OBJECT
        draw(rows.object_boxes[row], rows.object_labels[row], colour, True)
    if case.detection >= 0:
        draw(rows.boxes[case.detection], rows.labels[case.detection], _WRONG, False,
             f' {rows.scores[case.detection]:.2f}')
    else:
        draw(rows.object_boxes[case.object], rows.object_labels[case.object], _WRONG, True)
    return part


def _window(boxes, height, width):
    """(top, left, bottom, right): the boxes and half their size on every side, in the image."""
    low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    sides = np.minimum(np.maximum(2 * (high - low), _LEAST), [height, width])
    first = np.clip((low + high - sides) / 2, 0, [height, width] - sides)
    return *np.floor(first).astype(int).tolist(), *np.ceil(first + sides).astype(int).tolist()


def jpeg(image: np.ndarray) -> bytes:
    """uint8 RGB [H, W, 3] -> a JPEG file."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return cv2.imencode('.jpg', bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()
