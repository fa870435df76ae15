"""Pictures: boxes with names and scores on an image, precision-recall curves."""
import colorsys
import os

import cv2
import numpy as np

from datasets import DataError


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


def _draw_box(image, corners, text, rgb):
    """One rectangle, and its text on a filled strip that stays inside the image. Drawn in place."""
    height, width = image.shape[:2]
    size = max(0.35, min(height, width) / 900)
    thick = max(1, round(min(height, width) / 250))
    ymin, xmin, ymax, xmax = (int(v) for v in corners)
    cv2.rectangle(image, (xmin, ymin), (xmax, ymax), rgb, thick, cv2.LINE_AA)
    (text_width, text_height), base = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, size, 1)
    strip = text_height + base + 2
    top = ymin - strip if ymin >= strip else min(max(ymin, 0), max(0, height - strip))
    left = max(0, min(xmin, width - text_width - 4))
    cv2.rectangle(image, (left, top), (left + text_width + 4, top + strip), rgb, cv2.FILLED)
    ink = (0, 0, 0) if np.dot(rgb, (0.299, 0.587, 0.114)) > 110 else (255, 255, 255)
    cv2.putText(image, text, (left + 2, top + text_height + 1), cv2.FONT_HERSHEY_SIMPLEX, size, ink, 1, cv2.LINE_AA)


def save_image(path, image):
    """Writes uint8 RGB [H, W, 3] in the format of the path's ending; DataError where that does not work."""
    folder = os.path.dirname(path)
    if folder and not os.path.isdir(folder):
        raise DataError(f'{path} cannot be written: there is no folder {folder}')
    try:
        written = cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    except cv2.error:
        raise DataError(f'{path} cannot be written: OpenCV knows no format of that ending; use .png or .jpg') from None
    if not written:
        raise DataError(f'{path} cannot be written')


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
    _save(figure, path)
    pyplot.close(figure)


def plot_box_fit(boxes, covered, layers, path):
    """Objects and default boxes by height and width, and the objects' sides, one PNG.

    Args:
        boxes: [N, 4] corners, pixels of the network's input, N at least 1.  covered: bool [N], whether a default box fits.
        layers: heights and widths [boxes, 2] of each layer's default boxes, pixels.
    """
    import matplotlib
    matplotlib.use('Agg')
    from matplotlib import pyplot, ticker

    heights, widths = (boxes[:, 2:] - boxes[:, :2]).T
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(12, 5.5))
    share = covered.mean()
    groups = ((covered, 'tab:green', f'covered, {share:.1%}'), (~covered, 'tab:red', f'by force, {1 - share:.1%}'))
    step = len(boxes) // 5000 + 1
    for chosen, ink, label in groups:
        left.scatter(widths[chosen][::step], heights[chosen][::step], s=6, alpha=0.35, color=ink, label=label, linewidths=0)
    for number, shapes in enumerate(layers, start=1):
        left.scatter(shapes[:, 1], shapes[:, 0], s=70, marker='+', linewidths=1.8, color=pyplot.cm.viridis(number / len(layers)),
                     label=f'default boxes, layer {number}')
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
    figure.tight_layout()
    _save(figure, path)
    pyplot.close(figure)


def _save(figure, path):
    try:
        os.makedirs(os.path.dirname(path) or '.', exist_ok=True)
        figure.savefig(path, dpi=110)
    except (OSError, ValueError) as error:
        raise DataError(f'{path} cannot be written: {str(error).splitlines()[0]}') from None
