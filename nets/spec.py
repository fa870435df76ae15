"""One spec per backbone: all facts that must agree, in one place, checked when it is made.

Codebases that keep a backbone's facts in several files end up with VGG's box steps on another
network's grid, or with the pixel range of one network fed to another. A `BackboneSpec` is written
once, in the backbone's own file. No TensorFlow here.
"""
import dataclasses
import typing
from collections.abc import Callable, Mapping

if typing.TYPE_CHECKING:
    import tensorflow as tf

# Layers of the ResNets (nets.backbones.resnet_common).
RESNET_DEPTHS = (50, 101, 152)
# Number formats of activations (nets.ssd).
PRECISIONS = ('float32', 'bfloat16', 'float16')

# Default box sizes in pixels of a 300 x 300 image, smallest layer first: min sizes, and one more
# for the last max size. weiliu89/caffe (branch ssd): 'coco' = examples/ssd/ssd_coco.py,
# 'voc' = examples/ssd/ssd_pascal.py.
BOX_SETS_300 = {
    'coco': (21., 45., 99., 153., 207., 261., 315.),
    'voc': (30., 60., 111., 162., 213., 264., 315.),
}
# The same for 512 x 512 and seven layers. Caffe reads sizes into an int, so its 35.84 acts as 35
# (prior_box_layer.cpp); here the published fractions are kept.
BOX_SETS_512 = {
    'coco': (20.48, 51.2, 133.12, 215.04, 296.96, 378.88, 460.8, 542.72),
    'voc': (35.84, 76.8, 153.6, 230.4, 307.2, 384., 460.8, 537.6),
}
RATIOS_300 = ((2.,), (2., 3.), (2., 3.), (2., 3.), (2.,), (2.,))
RATIOS_512 = ((2.,), (2., 3.), (2., 3.), (2., 3.), (2., 3.), (2.,), (2.,))


@dataclasses.dataclass(frozen=True)
class ExtraLayer:
    """A pair of convolutions after the body: 1x1, then `kernel` x `kernel`.

    Attributes:
        squeeze: output channels of the first.
        depth: output channels of the second.
        stride: of the second.
        padding: 'SAME' as TensorFlow pads, 'VALID', or 'EXPLICIT' for Caffe's symmetric one.
        kernel: side of the second.
        pad: pixels on each side, for 'EXPLICIT'.
        activation: after both, 'relu' or 'relu6'.
    """
    squeeze: int
    depth: int
    stride: int = 2
    padding: str = 'SAME'
    kernel: int = 3
    pad: int = 1
    activation: str = 'relu'


