"""Pictures: boxes with names and scores on an image, precision-recall curves."""
import colorsys
import os

import cv2
import numpy as np

from datasets import DataError, files


def colour(label: int) -> tuple[int, int, int]:
    """A stable, saturated RGB colour per label; neighbours differ (steps of the golden ratio around the hue circle)."""
    return tuple(int(255 * v) for v in colorsys.hsv_to_rgb(label * 0.618034 % 1.0, 0.85, 0.95))


def draw_detections(image, boxes, labels, scores, classes) -> np.ndarray:
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
        _draw_box(image, corners, text, colour(labels[number]))
    return image


def draw_caption(image, text) -> np.ndarray:
    """A copy of image, uint8 [H, W, 3] RGB, with text in its upper left corner."""
    image = np.ascontiguousarray(image).copy()
    _draw_text(image, text, 0, 0, (40, 40, 40))
    return image


def _draw_box(image, corners, text, rgb):
    """One rectangle with its text above it. Drawn in place."""
    thick = max(1, round(min(image.shape[:2]) / 250))
    ymin, xmin, ymax, xmax = (int(v) for v in corners)
    cv2.rectangle(image, (xmin, ymin), (xmax, ymax), rgb, thick, cv2.LINE_AA)
    _draw_text(image, text, ymin, xmin, rgb)


def _draw_text(image, text, bottom, left, rgb):
    """Text on a strip of colour rgb that stays inside the image: above the row `bottom` where there is room, or else below."""
    height, width = image.shape[:2]
    size = max(0.35, min(height, width) / 900)
    (text_width, text_height), base = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, size, 1)
    strip = text_height + base + 2
    top = bottom - strip if bottom >= strip else min(max(bottom, 0), max(0, height - strip))
    left = max(0, min(left, width - text_width - 4))
    cv2.rectangle(image, (left, top), (left + text_width + 4, top + strip), rgb, cv2.FILLED)
    ink = (0, 0, 0) if np.dot(rgb, (0.299, 0.587, 0.114)) > 110 else (255, 255, 255)
    cv2.putText(image, text, (left + 2, top + text_height + 1), cv2.FONT_HERSHEY_SIMPLEX, size, ink, 1, cv2.LINE_AA)


def save_image(path, image):
    """Writes uint8 RGB [H, W, 3] in the format of the path's ending; makes its folder. DataError where that does not work."""
    try:
        _, encoded = cv2.imencode(os.path.splitext(path)[1], cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    except cv2.error:
        raise DataError(f'{path} cannot be written: OpenCV knows no format of that ending; use .png or .jpg') from None
    with files.writing(path), open(path, 'wb') as file:
        file.write(encoded)


def plot_precision_recall(result, path):
    """Precision over recall of every class with ground truth, one PNG. result: datasets.voc_eval.Result."""
    import matplotlib
    matplotlib.use('Agg')
    from matplotlib import pyplot

    shown = [entry for entry in result.classes if not np.isnan(entry.ap)]
    columns = min(5, max(1, len(shown)))
    rows = max(1, -(-len(shown) // columns))
    figure, axes = pyplot.subplots(rows, columns, figsize=(2.6 * columns, 2.4 * rows), sharex=True, sharey=True, squeeze=False)
    for axis in axes.flat[len(shown):]:
        axis.set_visible(False)
    for axis, entry in zip(axes.flat, shown, strict=False):
        axis.plot(entry.recall, entry.precision, linewidth=1.5)
        axis.set(xlim=(0, 1), ylim=(0, 1.02))
        axis.set_title(f'{entry.name}: AP {entry.ap:.2f}, {entry.ground_truths} objects', fontsize=8)
        axis.grid(alpha=0.3)
    figure.supxlabel('recall')
    figure.supylabel('precision')
    figure.tight_layout()
    os.makedirs(os.path.dirname(path) or '.', exist_ok=True)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
