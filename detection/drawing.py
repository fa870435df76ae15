"""Boxes with names and scores on images."""
import colorsys
import os
from collections.abc import Sequence

import cv2
import numpy as np

from detection.objects import DetectedObject
from utils import files
from utils.errors import DataError
from utils.text import plain


def colour(label: int) -> tuple[int, int, int]:
    """A stable, saturated RGB colour per label; neighbours differ by golden ratio steps of hue."""
    red, green, blue = colorsys.hsv_to_rgb(label * 0.618034 % 1.0, 0.85, 0.95)
    return int(255 * red), int(255 * green), int(255 * blue)


def draw_detections(image: np.ndarray, objects: Sequence[DetectedObject]) -> np.ndarray:
    """A copy of image, uint8 RGB [H, W, 3], with its objects; the first is on top."""
    image = np.ascontiguousarray(image).copy()
    for found in reversed(objects):
        box = found.box
        text = found.name + ('' if found.score is None else f' {found.score:.2f}')
        corners = np.round([box.ymin, box.xmin, box.ymax, box.xmax])
        draw_box(image, corners, text, colour(found.label))
    return image


def draw_caption(image: np.ndarray, text: str) -> np.ndarray:
    """A copy of image, uint8 RGB [H, W, 3], with text in its upper left corner."""
    image = np.ascontiguousarray(image).copy()
    _draw_text(image, text, 0, 0, (40, 40, 40))
    return image


def draw_box(image: np.ndarray, corners: np.ndarray, text: str, rgb: tuple[int, int, int],
             below: bool = False, weight: float = 1.) -> None:
    """Draws a rectangle, and its text on a filled strip that stays inside the image.

    Args:
        image: uint8 RGB [H, W, 3]; changed in place.
        corners: ymin, xmin, ymax, xmax in pixels.
        text: ASCII; OpenCV's fonts have no other letters.
        rgb: colour of rectangle and strip.
        below: the strip is below the rectangle, not above it.
        weight: factor of line width and letter size.
    """
    thick = max(1, round(weight * min(image.shape[:2]) / 250))
    ymin, xmin, ymax, xmax = (int(v) for v in corners)
    cv2.rectangle(image, (xmin, ymin), (xmax, ymax), rgb, thick, cv2.LINE_AA)
    _draw_text(image, text, ymax if below else ymin, xmin, rgb, below, weight)


def _draw_text(image, text, row, left, rgb, below=False, weight=1.):
    """Text on a strip of colour rgb that stays inside the image: above a row, or below it."""
    text, (height, width) = plain(text), image.shape[:2]
    size = weight * max(0.35, min(height, width) / 900)
    (text_width, text_height), base = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, size, 1)
    strip = text_height + base + 2
    if below:
        top = row if row + strip <= height else max(0, min(row, height) - strip)
    else:
        top = row - strip if row >= strip else min(max(row, 0), max(0, height - strip))
    left = max(0, min(left, width - text_width - 4))
    cv2.rectangle(image, (left, top), (left + text_width + 4, top + strip), rgb, cv2.FILLED)
    ink = (0, 0, 0) if np.dot(rgb, (0.299, 0.587, 0.114)) > 110 else (255, 255, 255)
    cv2.putText(image, text, (left + 2, top + text_height + 1), cv2.FONT_HERSHEY_SIMPLEX, size, ink,
                1, cv2.LINE_AA)


def save_image(path: str | os.PathLike, image: np.ndarray) -> None:
    """Writes uint8 RGB [H, W, 3] in the format of the path's ending; makes its folder.

    Raises:
        DataError: the format is not known or does not hold the image, or the disk refuses.
    """
    try:
        good, encoded = cv2.imencode(plain(os.path.splitext(path)[1]),
                                     cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    except cv2.error:
        raise DataError(f'{path} cannot be written: OpenCV knows no format of that ending; '
                        'use .png or .jpg') from None
    if not good:
        height, width = image.shape[:2]
        raise DataError(f'{path} cannot be written: its format has no place for '
                        f'{width} x {height} pixels; use .png')
    with files.writing(path), open(path, 'wb') as file:
        file.write(encoded.tobytes())
