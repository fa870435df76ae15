"""Published SSDs: a checkpoint under their own names and shapes gives what their own network computes from it."""
import numpy as np
import pytest

from checkpoints import convert, publish
from checkpoints import io as checkpoint
from detection import detector
from nets import anchors, backbones, boxes, ssd
from nets.slim_compat import tf
from preprocessing import normalize
from tests.checkpoints import published_networks
from training import starting_point
from utils.errors import CheckpointError

NAMES = tuple(published_networks.NETWORKS)
# Output classes, background included. The checkpoint of HiKapok's kind whose names are known is of a training for one class, with
# batch norm, which HiKapok's own network has not: both are tested.
OUTPUTS = {'balancap_ssd_300_vgg': 21, 'balancap_ssd_512_vgg': 21, 'hikapok_ssd300': 2}
PLAIN = 'hikapok_ssd300 without batch norm'


class Names(convert.Reader):
    """A checkpoint reader of names and shapes alone."""

    def __init__(self, shapes):
        self.shapes = shapes

    def get_variable_to_shape_map(self):
        return self.shapes


@pytest.fixture(scope='module', params=[*NAMES, PLAIN])
def random_checkpoint(request, tmp_path_factory):
    """-> (name, {variable: value}, prefix): random values under the published names."""
    name = request.param.split()[0]
    values = published_networks.values(name)
    if request.param == PLAIN:
        values = {variable: value for variable, value in values.items() if 'batch_normalization' not in variable}
    return name, values, checkpoint.save(tmp_path_factory.mktemp(name), 0, values)


def _loaded(name, prefix):
    spec, note = checkpoint.record_of(prefix, backbones.get('mobilenet_v1'))
    assert note.startswith(f'{prefix} is {name}: ') and note.endswith(
        '; 1 classes' if OUTPUTS[name] == 2 else '; 20 classes (VOC)')
    model, _ = detector.load(spec, prefix, classes=[f'class {i}' for i in range(1, OUTPUTS[name])])
    return model


