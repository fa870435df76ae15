"""SSD checkpoints that other projects published, and how each becomes one of this project's.

A `PublishedSSD` has the name of every variable, the order of the boxes in a cell, of the offsets
and of the colours, and what the weights need that differs from this project's spec of the backbone:
default boxes, normalization, padding. checkpoints.convert writes an ordinary checkpoint from it.

The facts were read from the published code (balancap/SSD-Tensorflow: nets/ssd_vgg_300.py,
ssd_vgg_512.py, ssd_common.py, caffe_scope.py, preprocessing/ssd_vgg_preprocessing.py;
HiKapok/SSD.TensorFlow: net/ssd_net.py, utility/anchor_manipulator.py,
preprocessing/ssd_preprocessing.py, simple_ssd_demo.py) and from names and shapes of the
checkpoints. The mAP of the published weights in this project was not measured.
"""
import dataclasses
import functools
from collections.abc import Callable, Container, Mapping, Sequence

import numpy as np

from checkpoints import object_detection
from datasets import class_lists
from nets import backbones
from nets import overrides as overriding
from nets.spec import BackboneSpec

# This project's orders. The boxes of a cell: see nets.anchors.cell_shapes; cells with four boxes
# have the first four.
_CELL = ('min', 'sqrt(min*max)', '2', '1/2', '3', '1/3')
_OFFSETS = ('cy', 'cx', 'h', 'w')
_FIRST_KERNEL = 'vgg_16/conv1/conv1_1/weights'  # the one that sees colours
_BATCH_NORM = ('gamma', 'beta', 'moving_mean', 'moving_variance')


@dataclasses.dataclass(frozen=True)
class PublishedSSD:
    """One published checkpoint.

    Attributes:
        name: what this project calls it.
        spec: of its network here; `spec.overrides` differ from the backbone's own.
        scope: of its variables.
        layers: this project's layer -> its layer, behind `scope`.
        weights: what it calls a layer's kernel.
        biases: what it calls a layer's biases.
        scale: its L2 norm's scale, behind `scope`.
        cell: its order of the boxes in a cell.
        offsets: its order of the four offsets.
        bgr: it takes blue, green, red.
        url: where it is published.
        file: its name in that archive; '' where the url is a page that asks a person.
        batch_norm_epsilon: of the batch norm between convolution and relu that a checkpoint of this
            kind may hold; 0 where none does.
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
        names = {f'ssd/{layer}/l2_norm/scale': f'{self.scope}/{self.scale}'
                 for layer in self.spec.l2_norm}
        for ours, theirs in self.layers.items():
            names[f'{ours}/weights'] = f'{self.scope}/{theirs}/{self.weights}'
            names[f'{ours}/biases'] = f'{self.scope}/{theirs}/{self.biases}'
        return names

    def known_labels(self) -> dict[int, str]:
        """{id: name} of the classes where the checkpoint need not name them: VOC's."""
        return dict(enumerate(class_lists.VOC, start=1))

    def num_classes(self, shapes: Mapping[str, list[int]]) -> int:
        """Outputs per box, background included, of a checkpoint with variables of these shapes."""
        head = self.variables[f'ssd/{self.spec.head_layers[0]}/logits/biases']
        return shapes[head][0] // self.spec.boxes_per_cell[0]

    def convert(self, read: Callable[[str], np.ndarray], names: Container[str],
                labels: Sequence[int]) -> dict[str, np.ndarray]:
        """All weights under this project's names, in its orders, with batch norm folded.

        Args:
            read: name of the checkpoint's variable -> its value.
            names: of the checkpoint's variables.
            labels: the checkpoint's ids of labels 1, 2, ... here; other classes are left out.
        """
        tensors = {ours: read(theirs) for ours, theirs in self.variables.items()}
        for layer, theirs in self.layers.items():
            norm = [f'{self.scope}/{theirs}/batch_normalization/{part}' for part in _BATCH_NORM]
            if self.batch_norm_epsilon and all(name in names for name in norm):
                gamma, beta, mean, variance = map(read, norm)
                factor = gamma / np.sqrt(variance + self.batch_norm_epsilon)
                tensors[f'{layer}/weights'] = tensors[f'{layer}/weights'] * factor
                tensors[f'{layer}/biases'] = (tensors[f'{layer}/biases'] - mean) * factor + beta
        if self.bgr:
            tensors[_FIRST_KERNEL] = tensors[_FIRST_KERNEL][:, :, ::-1]
        for layer, count in zip(self.spec.head_layers, self.spec.boxes_per_cell, strict=True):
            ours = _CELL[:count]
            cell = [[box for box in self.cell if box in ours].index(box) for box in ours]
            for kind in ('weights', 'biases'):
                for head, order in (('logits', [0, *labels]),
                                    ('offsets', [self.offsets.index(name) for name in _OFFSETS])):
                    name = f'ssd/{layer}/{head}/{kind}'
                    value = tensors[name]
                    parts = value.reshape(*value.shape[:-1], count, -1)[..., cell, :][..., order]
                    tensors[name] = parts.reshape(*value.shape[:-1], -1)
        return tensors


