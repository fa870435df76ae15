"""SSDs of the Object Detection API: converted, they compute what their own network computes."""
import pathlib
import re

import numpy as np
import pytest

from checkpoints import convert, fit, object_detection
from checkpoints import io as checkpoint
from detection import loading
from nets import anchors, backbones, boxes
from nets import ssd as network
from nets.slim_compat import tf
from preprocessing import normalize
from tests.checkpoints import api_network
from tests.checkpoints.published_networks import shapes as published_shapes
from utils.errors import CheckpointError, DataError

SHAPES = published_shapes('ssd_mobilenet_v1_coco')
REAL = pathlib.Path(__file__).parents[3] / 'shared/odapi/ssd_mobilenet_v2_oidv4'
PIPELINE = """model { ssd {
  num_classes: 90
  image_resizer { fixed_shape_resizer { height: 300 width: 300 } }
  feature_extractor { type: "ssd_mobilenet_v1" depth_multiplier: 1.0 }
  box_coder { faster_rcnn_box_coder { y_scale: 10.0 x_scale: 10.0 height_scale: 5.0 } }
  anchor_generator { ssd_anchor_generator { num_layers: 6 min_scale: 0.2 max_scale: 0.95
    aspect_ratios: 1.0 aspect_ratios: 2.0 aspect_ratios: 0.5 aspect_ratios: 3.0
    aspect_ratios: 0.3333 } }
  post_processing { score_converter: SIGMOID }
} } eval_config { num_examples: 8000 }"""


@pytest.fixture(scope='module')
def random_coco(tmp_path_factory):
    """-> ({variable: value}, folder): random values under the names of the COCO checkpoint."""
    values = api_network.values(SHAPES)
    folder = tmp_path_factory.mktemp('ssd_mobilenet_v1_coco_2018_01_28')
    _save(folder, values)
    (folder / object_detection.CONFIG).write_text(PIPELINE)
    return values, folder


def _save(folder, values, name='model.ckpt'):
    prefix = pathlib.Path(checkpoint.save(folder, 0, values))
    for ending in checkpoint.ENDINGS:
        prefix.with_name(prefix.name + ending).rename(folder / (name + ending))


def _network(prefix, images, spec):
    model = loading.load(prefix).model
    return tf.function(model)(normalize.normalize(images, spec.normalization), False)


def test_outputs_are_those_of_the_published_network(random_coco, tmp_path):
    values, folder = random_coco
    prefix = convert.convert(folder, tmp_path / 'converted')
    spec = fit.spec_of(prefix)
    coarse = np.random.default_rng(1).integers(0, 256, (1, 38, 38, 3), np.uint8)
    image = coarse.repeat(8, 1).repeat(8, 2)[:, :300, :300]
    logits, offsets = _network(prefix, image, spec)
    expected, expected_boxes, defaults = api_network.outputs(values, image)
    np.testing.assert_allclose(anchors.default_boxes(spec), defaults, atol=1e-6)
    np.testing.assert_allclose(boxes.decode(offsets[0].numpy(), anchors.default_boxes(spec)),
                               expected_boxes, atol=2e-3)
    # Ids without a name are left out, background is 0: the sigmoid of each class.
    ids = np.array([*object_detection.COCO]) - 1
    np.testing.assert_array_equal(logits[0, :, 0], 0)
    np.testing.assert_allclose(tf.sigmoid(logits[0, :, 1:]), expected[:, ids], atol=1e-3)
    assert np.ptp(expected) > .5 and np.ptp(offsets) > 1  # weights that tell something
    facts = checkpoint.read_description(prefix)
    assert len(facts['classes']) == 80 and facts['classes'][11:13] == ['stop sign', 'parking meter']
    assert facts['backbone_network'] == 'ssd_mobilenet_v1' and checkpoint.step_of(prefix) == 0


def test_the_spec_of_the_family():
    ssd = object_detection.described(SHAPES)
    assert ssd.num_classes() == 91 and ssd.known_labels()[90] == 'toothbrush'
    spec = ssd.spec
    assert spec.feature_layers == ('Conv2d_11_pointwise', 'Conv2d_13_pointwise')
    assert spec.grids == (19, 10, 5, 3, 2, 1) and spec.head_kernels == (1,) * 6
    assert spec.boxes_per_cell == (3, 6, 6, 6, 6, 6) and spec.num_default_boxes == 1917
    assert [layer.activation for layer in spec.extra_layers] == ['relu6'] * 4
    assert spec.parameters == 3_228_864  # MobilenetV1 without its classifier
    body = {name: value for name, value in SHAPES.items() if '/Conv2d_' in name}
    model = network.SSD(spec, 91).build()
    assert {checkpoint.variable_name(variable) for variable in model.variables} == {
        *ssd.variables, *(name.removeprefix('FeatureExtractor/') for name in body
                          if not re.search(r'_[12]_Conv2d', name))}