@dataclasses.dataclass(frozen=True)
class ImageNetCheckpoint:
    """Where the backbone's published ImageNet weights are, and how its variables map on them.

    Attributes:
        file: name inside checkpoints/<backbone>/.
        scope: the variables' scope there.
        url: where to get it.
        derive: variable name -> (name in the checkpoint, function of its array), for variables
            whose name the checkpoint does not have.
    """
    file: str
    scope: str
    url: str
    derive: Mapping[str, tuple[str, Callable]] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class BackboneSpec:
    """All facts of one backbone.

    Attributes:
        name: as in `nets.backbones.names()`.
        builder: (normalized images [B, S, S, 3], is_training, **batch norm options) -> {end point:
            tensor}, `feature_layers` and `extra_from` among them. Its variables have the names of
            the published ImageNet checkpoint. Some builders take `last`, the end point to stop at.
        image_size: S, pixels.
        feature_layers: the end points that get heads, finest first.
        extra_from: the end point that the extra layers follow.
        grids: rows (= columns) of every head's feature map, extra layers included.
        extra_layers: what is built on top; their names are 'extra_1', 'extra_2', ...
        normalization: a word of preprocessing.normalize.
        imagenet: the published classifier.
        parameters: exact number of backbone parameters that the SSD uses, moving statistics
            included.
        extra_batch_norm: extra layers use batch norm (backbones that have it) instead of biases.
        box_sets: sets of default box sizes by name, pixels (see nets.anchors).
        aspect_ratios: of the default boxes, per head.
        box_shapes: heights and widths of a cell's boxes, pixels, per head; empty: those of the box
            set and aspect ratios.
        steps: distance of default boxes' centers per head, pixels; empty: image_size / grid.
        first_centers: center of each head's first cell, pixels; empty: steps / 2.
        box_set: the chosen entry of box_sets.
        l2_norm: feature layer -> initial scale, for layers that are L2-normalized over channels.
        head_kernels: sides of the heads' kernels; empty: 3 for all.
        last: where the builder stops, if not at its default.
        overrides: fields that differ from the backbone's own, as JSON has them (nets.overrides).
    """
    name: str
    builder: Callable[..., dict[str, 'tf.Tensor']]
    image_size: int
    feature_layers: tuple[str, ...]
    extra_from: str
    grids: tuple[int, ...]
    extra_layers: tuple[ExtraLayer, ...]
    normalization: str
    imagenet: ImageNetCheckpoint
    parameters: int
    extra_batch_norm: bool = True
    box_sets: Mapping[str, tuple[float, ...]] = dataclasses.field(
        default_factory=lambda: BOX_SETS_300)
    aspect_ratios: tuple[tuple[float, ...], ...] = RATIOS_300
    steps: tuple[float, ...] = ()
    first_centers: tuple[float, ...] = ()
    box_set: str = 'coco'
    box_shapes: tuple[tuple[tuple[float, float], ...], ...] = ()
    l2_norm: Mapping[str, float] = dataclasses.field(default_factory=dict)
    head_kernels: tuple[int, ...] = ()
    last: str = ''
    overrides: Mapping[str, typing.Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        if not self.steps:
            object.__setattr__(self, 'steps', tuple(self.image_size / grid for grid in self.grids))
        self._check()

    def _check(self):
        heads = len(self.feature_layers) + len(self.extra_layers)
        lengths = {'grids': len(self.grids), 'steps': len(self.steps),
                   'first_centers': len(self.centers), 'head_kernels': len(self.kernels)}
        lengths |= {'box_shapes': len(self.box_shapes)} if self.box_shapes else {
            'aspect_ratios': len(self.aspect_ratios), 'box sizes': len(self.sizes) - 1}
        for what, length in lengths.items():
            if length != heads:
                raise ValueError(f'{self.name}: {heads} heads, but {length} {what}')
        for grid, step, first in zip(self.grids, self.steps, self.centers, strict=True):
            low, high = first - step / 2, first + (grid - 0.5) * step
            if max(abs(low), abs(high - self.image_size)) > 0.1 * self.image_size:
                raise ValueError(f'{self.name}: {grid} cells of {step:g} pixels, the first at '
                                 f'{first:g}, do not cover {self.image_size} pixels')
        if unknown := set(self.l2_norm) - set(self.feature_layers):
            raise ValueError(f'{self.name}: L2 norm of {sorted(unknown)}, '
                             'which is no feature layer')

    @property
    def sizes(self) -> tuple[float, ...]:
        """Sizes of the chosen set, pixels: layer i has min size i and max size i + 1."""
        if self.box_set not in self.box_sets:
            raise ValueError(f"{self.name}: unknown default box set '{self.box_set}'; known: "
                             f'{", ".join(self.box_sets)}')
        return self.box_sets[self.box_set]

    @property
    def centers(self) -> tuple[float, ...]:
        """Center of each head's first cell, pixels; the next ones follow at the head's step."""
        return self.first_centers or tuple(step / 2 for step in self.steps)

    @property
    def kernels(self) -> tuple[int, ...]:
        """Side of each head's kernel."""
        return self.head_kernels or (3,) * len(self.grids)

    @property
    def box_facts(self) -> dict[str, list]:
        """The default boxes as a checkpoint's description has them: plain lists."""
        if self.box_shapes:
            return {'shapes': [[list(shape) for shape in cell] for cell in self.box_shapes]}
        return {'sizes': list(self.sizes),
                'aspect_ratios': [list(ratios) for ratios in self.aspect_ratios]}

    @property
    def boxes_per_cell(self) -> tuple[int, ...]:
        """Default boxes per cell of each head: two squares, and two boxes per aspect ratio."""
        if self.box_shapes:
            return tuple(len(cell) for cell in self.box_shapes)
        return tuple(2 + 2 * len(ratios) for ratios in self.aspect_ratios)

    @property
    def num_default_boxes(self) -> int:
        """K, e.g. 38*38*4 + 19*19*6 + 10*10*6 + 5*5*6 + 3*3*4 + 1*1*4 = 8732."""
        heads = zip(self.grids, self.boxes_per_cell, strict=True)
        return sum(grid * grid * boxes for grid, boxes in heads)

    @property
    def head_layers(self) -> tuple[str, ...]:
        """Names of the layers with heads: feature layers, then extra layers."""
        return self.feature_layers + tuple(f'extra_{i + 1}' for i in range(len(self.extra_layers)))

    def with_box_set(self, box_set: str) -> 'BackboneSpec':
        """This spec with another set of default box sizes; ValueError lists the known sets."""
        return dataclasses.replace(self, box_set=box_set)
