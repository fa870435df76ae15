"""SSDs of TensorFlow's Object Detection API, and how each becomes one of this project's.

Read are the 300 x 300 SSDs with MobilenetV1 and MobilenetV2 of the API for TensorFlow 1, with any
number of classes: published ones, and a user's own training. Facts from tensorflow/models,
research/object_detection: models/feature_map_generators.py, anchor_generators/
multiple_grid_anchor_generator.py, box_coders/faster_rcnn_box_coder.py, predictors/, and the sample
configurations ssd_mobilenet_v1_coco.config and ssd_mobilenet_v2_coco.config.
"""
import dataclasses
import functools
import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np

from nets import backbones, overrides
from nets.spec import BackboneSpec
from utils import prototext
from utils.errors import DataError

_BODY, _HEADS = 'FeatureExtractor/', 'BoxPredictor_'
_AVERAGE = '/ExponentialMovingAverage'
_SIZE = 300
_HEADS_OF = ('BoxEncodingPredictor', 'ClassPredictor')
# 1x1 and 3x3 convolution after the body, four times, each pair half the side of the one before.
_EXTRA = ((256, 512), (128, 256), (128, 256), (64, 128))
_GRIDS = (19, 10, 5, 3, 2, 1)
# Backbone -> end points with heads (the extra layers follow the last), and its name in those of the
# extra layers.
_LAYERS = {
    'mobilenet_v1': (('Conv2d_11_pointwise', 'Conv2d_13_pointwise'), 'Conv2d_13_pointwise'),
    'mobilenet_v2': (('layer_15/expansion_output', 'layer_19'), 'layer_19')}
# Published checkpoints that `checkpoints.fetch` knows (docs/tf1_detection_zoo.md there).
PUBLISHED = {name: f'http://download.tensorflow.org/models/object_detection/{archive}.tar.gz'
             for name, archive in (('ssd_mobilenet_v1_coco', 'ssd_mobilenet_v1_coco_2018_01_28'),
                                   ('ssd_mobilenet_v2_coco', 'ssd_mobilenet_v2_coco_2018_03_29'))}
# What is written beside a published checkpoint.
CONFIG = 'pipeline.config'
# COCO's categories by id, as its label map has them; the archives bring no label map along.
_COCO = ('person,bicycle,car,motorcycle,airplane,bus,train,truck,boat,traffic light,fire hydrant,,'
         'stop sign,parking meter,bench,bird,cat,dog,horse,sheep,cow,elephant,bear,zebra,giraffe,,'
         'backpack,umbrella,,,handbag,tie,suitcase,frisbee,skis,snowboard,sports ball,kite,'
         'baseball bat,baseball glove,skateboard,surfboard,tennis racket,bottle,,wine glass,cup,'
         'fork,knife,spoon,bowl,banana,apple,sandwich,orange,broccoli,carrot,hot dog,pizza,donut,'
         'cake,chair,couch,potted plant,bed,,dining table,,,toilet,,tv,laptop,mouse,remote,'
         'keyboard,cell phone,microwave,oven,toaster,sink,refrigerator,,book,clock,vase,scissors,'
         'teddy bear,hair drier,toothbrush')
COCO = {number: name for number, name in enumerate(_COCO.split(','), start=1) if name}
# What pipeline.config may say that matters for the weights.
_FIELDS = {'model': {'ssd': {
    'feature_extractor': {'type': str, 'depth_multiplier': float, 'use_depthwise': bool},
    'image_resizer': {'fixed_shape_resizer': {'height': int, 'width': int},
                      'keep_aspect_ratio_resizer': {'min_dimension': int}},
    'box_coder': {'faster_rcnn_box_coder': dict.fromkeys(
        ('y_scale', 'x_scale', 'height_scale', 'width_scale'), float)},
    'anchor_generator': {'ssd_anchor_generator': {
        'num_layers': int, 'min_scale': float, 'max_scale': float, 'aspect_ratios': float,
        'scales': float, 'interpolated_scale_aspect_ratio': float,
        'reduce_boxes_in_lowest_layer': bool}},
    'post_processing': {'score_converter': ('IDENTITY', 'SIGMOID', 'SOFTMAX')}}},
    'eval_config': {'use_moving_averages': bool}}