def test_outputs_are_those_of_the_published_network(random_checkpoint):
    name, values, prefix = random_checkpoint
    model = _loaded(name, prefix)
    size = model.spec.image_size
    image = np.random.default_rng(1).integers(0, 256, (1, size // 8, size // 8, 3)).repeat(8, 1).repeat(8, 2).astype(np.uint8)
    image = np.pad(image, [(0, 0), *((0, size - side) for side in image.shape[1:3]), (0, 0)])
    logits, offsets = tf.function(model)(normalize.normalize(image, model.spec.normalization), False)
    defaults = anchors.default_boxes(model.spec)
    probabilities, found = tf.nn.softmax(logits[0]).numpy(), boxes.decode(offsets[0].numpy(), defaults)
    with tf.device('/CPU:0'):
        expected, expected_boxes, their_defaults = published_networks.NETWORKS[name](values)(image)
    ours = _same_boxes(defaults, their_defaults)
    assert np.ptp(probabilities) > .2 and np.ptp(offsets) > 1  # weights that tell something
    np.testing.assert_allclose(probabilities[ours], expected, atol=1e-3)
    np.testing.assert_allclose(found[ours], expected_boxes, atol=1e-3)


def test_converted_once_it_is_the_same(random_checkpoint, tmp_path):
    name, _, prefix = random_checkpoint
    classes = [f'class {i}' for i in range(1, OUTPUTS[name])]
    with pytest.raises(CheckpointError, match=f'has {len(classes)} classes, not 3; name them with --classes_file'):
        publish.publish(prefix, tmp_path, 'float32', 'abc')
    converted = publish.publish(prefix, tmp_path, 'float32', classes)
    facts = checkpoint.read_description(converted)
    assert (facts['conventions'], facts['classes']) == (name, classes)
    first, second = checkpoint.read(prefix), checkpoint.read(converted)
    assert set(second.get_variable_to_shape_map()) == set(convert.records()[name].variables)
    for variable in convert.records()[name].variables:
        np.testing.assert_array_equal(first.get_tensor(variable), second.get_tensor(variable))


@pytest.mark.parametrize('name', NAMES)
def test_every_variable_is_mapped_or_left_out(name):
    shapes = published_networks.shapes(name)
    record = convert.records()[name]
    reader = convert.translated(Names(shapes))
    model = ssd.SSD(record.spec, OUTPUTS[name]).build()
    wanted = {checkpoint.variable_name(variable): list(variable.shape) for variable in model.variables}
    found = reader.get_variable_to_shape_map()
    assert {variable: found.get(variable) for variable in wanted} == wanted
    left_out = set(found) - set(wanted)
    assert left_out == {variable for variable in shapes if variable == 'global_step' or variable.endswith('/Momentum')}
    folded = [variable for variable in shapes if 'batch_normalization' in variable and variable not in left_out]
    assert len(shapes) == len(wanted) + len(left_out) + len(folded)
    assert len(folded) == (84 if name == 'hikapok_ssd300' else 0)  # 21 layers


def test_only_published_names_are_recognised():
    assert convert.recognise(['global_step']) is None
    assert convert.recognise(['vgg_16/conv1/conv1_1/weights', 'ssd/conv4_3/l2_norm/scale']) is None
    assert convert.recognise(['ssd_300_vgg/conv1/conv1_1/weights']) is None  # a body alone
    for name in NAMES:
        assert convert.recognise(published_networks.shapes(name)).name == name


def test_settings_that_follow():
    records = convert.records()
    first, second, third = (records[name].spec for name in NAMES)
    assert (first.name, first.normalization, first.box_set, first.sizes[:2]) == ('vgg_300', 'caffe', 'coco', (21, 45))
    assert (second.name, second.image_size, second.sizes[:2]) == ('vgg_512', 512, (20.48, 51.2))
    assert (third.name, third.normalization, third.sizes) == ('vgg_300', 'vgg', (30, 60, 112.5, 165, 217.5, 270, 322.5))
    assert [layer.padding for layer in third.extra_layers] == ['SAME', 'SAME', 'VALID', 'VALID']
    assert backbones.get('vgg_300').conventions == '' and first.conventions == 'balancap_ssd_300_vgg'
    assert records['hikapok_ssd300'].text() == (
        'hikapok_ssd300: backbone_network ssd_vgg_300, default boxes hikapok (30, 60, 112.5, ... pixels), pixels vgg, '
        'kernels turned from BGR to RGB')


def test_a_training_that_began_with_a_published_ssd_keeps_its_conventions(tmp_path):
    spec = convert.records()['hikapok_ssd300'].spec
    facts = checkpoint.describe(spec, starting_point.EXISTING, ['cat'])
    checkpoint.write_description(tmp_path, **facts)
    prefix = checkpoint.save(tmp_path, 3, {'a': np.zeros(1)})
    found, note = checkpoint.record_of(prefix, backbones.get('vgg_300'))
    assert found == spec and note.startswith(f'{prefix} follows hikapok_ssd300: backbone_network ssd_vgg_300')
    # Started again without naming the checkpoint, too.
    start = starting_point.choose(starting_point.EXISTING, backbones.get('vgg_300'), str(tmp_path), '', False, ['cat'])
    assert start.spec == spec and start.resumed
    # Another backbone is configured: that is said by whoever loads it.
    assert checkpoint.record_of(prefix, backbones.get('vgg_512')) == (backbones.get('vgg_512'), '')
    with pytest.raises(CheckpointError, match='trained with backbone_network ssd_vgg_300, configured is ssd_vgg_512'):
        detector.load(backbones.get('vgg_512'), prefix)


def test_conventions_that_are_not_known(tmp_path):
    checkpoint.write_description(tmp_path, backbone_network='ssd_vgg_300', conventions='other_ssd')
    prefix = checkpoint.save(tmp_path, 3, {'a': np.zeros(1)})
    with pytest.raises(CheckpointError, match="follows 'other_ssd'; known are balancap_ssd_300_vgg, "):
        checkpoint.record_of(prefix, backbones.get('vgg_300'))


def _same_boxes(defaults, theirs):
    """For each of their default boxes the index of the same one here; each once."""
    rounded = [np.round(np.asarray(each, float) * 300, 1) for each in (defaults, theirs)]
    first, second = (np.lexsort(each.T) for each in rounded)
    np.testing.assert_allclose(defaults[first], theirs[second], atol=1e-4)
    found = np.empty(len(first), int)
    found[second] = first
    return found
