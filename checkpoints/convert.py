"""SSD checkpoints that others published: how each is told by its variable names, and how it becomes one of this project's.

A record names every variable, the order of the boxes in a cell, the order of the offsets and of the colours, and the
`BackboneSpec` that goes with the weights: default boxes, pixel convention, padding. `checkpoints.io.read` hands a recognised
checkpoint out under this project's names, in this project's orders; nothing else needs to know.

The facts were read from the published code (balancap/SSD-Tensorflow: nets/ssd_vgg_300.py, ssd_vgg_512.py, ssd_common.py,
caffe_scope.py, preprocessing/ssd_vgg_preprocessing.py; HiKapok/SSD.TensorFlow: net/ssd_net.py, utility/anchor_manipulator.py,
preprocessing/ssd_preprocessing.py, simple_ssd_demo.py) and from names and shapes of the checkpoints. The mAP of the published
weights in this project was not measured.
"""
import dataclasses
import functools
import typing
from collections.abc import Container, Mapping

import numpy as np

from nets import backbones
from nets.spec import BOX_SETS_300, BackboneSpec

# This project's orders. The boxes of a cell: see nets.anchors.cell_shapes; cells with four boxes have the first four.
_CELL = ('min', 'sqrt(min*max)', '2', '1/2', '3', '1/3')
_OFFSETS = ('cy', 'cx', 'h', 'w')
_FIRST_KERNEL = 'vgg_16/conv1/conv1_1/weights'  # the one that sees colours
_BATCH_NORM = ('gamma', 'beta', 'moving_mean', 'moving_variance')


class Reader(typing.Protocol):
    """What reads a checkpoint: the object that `tf.train.load_checkpoint` returns, or its like."""

    def get_variable_to_shape_map(self) -> dict[str, list[int]]:
        """Name -> shape, [] of a scalar."""

    def has_tensor(self, name: str, /) -> bool:
        """Whether there is a variable of that name."""

    def get_tensor(self, name: str, /) -> np.ndarray | np.generic:
        """The variable's value; a scalar where its shape is []."""


@dataclasses.dataclass(frozen=True)
class PublishedSSD:
    """One published checkpoint.

    name: what this project calls it.  spec: the record that its weights need; its `conventions` are `name`.
    scope: of its variables.  layers: this project's layer -> its layer, behind `scope`.
    weights, biases: what it calls a layer's two variables.  scale: its L2 norm's scale, behind `scope`.
    cell, offsets: its order of the boxes in a cell, and of the four offsets.  bgr: it takes blue, green, red.
    batch_norm_epsilon: of the batch norm between convolution and relu that a checkpoint of this kind may hold; it is folded.
    url: where it is published.  file: its name in that archive; '' where the url is a page that asks a person.
    """
    name: str
    spec: BackboneSpec
    scope: str
    layers: Mapping[str, str]
    weights: str
    biases: str
    scale: str
    cell: tuple[str, ...]
    offsets: tuple[str, ...]
    bgr: bool
    url: str
    file: str = ''
    batch_norm_epsilon: float = 0.

    @functools.cached_property
    def variables(self) -> dict[str, str]:
        """This project's variable name -> the checkpoint's."""
        names = {f'ssd/{layer}/l2_norm/scale': f'{self.scope}/{self.scale}' for layer in self.spec.l2_norm}
        for ours, theirs in self.layers.items():
            names[f'{ours}/weights'] = f'{self.scope}/{theirs}/{self.weights}'
            names[f'{ours}/biases'] = f'{self.scope}/{theirs}/{self.biases}'
        return names

    def batch_norm(self, layer: str) -> list[str]:
        """Names of gamma, beta, mean and variance of its batch norm after one of this project's layers."""
        return [f'{self.scope}/{self.layers[layer]}/batch_normalization/{part}' for part in _BATCH_NORM]

    def text(self) -> str:
        """The settings that follow from the checkpoint, in words."""
        return (f'{self.name}: backbone_network ssd_{self.spec.name}, default boxes {self.spec.box_set} '
                f'({", ".join(f"{size:g}" for size in self.spec.sizes[:3])}, ... pixels), pixels {self.spec.normalization}'
                + (', kernels turned from BGR to RGB' if self.bgr else ''))