_CODER = {'y_scale': 10., 'x_scale': 10., 'height_scale': 5., 'width_scale': 5.}


@dataclasses.dataclass(frozen=True)
class Settings:
    """What pipeline.config says of the weights; the values are the API's own defaults.

    Attributes:
        min_scale, max_scale: of the default boxes of the first and the last layer, 0..1.
        aspect_ratios: width / height of the boxes of a cell.
        interpolated: aspect ratio of the box between two layers' scales; 0: none.
        reduced: the first layer has three boxes alone.
        softmax: scores are a softmax; False: a sigmoid for each class.
        averages: the moving averages of a training's weights are used.
    """
    min_scale: float = 0.2
    max_scale: float = 0.95
    aspect_ratios: tuple[float, ...] = (1., 2., 0.5, 3., 0.3333)
    interpolated: float = 1.
    reduced: bool = True
    softmax: bool = False
    averages: bool = False


@dataclasses.dataclass(frozen=True)
class ApiSSD:
    """An SSD of the API with this project's spec of its network.

    Attributes:
        name: of its kind.
        spec: of its network here.
        outputs: per box, background included.
        settings: of its scores and weights.
    """
    name: str
    spec: BackboneSpec
    outputs: int
    settings: Settings = Settings()

    def known_labels(self) -> dict[int, str]:
        """{id: name} of the classes where the checkpoint need not name them: COCO's; or {}."""
        return COCO if self.outputs == 91 else {}

    def num_classes(self, shapes: object = None) -> int:
        """Outputs per box, background included."""
        return self.outputs

    @functools.cached_property
    def variables(self) -> dict[str, str]:
        """This project's variable name -> the checkpoint's, of extra layers and heads."""
        prefix = f'{_BODY}{self.spec.imagenet.scope}/{_LAYERS[self.spec.name][1]}'
        names = {}
        for number, (squeeze, depth) in enumerate(_EXTRA, start=1):
            for ours, theirs in (('conv1x1', f'_1_Conv2d_{number + 1}_1x1_{squeeze}'),
                                 ('conv3x3', f'_2_Conv2d_{number + 1}_3x3_s2_{depth}')):
                for part in ('weights', *(f'BatchNorm/{part}' for part in (
                        'gamma', 'beta', 'moving_mean', 'moving_variance'))):
                    names[f'ssd/extra_{number}/{ours}/{part}'] = f'{prefix}{theirs}/{part}'
        for number, layer in enumerate(self.spec.head_layers):
            for head, theirs in zip(('offsets', 'logits'), _HEADS_OF, strict=True):
                for part in ('weights', 'biases'):
                    names[f'ssd/{layer.replace("/", "_")}/{head}/{part}'] = (
                        f'{_HEADS}{number}/{theirs}/{part}')
        return names

    def convert(self, read: Callable[[str], np.ndarray], names: Collection[str],
                labels: Sequence[int]) -> dict[str, np.ndarray]:
        """The weights under this project's names.

        Args:
            read: name of the checkpoint's variable -> its value.
            names: of the checkpoint's variables.
            labels: the checkpoint's ids of labels 1, 2, ... here; other classes are left out.
        """
        sources = {name.removeprefix(_BODY): name
                   for name in _body(names, self.spec.imagenet.scope)} | self.variables
        tensors = {}
        for ours, theirs in sources.items():
            average = theirs + _AVERAGE
            value = read(average if self.settings.averages and average in names else theirs)
            tensors[ours] = self._scores(value, labels) if '/logits/' in ours else value
        return tensors

    def _scores(self, value, labels):
        """Kernel or bias of class scores: background, then `labels`, for each box of a cell."""
        boxes = value.reshape(*value.shape[:-1], -1, self.outputs)
        chosen = boxes[..., [0, *labels]]
        if not self.settings.softmax:
            chosen[..., 0] = 0  # the sigmoid of x is the softmax of x and 0
        return chosen.reshape(*value.shape[:-1], -1)