def test_coco_has_80_names_up_to_90():
    names = object_detection.COCO
    assert len(names) == len(set(names.values())) == 80
    assert (names[1], names[13], names[44], names[67], names[72], names[90]) == (
        'person', 'stop sign', 'bottle', 'dining table', 'tv', 'toothbrush')
    assert {*range(1, 91)} - {*names} == {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}


def test_a_training_of_the_users_own(tmp_path):
    """Slots and averages beside, two classes of a label map, averages where its settings say so."""
    count = {273: 9, 546: 18}  # of boxes * (background and two classes)
    shapes = {name: [count.get(size, size) if 'ClassPredictor' in name else size for size in shape]
              for name, shape in SHAPES.items()}
    values = api_network.values(shapes)
    bias = 'BoxPredictor_0/ClassPredictor/biases'
    slots = {f'{name}{slot}': np.full_like(value, 7) for name, value in values.items()
             for slot in ('/RMSProp', '/RMSProp_1', '/ExponentialMovingAverage')}
    _save(tmp_path, values | slots, 'model.ckpt-200000')
    names = tmp_path / 'map.pbtxt'
    names.write_text("item { id: 1 name: 'cat' } item { id: 2 name: 'dog' }")
    for averages in (False, True):
        folder = tmp_path / f'converted {averages}'
        if averages:
            (tmp_path / object_detection.CONFIG).write_text(
                PIPELINE + ' eval_config { use_moving_averages: true }')
        convert.main([str(tmp_path), str(folder), f'--classes_file={names}'])
        reader = checkpoint.read(f'{folder}/model.ckpt-200000')
        assert checkpoint.read_description(f'{folder}/x')['classes'] == ['cat', 'dog']
        found = reader.get_tensor('ssd/Conv2d_11_pointwise/logits/biases').reshape(3, 3)
        expected = np.full((3, 3), 7.) if averages else values[bias].reshape(3, 3)
        np.testing.assert_array_equal(found[:, 1:], expected[:, 1:])
        np.testing.assert_array_equal(found[:, 0], 0)
        assert not [name for name in reader.get_variable_to_shape_map() if 'RMSProp' in name]


def test_ids_with_gaps_choose_their_columns():
    ssd = object_detection.described(SHAPES)
    values = np.arange(273.)
    found = ssd._scores(values, [1, 90]).reshape(3, 3)
    np.testing.assert_array_equal(found, [[0, 1, 90], [0, 92, 181], [0, 183, 272]])


@pytest.mark.parametrize('labels, message', [
    ({1: 'cat'}, 'has 90 classes, not 1; name them with --classes_file=FILE'),
    ({1: 'cat', 91: 'dog'}, 'has classes 1 to 90, but a name is given to 91'),
    ({0: 'cat', 90: 'dog'}, 'has classes 1 to 90, but a name is given to 0')])
def test_labels_that_do_not_fit(random_coco, tmp_path, labels, message):
    with pytest.raises(CheckpointError, match=message):
        convert.convert(random_coco[1], tmp_path / 'new', labels)
    assert not (tmp_path / 'new').exists()


def test_other_numbers_of_classes_have_to_be_named(tmp_path):
    shapes = {name: [9 if size == 273 else 18 if size == 546 else size for size in shape]
              for name, shape in SHAPES.items()}
    _save(tmp_path, api_network.values(shapes))
    with pytest.raises(CheckpointError, match='has 2 classes without names; name them with'):
        convert.convert(tmp_path, tmp_path / 'new')


def _renamed(old, new):
    return {name.replace(old, new): shape for name, shape in SHAPES.items()}


@pytest.mark.parametrize('shapes, message', [
    (_renamed('3x3_s2_512/weights', '3x3_s2_512_depthwise/depthwise_weights'),
     'an SSDLite, with depth-wise extra layers and heads'),
    (_renamed('BoxPredictor_', 'WeightSharedConvolutionalBoxPredictor_'),
     r'an SSD with a feature pyramid \(FPN\)'),
    (_renamed('MobilenetV1', 'InceptionV2'), r'an SSD with another backbone \(InceptionV2\)'),
    (SHAPES | {'FeatureExtractor/MobilenetV1/Conv2d_0/weights': [3, 3, 3, 16]},
     'an SSD with a depth multiplier other than 1'),
    (_renamed('3x3_s2_128', '3x3_s2_64'), 'an SSD with other extra layers or 6 heads'),
    ({'FirstStageFeatureExtractor/InceptionV2/a': [1]}, 'a Faster R-CNN')])
def test_relatives_that_are_not_read_are_named(shapes, message):
    with pytest.raises(DataError, match=f'^{message}; of the Object Detection API, SSDs with'):
        object_detection.recognise(shapes)