def records() -> dict[str, PublishedSSD]:
    """Name -> record of every published SSD known here."""
    return {record.name: record for record in _records()}


@functools.cache
def _records():
    return _balancap_300(), _balancap_512(), _hikapok()


def recognise(names: Container[str]) -> PublishedSSD | None:
    """The record of a checkpoint with these variables, None where it is none of the published ones."""
    for record in _records():
        if record.variables[_FIRST_KERNEL] in names and f'{record.scope}/{record.scale}' in names:
            return record
    return None


def translated(reader: Reader) -> Reader:
    """A `TranslatedReader` of the reader's checkpoint where that is a published SSD; else the reader itself."""
    record = recognise(reader.get_variable_to_shape_map())
    return TranslatedReader(reader, record) if record else reader


class TranslatedReader:
    """A published SSD under this project's names, in its orders. What has no counterpart here keeps its own name."""

    def __init__(self, reader: Reader, record: PublishedSSD):
        self.record, self._reader = record, reader
        self._shapes = reader.get_variable_to_shape_map()

    def get_variable_to_shape_map(self) -> dict[str, list[int]]:
        """Name -> shape. Batch norm that is folded does not show."""
        shapes = {ours: self._shapes[theirs] for ours, theirs in self.record.variables.items() if theirs in self._shapes}
        taken = self._taken()
        return shapes | {name: shape for name, shape in self._shapes.items() if name not in taken}

    @property
    def num_classes(self) -> int:
        """Outputs per box of its heads, background included."""
        head = f'ssd/{self.record.spec.head_layers[0]}/logits/biases'
        return self._shapes[self.record.variables[head]][0] // self.record.spec.boxes_per_cell[0]

    def text(self) -> str:
        """What it is, and the settings that follow, in words."""
        classes = self.num_classes - 1
        return f'{self.record.text()}; {classes} classes' + (' (VOC)' if classes == 20 else '')

    def has_tensor(self, name: str) -> bool:
        """Whether there is a variable of that name."""
        return name in self.get_variable_to_shape_map()

    def get_tensor(self, name: str) -> np.ndarray | np.generic:
        """The variable's value in this project's orders."""
        if name not in self.record.variables:
            return self._reader.get_tensor(name)
        layer, kind = name.rsplit('/', 1)
        value = self._reader.get_tensor(self.record.variables[name])
        if self._folds(layer):
            value = self._folded(layer, kind, value)
        if name == _FIRST_KERNEL and self.record.bgr:
            value = value[:, :, ::-1]
        return self._reordered(layer, value)

    def _taken(self):
        """Names in the checkpoint of what shows under this project's names."""
        folded = [name for layer in self.record.layers if self._folds(layer) for name in self.record.batch_norm(layer)]
        return {*self.record.variables.values(), *folded}

    def _folds(self, layer):
        """Whether a batch norm follows the layer."""
        return bool(self.record.batch_norm_epsilon) and layer in self.record.layers and all(
            name in self._shapes for name in self.record.batch_norm(layer))

    def _folded(self, layer, kind, value):
        """Weights or biases that do alone what they and the batch norm in inference mode do together."""
        gamma, beta, mean, variance = (self._reader.get_tensor(name) for name in self.record.batch_norm(layer))
        factor = gamma / np.sqrt(variance + self.record.batch_norm_epsilon)
        return value * factor if kind == 'weights' else (value - mean) * factor + beta

    def _reordered(self, layer, value):
        """The outputs of a head, last axis, from its order of boxes and offsets to this project's."""
        head, _, what = layer.removeprefix('ssd/').rpartition('/')
        if what not in ('logits', 'offsets'):
            return value
        boxes = self.record.spec.boxes_per_cell[self.record.spec.head_layers.index(head)]
        value = value.reshape(*value.shape[:-1], boxes, -1)
        value = value[..., _order([box for box in self.record.cell if box in _CELL[:boxes]], _CELL[:boxes]), :]
        if what == 'offsets':
            value = value[..., _order(self.record.offsets, _OFFSETS)]
        return value.reshape(*value.shape[:-2], -1)


def _order(theirs, ours):
    """Index of each of ours in theirs."""
    return [theirs.index(entry) for entry in ours]