def recognise(shapes: Mapping[str, Sequence[int]]) -> str:
    """The backbone of the API's SSD with these variables; '' where they are of no detector of it.

    Args:
        shapes: variable name -> shape.

    Raises:
        DataError: it is one that is not read; the message says what it is.
    """
    if not any(name.startswith((_BODY, 'FirstStageFeatureExtractor/')) for name in shapes):
        return ''
    if reason := _unknown(shapes):
        raise DataError(f'{reason}; of the Object Detection API, SSDs with MobilenetV1 and '
                        f'MobilenetV2 for {_SIZE} x {_SIZE} pixels are read')
    return next(name for name, scope in _scopes().items() if any(
        key.startswith(f'{_BODY}{scope}/') for key in shapes))


def described(shapes: Mapping[str, Sequence[int]], config: str = '') -> ApiSSD:
    """The API's SSD with these variables, which `recognise` knows.

    Args:
        shapes: variable name -> shape.
        config: text of its pipeline.config; '': the published settings.

    Raises:
        DataError: the settings are not readable, not read, or do not fit the variables.
    """
    name, settings = recognise(shapes), settings_of(config) if config else Settings()
    outputs = shapes['BoxPredictor_0/ClassPredictor/biases'][0]
    boxes = [shapes[f'{_HEADS}{i}/{_HEADS_OF[0]}/biases'][0] // 4 for i in range(len(_GRIDS))]
    cells = box_shapes(settings)
    if [len(cell) for cell in cells] != boxes:
        told = 'tells of' if config else 'is not beside it; the published one tells of'
        raise DataError(f'an SSD with {", ".join(map(str, boxes))} default boxes per cell; its '
                        f'{CONFIG} {told} {", ".join(str(len(cell)) for cell in cells)}')
    spec = backbones.get(name)
    layers, _ = _LAYERS[name]
    kernels = [shapes[f'{_HEADS}{i}/{_HEADS_OF[0]}/weights'][0] for i in range(len(_GRIDS))]
    body = _body(shapes, spec.imagenet.scope)
    spec = overrides.apply(spec, {
        'feature_layers': list(layers), 'extra_from': layers[-1], 'last': layers[-1],
        'grids': list(_GRIDS), 'head_kernels': kernels,
        'parameters': sum(math.prod(shapes[name]) for name in body),
        'extra_layers': [{'squeeze': squeeze, 'depth': depth, 'activation': 'relu6'}
                         for squeeze, depth in _EXTRA],
        'box_set': 'object_detection_api',
        'box_shapes': [[[round(side, 4) for side in shape] for shape in cell] for cell in cells]})
    return ApiSSD(label(name), spec, outputs // boxes[0], settings)


def label(backbone: str) -> str:
    """What the API's SSD with this backbone is called here."""
    return f'ssd_{backbone} of the Object Detection API'


def _body(names, scope):
    """The variables of the body, without extra layers, slots and averages."""
    return [name for name in names if name.startswith(f'{_BODY}{scope}/')
            and not re.search(r'_[12]_Conv2d_\d_', name)
            and re.search(r'/((depthwise_)?weights|gamma|beta|moving_mean|moving_variance)$', name)]


def _scopes():
    return {name: backbones.get(name).imagenet.scope for name in _LAYERS}


def _unknown(shapes):
    """What a detector of the API is that is not read; '' for one that is."""
    scopes = {name.split('/')[1] for name in shapes if name.startswith(_BODY)}
    if any(name.startswith('FirstStage') for name in shapes):
        return 'a Faster R-CNN'
    if any(name.startswith('WeightShared') for name in shapes) or 'fpn' in scopes:
        return 'an SSD with a feature pyramid (FPN)'
    if not scopes & set(_scopes().values()):
        return f'an SSD with another backbone ({", ".join(sorted(scopes))})'
    if any('_depthwise/' in name and re.search(r'_[12]_Conv2d_\d_', name)
           or name.startswith('BoxPredictor_0/') and 'depthwise' in name for name in shapes):
        return 'an SSDLite, with depth-wise extra layers and heads'
    first = next((shapes[name] for name in shapes if re.fullmatch(
        r'FeatureExtractor/Mobilenet\w+/(Conv|Conv2d_0)/weights', name)), None)
    if first is None or first[-1] != 32:
        return 'an SSD with a depth multiplier other than 1'
    name = next(name for name, scope in _scopes().items() if scope in scopes)
    prefix = f'{_BODY}{_scopes()[name]}/{_LAYERS[name][1]}'
    wanted = [f'{prefix}_2_Conv2d_{number}_3x3_s2_{depth}/weights'
              for number, (_, depth) in enumerate(_EXTRA, start=2)]
    heads = sum(name.startswith(_HEADS) and name.endswith('ClassPredictor/biases')
                for name in shapes)
    if any(name not in shapes for name in wanted) or heads != len(_GRIDS):
        return f'an SSD with other extra layers or {heads} heads'
    return ''


def settings_of(config: str) -> Settings:
    """The settings of a pipeline.config.

    Raises:
        DataError: it is not readable, or says something that is not read.
    """
    message = prototext.parse(config, _FIELDS)
    ssd = _first(message, 'model', 'ssd')
    if not ssd:
        raise DataError('no model { ssd { ... } } in it')
    size = _first(ssd, 'image_resizer', 'fixed_shape_resizer')
    if size and {*size['height'], *size['width']} != {_SIZE}:
        raise DataError(f'an SSD for images of {size["width"][0]} x {size["height"][0]} pixels; '
                        f'{_SIZE} x {_SIZE} are read')
    if _first(ssd, 'image_resizer', 'keep_aspect_ratio_resizer'):
        raise DataError('an SSD for images that keep their aspect ratio; '
                        f'{_SIZE} x {_SIZE} are read')
    coder = _first(ssd, 'box_coder', 'faster_rcnn_box_coder')
    for name, value in _CODER.items():
        if coder.get(name) and coder[name][-1] != value:
            raise DataError(f'a box coder with {name} {coder[name][-1]:g}; {value:g} is read')
    boxes = _first(ssd, 'anchor_generator', 'ssd_anchor_generator')
    if boxes.get('scales'):
        raise DataError('default boxes of scales that are listed; min_scale and max_scale are read')
    given = {key: boxes[name][-1] for key, name in (
        ('min_scale', 'min_scale'), ('max_scale', 'max_scale'),
        ('interpolated', 'interpolated_scale_aspect_ratio'),
        ('reduced', 'reduce_boxes_in_lowest_layer')) if boxes.get(name)}
    if boxes.get('aspect_ratios'):
        given['aspect_ratios'] = tuple(boxes['aspect_ratios'])
    converter = _first(ssd, 'post_processing').get('score_converter')
    averages = _first(message, 'eval_config').get('use_moving_averages')
    return Settings(**given, softmax=converter == ['SOFTMAX'], averages=averages == [True])


def _first(message, *fields):
    """The last message below these fields, {} where there is none."""
    for name in fields:
        message = message[name][-1] if message.get(name) else {}
    return message


def box_shapes(settings: Settings) -> list[list[tuple[float, float]]]:
    """Heights and widths of a cell's default boxes, pixels, for each layer, in the API's order."""
    count = len(_GRIDS)
    scales = [settings.min_scale + (settings.max_scale - settings.min_scale) * i / (count - 1)
              for i in range(count)] + [1.]
    cells = []
    for i, (scale, after) in enumerate(zip(scales[:-1], scales[1:], strict=True)):
        boxes = [(scale, ratio) for ratio in settings.aspect_ratios]
        if settings.interpolated:
            boxes.append((math.sqrt(scale * after), settings.interpolated))
        if i == 0 and settings.reduced:
            boxes = [(0.1, 1.), (scale, 2.), (scale, 0.5)]
        cells.append([(_SIZE * side / math.sqrt(ratio), _SIZE * side * math.sqrt(ratio))
                      for side, ratio in boxes])
    return cells
