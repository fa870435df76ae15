"""How well default boxes cover the objects of a dataset, and which ones would do better.

Training matches an object with every default box of IoU 0.5 and more (nets.matching). If there is
none, it matches the best one by force: one poor example instead of several good ones. No
TensorFlow.
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
from utils import files, plots

THRESHOLD = 0.5
# Limits of small and large objects: the square root of their area, in units of the image.
SMALL, LARGE = 0.1, 0.3
_CHOSEN_ON = 4000  # objects that a proposal is chosen on, at most
_RATIOS = (1.5, 2., 2.5, 3., 4., 5.)  # that a proposal chooses from
_AT_ONCE = 50_000  # objects whose IoUs are computed together, to save memory


@dataclasses.dataclass(frozen=True)
class Coverage:
    """What default boxes do for some objects.

    Attributes:
        objects: their number.
        recall: share of the objects that a default box overlaps with IoU of THRESHOLD or more; NaN
            without objects.
        mean: of the best IoU of each object; NaN without objects.
    """
    objects: int
    recall: float
    mean: float


def coverage(overlaps: np.ndarray) -> Coverage:
    """Coverage of objects with these best IoUs, [N]; N may be 0."""
    if not len(overlaps):
        return Coverage(0, float('nan'), float('nan'))
    return Coverage(len(overlaps), float((overlaps >= THRESHOLD).mean()), float(overlaps.mean()))


def best_overlaps(boxes: npt.ArrayLike, spec: BackboneSpec) -> np.ndarray:
    """The best IoU of each object with any default box.

    Of equal default boxes the one with the nearest centre overlaps most; so only one per layer and
    shape is computed, not all K.

    Args:
        boxes: [N, 4] corners in [0, 1].
        spec: has the default boxes.

    Returns:
        float64 [N].
    """
    shapes = anchors.layer_shapes(spec)  # heights and widths, pixels, of each layer
    counts = [len(part) for part in shapes]
    sides = np.concatenate(shapes) / spec.image_size  # [M, 2]
    steps = np.repeat(spec.steps, counts)[:, None] / spec.image_size  # [M, 1]
    first = np.repeat(spec.centers, counts)[:, None] / spec.image_size  # [M, 1]
    grids = np.repeat(spec.grids, counts)[:, None]  # [M, 1]

    def best(part):
        centers = box_ops.corners_to_centers(part)[:, None]  # [N, 1, 4]
        middles, objects = centers[..., :2], centers[..., 2:]
        cells = np.clip(np.round((middles - first) / steps), 0, grids - 1)  # [N, M, 2]
        apart = np.abs(middles - (first + cells * steps))
        common = np.minimum((objects + sides) / 2 - apart, np.minimum(objects, sides))
        common = np.clip(common, 0, None).prod(axis=-1)
        return (common / (objects.prod(axis=-1) + sides.prod(axis=-1) - common)).max(axis=1)

    boxes = _corners(boxes)
    parts = np.array_split(boxes, len(boxes) // _AT_ONCE + 1)
    return np.concatenate([best(part) for part in parts])


def _corners(boxes):
    """float64 [N, 4], also for no boxes."""
    return np.asarray(boxes, np.float64).reshape(-1, 4)


def object_sides(boxes: npt.ArrayLike) -> np.ndarray:
    """Square roots of the areas, in units of the image: [N, 4] corners -> [N]."""
    return np.sqrt(box_ops.areas(_corners(boxes)))


def propose(boxes: npt.ArrayLike, spec: BackboneSpec, name: str = 'own', ratios: bool = False
            ) -> BackboneSpec:
    """The spec with another box set, chosen for these objects; the number of boxes stays.

    Sizes are whole pixels, spread between quantiles of the objects' sides evenly (as in SSD paper
    equation (4)), by equal factors, or as the objects are. The largest sum of recall and mean IoU
    is chosen.

    Args:
        boxes: [N, 4] corners in [0, 1], N at least 1.
        spec: of the backbone.
        name: of the new box set.
        ratios: whether to choose aspect ratios too: sizes, then ratios, then sizes again.
    """
    boxes = _corners(boxes)
    boxes = boxes[::len(boxes) // _CHOSEN_ON + 1]
    sides = object_sides(boxes) * spec.image_size
    sizes = [*spec.box_sets.values(), *_spread_sizes(sides, len(spec.grids))]

    def with_boxes(values, aspect_ratios):
        return dataclasses.replace(spec, box_sets={**spec.box_sets, name: tuple(values)},
                                   box_set=name, aspect_ratios=aspect_ratios)

    def score(candidate):
        found = coverage(best_overlaps(boxes, candidate))
        return found.recall + found.mean

    def best_sizes(aspect_ratios):
        return max((with_boxes(values, aspect_ratios) for values in sizes), key=score)

    found = best_sizes(spec.aspect_ratios)
    if not ratios:
        return found
    other = max((with_boxes(found.sizes, values) for values in _ratios(spec.boxes_per_cell)),
                key=score)
    return max([found, best_sizes(other.aspect_ratios)], key=score)


def _spread_sizes(sides, layers):
    """Yields sizes [layers + 1] in pixels, each at least one pixel above the one before."""
    for low, high in itertools.product((0.01, 0.05, 0.1, 0.2), (0.8, 0.9, 0.95, 0.99)):
        first, last = np.maximum(np.quantile(sides, (low, high)), 1)
        for sizes in (np.linspace(first, last, layers), np.geomspace(first, last, layers),
                      np.quantile(sides, np.linspace(low, high, layers))):
            # The last maximum size continues the spread, as 315 does after 261.
            sizes = np.round([*sizes, 2 * sizes[-1] - sizes[-2]])
            steps = np.arange(layers + 1)
            yield (np.maximum.accumulate(np.maximum(sizes, 1) - steps) + steps).tolist()


def _ratios(boxes_per_cell):
    """Yields the aspect ratios of each layer; layers with fewer boxes take the smaller ones."""
    counts = [(boxes - 2) // 2 for boxes in boxes_per_cell]
    for ratios in itertools.combinations(_RATIOS, max(counts)):
        yield tuple(ratios[:count] for count in counts)


@plots.literal
def plot_box_fit(boxes: np.ndarray, covered: np.ndarray, layers: Sequence[np.ndarray],
                 path: str | os.PathLike) -> None:
    """Draws objects and default boxes by height and width, and the objects' sides, as a PNG.

    Args:
        boxes: [N, 4] corners, pixels of the network's input, N at least 1.
        covered: bool [N], whether a default box fits.
        layers: heights and widths [boxes, 2] of each layer's default boxes, pixels.
        path: of the file.
    """
    from matplotlib import colormaps, ticker
    from matplotlib.figure import Figure

    heights, widths = (boxes[:, 2:] - boxes[:, :2]).T
    sides = np.sqrt(heights * widths)
    share, step = covered.mean(), len(boxes) // 5000 + 1
    groups = ((covered, 'tab:green', f'covered, {share:.1%}'),
              (~covered, 'tab:red', f'by force, {1 - share:.1%}'))
    figure = Figure(figsize=(12, 5.5), layout='constrained')
    left, right = figure.subplots(1, 2)

    for chosen, ink, label in groups:
        left.scatter(widths[chosen][::step], heights[chosen][::step], s=6, alpha=0.35, color=ink,
                     label=label, linewidths=0)
    for number, shapes in enumerate(layers, start=1):
        left.scatter(shapes[:, 1], shapes[:, 0], s=70, marker='+', linewidths=1.8,
                     color=colormaps['viridis'](number / len(layers)),
                     label=f'default boxes, layer {number}')
    left.set(xscale='log', yscale='log', xlabel='width, pixels of the input', ylabel='height',
             title='objects and default boxes')

    bins = np.geomspace(sides.min() * 0.99, sides.max() * 1.01, 40)
    right.hist([sides[chosen] for chosen, _, _ in groups], bins, stacked=True,
               color=[ink for _, ink, _ in groups], label=[label for _, _, label in groups])
    for number, shapes in enumerate(layers):
        right.axvline(shapes[0, 0], color='black', linewidth=0.8,
                      label=None if number else 'smallest square of a layer')
    right.set(xscale='log', xlabel='square root of the area, pixels of the input',
              ylabel='objects', title='sides')

    for panel in (left, right):
        panel.legend(fontsize=7)
    for axis in (left.xaxis, left.yaxis, right.xaxis):
        axis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter('{x:g}')
        axis.set_minor_locator(ticker.NullLocator())
    with files.writing(path):
        figure.savefig(path, dpi=110, format='png')