def _body(conv6, conv7):
    """VGG's layers, which both projects name as slim does up to conv5_3."""
    names = [f'conv{block}/conv{block}_{i + 1}' for block, layers in enumerate((2, 2, 3, 3, 3), start=1) for i in range(layers)]
    return {f'vgg_16/{name}': name for name in names} | {'vgg_16/conv6': conv6, 'vgg_16/conv7': conv7}


def _balancap(name, scope, spec, last_kernel, **source):
    """Weights converted from Caffe's, colours turned to RGB on the way. Boxes in Caffe's order; offsets too: x before y."""
    layers, heads = _body('conv6', 'conv7'), ['block4_box', 'block7_box']
    for number in range(1, len(spec.extra_layers) + 1):
        block = f'block{number + 7}'
        heads.append(f'{block}_box')
        layers[f'ssd/extra_{number}/conv1x1'] = f'{block}/conv1x1'
        layers[f'ssd/extra_{number}/conv3x3'] = f'{block}/conv3x3'
    layers[f'ssd/extra_{len(spec.extra_layers)}/conv3x3'] = f'{block}/{last_kernel}'
    for layer, head in zip(spec.head_layers, heads, strict=True):
        layers[f'ssd/{layer}/logits'], layers[f'ssd/{layer}/offsets'] = f'{head}/conv_cls', f'{head}/conv_loc'
    return PublishedSSD(
        name, dataclasses.replace(spec, normalization='caffe', box_set='coco', conventions=name), scope, layers,
        weights='weights', biases='biases', scale='block4_box/L2Normalization/gamma',
        cell=_CELL, offsets=('cx', 'cy', 'w', 'h'), bgr=False, **source)


def _balancap_300():
    return _balancap('balancap_ssd_300_vgg', 'ssd_300_vgg', backbones.get('vgg_300'), 'conv3x3', file='ssd_300_vgg.ckpt',
                     url='https://github.com/balancap/SSD-Tensorflow/raw/master/checkpoints/ssd_300_vgg.ckpt.zip')


def _balancap_512():
    return _balancap('balancap_ssd_512_vgg', 'ssd_512_vgg', backbones.get('vgg_512'), 'conv4x4',
                     url='https://drive.google.com/open?id=0B0qPCUZ-3YwWT1RCLVZNN3RTVEU')


def _hikapok():
    """Trained from Caffe's VGG in BGR, with TensorFlow's padding and default boxes of its own.

    Two things are nearly, not quite, as there: its sqrt(min*max) is rounded (82.17 for 82.16 pixels), and it counts pixels
    inclusively, so that its boxes, read as here, lie up to half a pixel of 300 too far to the upper left.
    """
    spec = backbones.get('vgg_300')
    sizes = {'hikapok': (30., 60., 112.5, 165., 217.5, 270., 322.5)}
    # 'SAME' with stride 2 pads one side of the even 10 x 10 alone, where Caffe pads both.
    extra_layers = tuple(dataclasses.replace(layer, padding='SAME' if layer.stride == 2 else 'VALID')
                         for layer in spec.extra_layers)
    layers = _body('fc6', 'fc7')
    for number in range(1, len(extra_layers) + 1):
        for i, ours in ((1, 'conv1x1'), (2, 'conv3x3')):
            layers[f'ssd/extra_{number}/{ours}'] = f'additional_layers/conv{number + 7}/conv{number + 7}_{i}'
    for number, layer in enumerate(spec.head_layers):
        layers[f'ssd/{layer}/logits'] = f'multibox_head/cls_{number}'
        layers[f'ssd/{layer}/offsets'] = f'multibox_head/loc_{number}'
    return PublishedSSD(
        'hikapok_ssd300', dataclasses.replace(spec, extra_layers=extra_layers, box_sets=BOX_SETS_300 | sizes, box_set='hikapok',
                                              conventions='hikapok_ssd300'),
        'ssd300', layers, weights='kernel', biases='bias', scale='conv4_3_scale/weights',
        cell=('sqrt(min*max)', 'min', '2', '3', '1/2', '1/3'), offsets=('cy', 'cx', 'h', 'w'), bgr=True,
        url='https://drive.google.com/open?id=1sr3khWzrXZtcS5mmkQDL00y07Rj7erW5', batch_norm_epsilon=1e-5)
