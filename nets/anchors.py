"""Default boxes ("anchors", Caffe's PriorBox), SSD paper section 2.2. numpy only.

Source: weiliu89/caffe, branch ssd, src/caffe/layers/prior_box_layer.cpp. Boxes are not clipped to
the image, as in examples/ssd/ssd_pascal.py (clip False).
"""
from collections.abc import Sequence

import numpy as np

from nets.spec import BackboneSpec


def cell_shapes(min_size: float, max_size: float, ratios: Sequence[float]) -> np.ndarray:
    """Heights and widths [boxes, 2] of one cell's boxes, in the unit of the sizes.

    In Caffe's order: a square of min_size, a square of sqrt(min_size * max_size), then for each
    ratio r a box r times wider than high, and its transpose.
    """
    shapes = [(min_size, min_size), (np.sqrt(min_size * max_size),) * 2]
    for ratio in ratios:
        for r in (ratio, 1 / ratio):
            shapes.append((min_size / np.sqrt(r), min_size * np.sqrt(r)))
    return np.array(shapes)


def layer_boxes(grid: int, step: float, first: float, shapes: np.ndarray,
                image_size: int) -> np.ndarray:
    """Boxes [grid * grid * boxes, 4] of one layer, centers form in [0, 1], order row, column, box.

    Args:
        grid: cells per side.
        step: distance of cell centers, pixels.
        first: center of the first cell, pixels.
        shapes: [boxes, 2] heights and widths, pixels.
        image_size: S, pixels.
    """
    middles = first + np.arange(grid) * step
    boxes = np.empty((grid, grid, len(shapes), 4))
    boxes[..., 0] = middles[:, None, None]
    boxes[..., 1] = middles[None, :, None]
    boxes[..., 2:] = shapes
    return boxes.reshape(-1, 4) / image_size


def layer_shapes(spec: BackboneSpec) -> list[np.ndarray]:
    """Heights and widths of each layer's boxes, pixels: one [boxes, 2] per layer."""
    if spec.box_shapes:
        return [np.array(cell) for cell in spec.box_shapes]
    layers = zip(spec.sizes[:-1], spec.sizes[1:], spec.aspect_ratios, strict=True)
    return [cell_shapes(*layer) for layer in layers]


def default_boxes(spec: BackboneSpec) -> np.ndarray:
    """All default boxes of a backbone, in the order of the heads: layer, row, column, box.

    Returns:
        float32 [K, 4] cy, cx, h, w in units of the image.
    """
    layers = zip(spec.grids, spec.steps, spec.centers, layer_shapes(spec), strict=True)
    boxes = [layer_boxes(*layer, spec.image_size) for layer in layers]
    return np.concatenate(boxes).astype(np.float32)