def test_a_relative_is_named_by_every_reader(tmp_path):
    _save(tmp_path, {name: np.zeros(shape, np.float32)
                     for name, shape in _renamed('MobilenetV1', 'InceptionV2').items()
                     if len(shape) < 2})
    for use in (checkpoint.read, loading.load, lambda prefix: convert.convert(prefix, 'out')):
        with pytest.raises(CheckpointError, match='model.ckpt is an SSD with another backbone'):
            use(str(tmp_path / 'model.ckpt'))


def test_an_unconverted_one_names_the_command(random_coco):
    prefix = str(random_coco[1] / 'model.ckpt')
    with pytest.raises(CheckpointError, match='is ssd_mobilenet_v1 of the Object Detection API, an '
                                              'SSD of another project; convert it once: python3 '
                                              f'-m checkpoints.convert {prefix} OUTPUT'):
        loading.load(prefix)


@pytest.mark.parametrize('old, new, message', [
    ('width: 300', 'width: 640', 'images of 640 x 300 pixels; 300 x 300 are read'),
    ('fixed_shape_resizer { height: 300 width: 300 }', 'keep_aspect_ratio_resizer { }',
     'images that keep their aspect ratio'),
    ('y_scale: 10.0', 'y_scale: 5.0', 'a box coder with y_scale 5; 10 is read'),
    ('min_scale: 0.2', 'scales: 0.2', 'default boxes of scales that are listed'),
    ('aspect_ratios: 3.0', '', 'an SSD with 3, 6, 6, 6, 6, 6 default boxes per cell; its '
                               'pipeline.config tells of 3, 5, 5, 5, 5, 5'),
    ('model {', 'model [', 'line 1:9'),
    ('ssd', 'faster_rcnn', 'no model { ssd { ... } } in it')])
def test_settings_that_are_not_read(old, new, message):
    with pytest.raises(DataError, match=re.escape(message)):
        object_detection.described(SHAPES, PIPELINE.replace(old, new, 1))


def test_settings_that_are_read():
    assert object_detection.settings_of(PIPELINE) == object_detection.Settings()
    other = PIPELINE.replace('0.95', '0.8').replace('SIGMOID', 'SOFTMAX').replace(
        'num_layers: 6', 'reduce_boxes_in_lowest_layer: false interpolated_scale_aspect_ratio: 0')
    settings = object_detection.settings_of(other)
    assert settings == object_detection.Settings(max_scale=0.8, softmax=True, reduced=False,
                                                 interpolated=0.)
    cells = object_detection.box_shapes(settings)
    assert [len(cell) for cell in cells] == [5] * 6
    np.testing.assert_allclose(cells[0][:2], [(60, 60), (42.426407, 84.852814)])
    np.testing.assert_allclose(cells[5][0], (240, 240))


def test_the_published_shapes_of_the_default_boxes():
    cells = object_detection.box_shapes(object_detection.Settings())
    np.testing.assert_allclose(cells[0], [(30, 30), (42.426407, 84.852814), (84.852814, 42.426407)])
    np.testing.assert_allclose(cells[1][0], (105, 105))
    np.testing.assert_allclose(cells[1][5], (125.499004,) * 2)  # 300 * sqrt(.35 * .5)
    np.testing.assert_allclose(cells[5][5], (292.403830,) * 2)  # 300 * sqrt(.95)


@pytest.mark.skipif(not REAL.exists(), reason='the real checkpoint is not part of the repository')
def test_a_real_one_gives_its_published_outputs(tmp_path):
    names = dict(enumerate((REAL / 'label_map.txt').read_text().split('\n')[:23], start=1))
    prefix = convert.convert(REAL, tmp_path / 'converted', names)
    reference = np.load(REAL / 'reference.npz')
    for name in ('cat', 'astronaut'):
        logits, offsets = _network(prefix, reference[f'{name}_image'][None],
                                   fit.spec_of(prefix))
        np.testing.assert_allclose(offsets[0], reference[f'{name}_box_encodings'], atol=1e-3)
        np.testing.assert_allclose(logits[0, :, 1:], reference[f'{name}_class_predictions'][:, 1:],
                                   atol=1e-3)


def test_the_layers_of_mobilenet_v2():
    spec = backbones.get('mobilenet_v2')
    # Only shapes are looked at: nothing is computed.
    with tf.Graph().as_default():
        found = spec.builder(tf.zeros([1, 300, 300, 3]), False, last='layer_19')
    assert found['layer_19'].shape == (1, 10, 10, 1280)
    assert found['layer_15/expansion_output'].shape == (1, 19, 19, 576)
    assert found['layer_18/output'].shape == (1, 10, 10, 320)
