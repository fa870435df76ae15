"""How well a backbone's default boxes cover the boxes of a data set, and which would cover them better. No TensorFlow.

The matcher (nets.matching) trains an object on every default box of IoU 0.5 and more; where there is none, on the best one by
force. An object of the second kind has one poor example in place of several good ones.
"""
import dataclasses
import itertools
import os
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from nets import anchors
from nets import boxes as box_ops
from nets.spec import BackboneSpec
from utils import files

THRESHOLD = 0.5
# Objects by the square root of their area, in units of the image: small below the first, large from the second on.
SMALL, LARGE = 0.1, 0.3
# Proposals are chosen on so many objects at most; ratios among these.
_CHOSEN_ON = 4000
_RATIOS = (1.5, 2., 2.5, 3., 4., 5.)
# Objects whose overlaps are computed together, to save memory.
_AT_ONCE = 50_000


@dataclasses.dataclass(frozen=True)
class Coverage:
    """objects: their number.  recall: share that some default box overlaps with IoU of THRESHOLD or more; the rest is matched by
    force.  mean: of each object's best IoU. Both nan where there are no objects.
    """
    objects: int
    recall: float
    mean: float


def coverage(overlaps: np.ndarray) -> Coverage:
    """What the default boxes do for objects whose best IoU is `overlaps` [N]; N may be 0."""
    if not len(overlaps):
        return Coverage(0, float('nan'), float('nan'))
    return Coverage(len(overlaps), float((overlaps >= THRESHOLD).mean()), float(overlaps.mean()))


def best_overlaps(boxes: npt.ArrayLike, spec: BackboneSpec) -> np.ndarray:
    """The largest IoU of each object with any default box: [N, 4] corners in [0, 1] -> float64 [N].

    Among equal default boxes the one with the nearest centre overlaps most, so one per layer and shape is looked at, not all K.
    """
    boxes, shapes = _corners(boxes), _shapes(spec)
    return np.concatenate([_best_overlaps(part, *shapes) for part in np.array_split(boxes, len(boxes) // _AT_ONCE + 1)])


def _corners(boxes):
    """float64 [N, 4], also where there are none."""
    return np.asarray(boxes, np.float64).reshape(-1, 4)


def _shapes(spec):
    """-> sides [M, 2] height, width, steps [M, 1] in units of the image, and grids [M, 1], of each layer's shapes."""
    shapes = anchors.layer_shapes(spec)
    counts = [len(part) for part in shapes]
    return (np.concatenate(shapes) / spec.image_size, np.repeat(spec.steps, counts)[:, None] / spec.image_size,
            np.repeat(spec.grids, counts)[:, None])


def _best_overlaps(boxes, sides, steps, grids):
    """`best_overlaps` with the M shapes that `_shapes` gives."""
    centers = box_ops.corners_to_centers(boxes)[:, None]  # [N, 1, 4]
    middles, objects = centers[..., :2], centers[..., 2:]
    cells = np.clip(np.round(middles / steps - 0.5), 0, grids - 1)  # [N, M, 2]
    apart = np.abs(middles - (cells + 0.5) * steps)
    common = np.clip(np.minimum((objects + sides) / 2 - apart, np.minimum(objects, sides)), 0, None).prod(axis=-1)
    return (common / (objects.prod(axis=-1) + sides.prod(axis=-1) - common)).max(axis=1)


def object_sides(boxes: npt.ArrayLike) -> np.ndarray:
    """Square roots of the areas, in units of the image: [N, 4] corners -> [N]."""
    return np.sqrt(box_ops.areas(_corners(boxes)))


def propose(boxes: npt.ArrayLike, spec: BackboneSpec, name: str = 'own', ratios: bool = False) -> BackboneSpec:
    """The record with another box set, chosen for these objects. The number of boxes stays, so that checkpoints still fit.

    Sizes are whole pixels, spread between quantiles of the objects' sides evenly, by equal factors, or as the objects are
    (SSD paper equation (4) spreads them evenly). What gives the largest sum of recall and mean IoU is taken.

    Args:
        boxes: [N, 4] corners in [0, 1], N at least 1.
        name: of the box set.
        ratios: chooses aspect ratios too: sizes first, then ratios, then sizes again.
    """
    boxes = _corners(boxes)
    boxes = boxes[::len(boxes) // _CHOSEN_ON + 1]
    sizes = [*spec.box_sets.values(), *_spread_sizes(object_sides(boxes) * spec.image_size, len(spec.grids))]

    def best(candidates):
        return max(candidates, key=lambda candidate: _score(boxes, candidate))

    def best_sizes(aspect_ratios):
        return best(_with_boxes(spec, name, values, aspect_ratios) for values in sizes)

    found = best_sizes(spec.aspect_ratios)
    if not ratios:
        return found
    other = best(_with_boxes(spec, name, found.sizes, values) for values in _ratios(spec.boxes_per_cell))
    return best([found, best_sizes(other.aspect_ratios)])


def _with_boxes(spec, name, sizes, ratios):
    return dataclasses.replace(spec, box_sets={**spec.box_sets, name: tuple(sizes)}, box_set=name, aspect_ratios=ratios)


def _score(boxes, spec):
    found = coverage(best_overlaps(boxes, spec))
    return found.recall + found.mean


def _spread_sizes(sides, layers):
    """Yields sizes [layers + 1] in pixels, each at least one pixel above the one before."""
    for low, high in itertools.product((0.01, 0.05, 0.1, 0.2), (0.8, 0.9, 0.95, 0.99)):
        first, last = np.maximum(np.quantile(sides, (low, high)), 1)
        for sizes in (np.linspace(first, last, layers), np.geomspace(first, last, layers),
                      np.quantile(sides, np.linspace(low, high, layers))):
            # The last maximum continues the spread, as 315 does 261.
            sizes = np.round([*sizes, 2 * sizes[-1] - sizes[-2]])
            steps = np.arange(layers + 1)
            yield tuple((np.maximum.accumulate(np.maximum(sizes, 1) - steps) + steps).tolist())


def _ratios(boxes_per_cell):
    """Yields aspect ratios for layers of so many boxes: the layers with fewer take the smaller ones."""
    counts = [(boxes - 2) // 2 for boxes in boxes_per_cell]
    for ratios in itertools.combinations(_RATIOS, max(counts)):
        yield tuple(ratios[:count] for count in counts)


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