@functools.cache
def catalogue() -> dict[str, PublishedSSD]:
    """Every published SSD known here, by name."""
    return {ssd.name: ssd for ssd in (_balancap_300(), _balancap_512(), _hikapok())}


def recognise(names: Container[str]) -> PublishedSSD | None:
    """The published SSD of the catalogue with these variables, None where it is none of them."""
    for ssd in catalogue().values():
        if ssd.variables[_FIRST_KERNEL] in names and f'{ssd.scope}/{ssd.scale}' in names:
            return ssd
    return None


def name_of(shapes: Mapping[str, Sequence[int]]) -> str:
    """What the SSD of another project with these variables is called; '' where it is none.

    Args:
        shapes: variable name -> shape.

    Raises:
        DataError: a detector of the Object Detection API that is not read.
    """
    if ssd := recognise(shapes):
        return ssd.name
    backbone = object_detection.recognise(shapes)
    return object_detection.label(backbone) if backbone else ''


def _body(conv6, conv7):
    """VGG's layers, which both projects name as slim does up to conv5_3."""
    names = [f'conv{block}/conv{block}_{i + 1}'
             for block, layers in enumerate((2, 2, 3, 3, 3), start=1) for i in range(layers)]
    layers = {f'vgg_16/{name}': name for name in names}
    return layers | {'vgg_16/conv6': conv6, 'vgg_16/conv7': conv7}


def _balancap(name, scope, spec, last_kernel, **source):
    """Weights from Caffe's, colours turned to RGB. Boxes and offsets in Caffe's order."""
    layers, heads = _body('conv6', 'conv7'), ['block4_box', 'block7_box']
    for number in range(1, len(spec.extra_layers) + 1):
        block = f'block{number + 7}'
        heads.append(f'{block}_box')
        layers[f'ssd/extra_{number}/conv1x1'] = f'{block}/conv1x1'
        layers[f'ssd/extra_{number}/conv3x3'] = f'{block}/conv3x3'
    layers[f'ssd/extra_{len(spec.extra_layers)}/conv3x3'] = f'{block}/{last_kernel}'
    for layer, head in zip(spec.head_layers, heads, strict=True):
        layers[f'ssd/{layer}/logits'] = f'{head}/conv_cls'
        layers[f'ssd/{layer}/offsets'] = f'{head}/conv_loc'
    return PublishedSSD(
        name, overriding.apply(spec, {'normalization': 'caffe', 'box_set': 'coco'}), scope, layers,
        weights='weights', biases='biases', scale='block4_box/L2Normalization/gamma',
        cell=_CELL, offsets=('cx', 'cy', 'w', 'h'), bgr=False, **source)


def _balancap_300():
    return _balancap('balancap_ssd_300_vgg', 'ssd_300_vgg', backbones.get('vgg_300'), 'conv3x3',
                     file='ssd_300_vgg.ckpt',
                     url='https://github.com/balancap/SSD-Tensorflow/raw/master/'
                         'checkpoints/ssd_300_vgg.ckpt.zip')


def _balancap_512():
    return _balancap('balancap_ssd_512_vgg', 'ssd_512_vgg', backbones.get('vgg_512'), 'conv4x4',
                     url='https://drive.google.com/open?id=0B0qPCUZ-3YwWT1RCLVZNN3RTVEU')


def _hikapok():
    """Trained from Caffe's VGG in BGR, with TensorFlow's padding and default boxes of its own.

    Two small differences remain: its sqrt(min*max) is rounded (82.17 for 82.16 pixels), and it
    counts pixels inclusively, so that its boxes, read as here, lie up to half a pixel of 300 too
    far to the upper left.
    """
    spec = backbones.get('vgg_300')
    # 'SAME' with stride 2 pads one side of the even 10 x 10 alone, where Caffe pads both.
    extra_layers = [dataclasses.asdict(layer)
                    | {'padding': 'SAME' if layer.stride == 2 else 'VALID'}
                    for layer in spec.extra_layers]
    overrides = {'extra_layers': extra_layers, 'box_set': 'hikapok',
                 'box_sets': {'hikapok': [30., 60., 112.5, 165., 217.5, 270., 322.5]}}
    layers = _body('fc6', 'fc7')
    for number in range(1, len(extra_layers) + 1):
        for i, ours in ((1, 'conv1x1'), (2, 'conv3x3')):
            theirs = f'additional_layers/conv{number + 7}/conv{number + 7}_{i}'
            layers[f'ssd/extra_{number}/{ours}'] = theirs
    for number, layer in enumerate(spec.head_layers):
        layers[f'ssd/{layer}/logits'] = f'multibox_head/cls_{number}'
        layers[f'ssd/{layer}/offsets'] = f'multibox_head/loc_{number}'
    return PublishedSSD(
        'hikapok_ssd300', overriding.apply(spec, overrides), 'ssd300', layers, weights='kernel',
        biases='bias', scale='conv4_3_scale/weights',
        cell=('sqrt(min*max)', 'min', '2', '3', '1/2', '1/3'), offsets=('cy', 'cx', 'h', 'w'),
        bgr=True, url='https://drive.google.com/open?id=1sr3khWzrXZtcS5mmkQDL00y07Rj7erW5',
        batch_norm_epsilon=1e-5)
