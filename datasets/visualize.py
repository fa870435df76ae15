"""Pictures: boxes with names and scores on an image, precision-recall curves, curves of a training."""
import colorsys
import io
import os
from collections.abc import Sequence

import cv2
import numpy as np

from datasets import voc_eval
from utils import files
from utils.errors import DataError


def colour(label: int) -> tuple[int, int, int]:
    """A stable, saturated RGB colour per label; neighbours differ (steps of the golden ratio around the hue circle)."""
    return tuple(int(255 * v) for v in colorsys.hsv_to_rgb(label * 0.618034 % 1.0, 0.85, 0.95))


def draw_detections(image: np.ndarray, boxes: np.ndarray, labels: np.ndarray, scores: np.ndarray | None,
                    classes: Sequence[str]) -> np.ndarray:
    """A copy of image with boxes, names and scores.

    Args:
        image: uint8 [H, W, 3] RGB.  boxes: [D, 4] corners in [0, 1].  labels: int [D], from 1.
        scores: [D] in [0, 1], or None for ground truth.  classes: names of labels 1, 2, ...
    """
    image = np.ascontiguousarray(image).copy()
    sides = np.array([*image.shape[:2], *image.shape[:2]])
    # The best detection is drawn last, over the others.
    for number in reversed(range(len(boxes))):
        corners = np.round(np.asarray(boxes[number]) * sides).astype(int)
        text = classes[labels[number] - 1] + ('' if scores is None else f' {scores[number]:.2f}')
        draw_box(image, corners, text, colour(int(labels[number])))
    return image


def draw_caption(image: np.ndarray, text: str) -> np.ndarray:
    """A copy of image, uint8 [H, W, 3] RGB, with text in its upper left corner."""
    image = np.ascontiguousarray(image).copy()
    _draw_text(image, text, 0, 0, (40, 40, 40))
    return image


def draw_box(image: np.ndarray, corners: np.ndarray, text: str, rgb: tuple[int, int, int], below: bool = False,
             weight: float = 1.) -> None:
    """One rectangle, and its text on a filled strip over it, or under it, that stays inside the image. Drawn in place.

    corners: ymin, xmin, ymax, xmax in pixels.  weight: makes lines and letters larger.
    """
    thick = max(1, round(weight * min(image.shape[:2]) / 250))
    ymin, xmin, ymax, xmax = (int(v) for v in corners)
    cv2.rectangle(image, (xmin, ymin), (xmax, ymax), rgb, thick, cv2.LINE_AA)
    _draw_text(image, text, ymax if below else ymin, xmin, rgb, below, weight)


def _draw_text(image, text, row, left, rgb, below=False, weight=1.):
    """Text on a strip of colour rgb that stays inside the image: above a row, or below it."""
    height, width = image.shape[:2]
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
    cv2.putText(image, text, (left + 2, top + text_height + 1), cv2.FONT_HERSHEY_SIMPLEX, size, ink, 1, cv2.LINE_AA)


def save_image(path: str | os.PathLike, image: np.ndarray) -> None:
    """Writes uint8 RGB [H, W, 3] in the format of the path's ending; makes its folder. DataError where that does not work."""
    try:
        good, encoded = cv2.imencode(os.path.splitext(path)[1], cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    except cv2.error:
        raise DataError(f'{path} cannot be written: OpenCV knows no format of that ending; use .png or .jpg') from None
    if not good:
        height, width = image.shape[:2]
        raise DataError(f'{path} cannot be written: its format has no place for {width} x {height} pixels; use .png')
    with files.writing(path), open(path, 'wb') as file:
        file.write(encoded)


def plot_precision_recall(entry: voc_eval.ClassResult) -> bytes:
    """Precision over recall of one class that has objects, its best F1 marked, as a PNG."""
    from matplotlib.figure import Figure  # takes a second, which who only draws boxes need not wait for

    figure = Figure(figsize=(3.2, 2.6), layout='constrained')
    axis = figure.subplots()
    axis.plot(entry.recall, entry.precision, linewidth=1.5)
    point = entry.best_f1()
    axis.plot(point.recall, point.precision, 'o', markersize=5)
    axis.set(xlim=(0, 1.02), ylim=(0, 1.05), xlabel='recall', ylabel='precision')
    axis.grid(alpha=0.3)
    file = io.BytesIO()
    figure.savefig(file, format='png', dpi=130)
    return file.getvalue()


def plot_box_fit(boxes: np.ndarray, covered: np.ndarray, layers: Sequence[np.ndarray], path: str | os.PathLike) -> None:
    """Objects and default boxes by height and width, and the objects' sides, one PNG.

    Args:
        boxes: [N, 4] corners, pixels of the network's input, N at least 1.  covered: bool [N], whether a default box fits.
        layers: heights and widths [boxes, 2] of each layer's default boxes, pixels.
    """
    from matplotlib import colormaps, ticker
    from matplotlib.figure import Figure

    heights, widths = (boxes[:, 2:] - boxes[:, :2]).T
    figure = Figure(figsize=(12, 5.5), layout='constrained')
    left, right = figure.subplots(1, 2)
    share = covered.mean()
    groups = ((covered, 'tab:green', f'covered, {share:.1%}'), (~covered, 'tab:red', f'by force, {1 - share:.1%}'))
    step = len(boxes) // 5000 + 1
    for chosen, ink, label in groups:
        left.scatter(widths[chosen][::step], heights[chosen][::step], s=6, alpha=0.35, color=ink, label=label, linewidths=0)
    for number, shapes in enumerate(layers, start=1):
        left.scatter(shapes[:, 1], shapes[:, 0], s=70, marker='+', linewidths=1.8,
                     color=colormaps['viridis'](number / len(layers)), label=f'default boxes, layer {number}')
    left.set(xscale='log', yscale='log', xlabel='width, pixels of the input', ylabel='height', title='objects and default boxes')
    left.legend(fontsize=7)
    sides = np.sqrt(heights * widths)
    bins = np.geomspace(sides.min() * 0.99, sides.max() * 1.01, 40)
    right.hist([sides[chosen] for chosen, _, _ in groups], bins, stacked=True, color=[ink for _, ink, _ in groups],
               label=[label for _, _, label in groups])
    for number, shapes in enumerate(layers):
        right.axvline(shapes[0, 0], color='black', linewidth=0.8, label=None if number else 'smallest square of a layer')
    right.set(xscale='log', xlabel='square root of the area, pixels of the input', ylabel='objects', title='sides')
    right.legend(fontsize=7)
    for axis in (left.xaxis, left.yaxis, right.xaxis):
        axis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter('{x:g}')
        axis.set_minor_locator(ticker.NullLocator())
    with files.writing(path):
        figure.savefig(path, dpi=110, format='png')
