"""Published SSDs: converted, they compute what their own network computes from the same weights."""
import re

import numpy as np
import pytest

from checkpoints import convert, fit, published
from checkpoints import io as checkpoint
from detection import loading
from nets import anchors, backbones, boxes
from nets import ssd as network
from nets.slim_compat import tf
from preprocessing import normalize
from tests.checkpoints import few, published_networks
from training import starting_point
from utils.choices import EXISTING
from utils.errors import CheckpointError

NAMES = tuple(published_networks.NETWORKS)
# Output classes, background included. The checkpoint of HiKapok's kind whose names are known is of
# a training for one class, with batch norm, which HiKapok's own network has not: both are tested.
OUTPUTS = {'balancap_ssd_300_vgg': 21, 'balancap_ssd_512_vgg': 21, 'hikapok_ssd300': 2}
PLAIN = 'hikapok_ssd300 without batch norm'


@pytest.fixture(scope='module', params=[*NAMES, PLAIN])
def random_checkpoint(request, tmp_path_factory):
    """-> (name, {variable: value}, prefix): random values under the published names."""
    name = request.param.split()[0]
    values = published_networks.values(name)
    if request.param == PLAIN:
        values = {variable: value
                  for variable, value in values.items() if 'batch_normalization' not in variable}
    return name, values, checkpoint.save(tmp_path_factory.mktemp(name), 0, values)


@pytest.fixture(scope='module')
def converted(random_checkpoint, tmp_path_factory):
    """-> (name, {variable: value}, prefix of the converted checkpoint)."""
    name, values, prefix = random_checkpoint
    folder = tmp_path_factory.mktemp('converted')
    return name, values, convert.convert(prefix, folder, dict(enumerate(_classes(name), 1)))


def _classes(name):
    return [f'class {i}' for i in range(1, OUTPUTS[name])]


def test_outputs_are_those_of_the_published_network(converted):
    name, values, prefix = converted
    model = loading.load(prefix).model
    size = model.spec.image_size
    blocks = np.random.default_rng(1).integers(0, 256, (1, size // 8, size // 8, 3))
    image = blocks.repeat(8, 1).repeat(8, 2).astype(np.uint8)
    image = np.pad(image, [(0, 0), *((0, size - side) for side in image.shape[1:3]), (0, 0)])
    logits, offsets = tf.function(model)(normalize.normalize(image, model.spec.normalization),
                                         False)
    defaults = anchors.default_boxes(model.spec)
    probabilities = tf.nn.softmax(logits[0]).numpy()
    found = boxes.decode(offsets[0].numpy(), defaults)
    with tf.device('/CPU:0'):
        expected, expected_boxes, their_defaults = published_networks.NETWORKS[name](values)(image)
    ours = _same_boxes(defaults, their_defaults)
    assert np.ptp(probabilities) > .2 and np.ptp(offsets) > 1  # weights that tell something
    np.testing.assert_allclose(probabilities[ours], expected, atol=1e-3)
    np.testing.assert_allclose(found[ours], expected_boxes, atol=1e-3)


def test_the_description_rebuilds_the_spec(converted):
    name, _, prefix = converted
    facts = checkpoint.read_description(prefix)
    assert 'training_mode' not in facts and facts['classes'] == _classes(name)
    # Whatever default boxes are configured.
    for configured in (None, backbones.get(facts['backbone_network'][4:]).with_box_set('voc')):
        spec = fit.spec_of(prefix, configured)
        assert spec == published.catalogue()[name].spec and spec.overrides
    names = checkpoint.read(prefix).get_variable_to_shape_map()
    assert set(names) == set(published.catalogue()[name].variables)


def test_a_published_file_is_refused_with_the_command_to_convert_it(random_checkpoint, tmp_path):
    name, _, prefix = random_checkpoint
    message = (f'{prefix} is {name}, an SSD of another project; convert it once: '
               f'python3 -m checkpoints.convert {prefix} OUTPUT')

    def start(prefix):
        starting_point.choose(EXISTING, backbones.get('vgg_300'), 'out', prefix, False, ['cat'])

    for use in (checkpoint.read, fit.spec_of, loading.load, start):
        with pytest.raises(CheckpointError, match=f'^{re.escape(message)}$'):
            use(prefix)


def test_what_is_not_converted(random_checkpoint, tmp_path):
    name, values, prefix = random_checkpoint
    message = f'has {len(_classes(name))} classes, not 3; name them with --classes_file'
    with pytest.raises(CheckpointError, match=message):
        convert.convert(prefix, tmp_path / 'new', dict(enumerate('abc', 1)))
    other = checkpoint.save(tmp_path / 'used', 0, {'a': np.zeros(1)})
    with pytest.raises(CheckpointError,
                       match='is no SSD that is known: balancap_ssd_300'):
        convert.convert(other, tmp_path / 'new')
    with pytest.raises(CheckpointError,
                       match='is there already; remove it, or name another folder'):
        convert.convert(prefix, tmp_path / 'used', dict(enumerate(_classes(name), 1)))
    without = {key: value for key, value in values.items() if 'conv7' not in key
               and 'fc7' not in key}
    cut = checkpoint.save(tmp_path / 'cut', 0, without)
    with pytest.raises(CheckpointError, match=f'is {name}, but has no .*7/'):
        convert.convert(cut, tmp_path / 'new', dict(enumerate(_classes(name), 1)))
    assert not (tmp_path / 'new').exists()


@pytest.mark.parametrize('name', NAMES)
def test_every_variable_is_mapped_or_left_out(name):
    shapes = published_networks.shapes(name)
    ssd = published.catalogue()[name]
    tensors = ssd.convert(lambda variable: np.zeros(shapes[variable], np.float32), shapes,
                          range(1, OUTPUTS[name]))
    model = network.SSD(ssd.spec, OUTPUTS[name]).build()
    wanted = {checkpoint.variable_name(variable): list(variable.shape)
              for variable in model.variables}
    assert {variable: list(value.shape) for variable, value in tensors.items()} == wanted
    left_out = set(shapes) - set(ssd.variables.values())
    folded = {variable for variable in left_out if 'batch_normalization' in variable
              and not variable.endswith('/Momentum')}
    assert left_out - folded == {variable for variable in shapes if variable == 'global_step'
                                 or variable.endswith('/Momentum')}
    assert len(folded) == (84 if name == 'hikapok_ssd300' else 0)  # 21 layers


def test_only_published_names_are_recognised():
    assert published.recognise(['global_step']) is None
    ours = ['vgg_16/conv1/conv1_1/weights', 'ssd/conv4_3/l2_norm/scale']
    assert published.recognise(ours) is None
    assert published.recognise(['ssd_300_vgg/conv1/conv1_1/weights']) is None  # a body alone
    for name in NAMES:
        assert published.recognise(published_networks.shapes(name)).name == name


def test_settings_that_follow():
    first, second, third = (published.catalogue()[name].spec for name in NAMES)
    assert (first.name, first.normalization, first.box_set) == ('vgg_300', 'caffe', 'coco')
    assert first.sizes[:2] == (21, 45)
    assert (second.name, second.image_size, second.sizes[:2]) == ('vgg_512', 512, (20.48, 51.2))
    assert (third.name, third.normalization) == ('vgg_300', 'vgg')
    assert third.sizes == (30, 60, 112.5, 165, 217.5, 270, 322.5)
    assert [layer.padding for layer in third.extra_layers] == ['SAME', 'SAME', 'VALID', 'VALID']
    assert not backbones.get('vgg_300').overrides
    assert first.overrides == {'normalization': 'caffe', 'box_set': 'coco'}


def test_a_training_that_began_with_a_converted_ssd_keeps_its_overrides(tmp_path):
    spec = published.catalogue()['hikapok_ssd300'].spec
    checkpoint.write_description(tmp_path, **checkpoint.describe(spec, EXISTING, ['cat']))
    prefix = checkpoint.save(tmp_path, 3, few.variables(spec))
    assert fit.spec_of(prefix, backbones.get('vgg_300')) == spec
    assert fit.spec_of(prefix) == spec
    # Started again without naming the checkpoint, too.
    start = starting_point.choose(EXISTING, backbones.get('vgg_300'), str(tmp_path), '', False,
                                  ['cat'])
    assert start.spec == spec and start.resumed
    # Another backbone is configured: that is said by what loads it.
    assert fit.spec_of(prefix, backbones.get('vgg_512')) == backbones.get('vgg_512')
    with pytest.raises(CheckpointError,
                       match='with backbone_network ssd_vgg_300, configured is ssd_vgg_512'):
        loading.load(prefix, backbones.get('vgg_512'))


@pytest.mark.parametrize('overrides, message', [
    ({'builder': 1}, 'vgg_300: overrides do not fit: builder cannot be overridden'),
    ({'box_set': 'none'}, "unknown default box set 'none'"),
    ({'box_sets': 3}, 'overrides do not fit'),
    ({'box_sets': {'coco': [1, 2]}}, '6 heads, but 1 box sizes'),
    ({'extra_layers': [{'width': 3}]}, 'overrides do not fit')])
def test_overrides_that_do_not_fit(tmp_path, overrides, message):
    checkpoint.write_description(tmp_path, backbone_network='ssd_vgg_300', overrides=overrides)
    prefix = checkpoint.save(tmp_path, 3, {'a': np.zeros(1)})
    with pytest.raises(CheckpointError, match=f'model.json beside .*model.ckpt-3: .*{message}'):
        fit.spec_of(prefix, backbones.get('vgg_300'))


def test_a_normalization_that_is_not_known(tmp_path):
    checkpoint.write_description(tmp_path, backbone_network='ssd_vgg_300',
                                 overrides={'normalization': 'other'})
    prefix = checkpoint.save(tmp_path, 3, {'a': np.zeros(1)})
    with pytest.raises(CheckpointError,
                       match="needs normalization 'other'; known: vgg, caffe, inception"):
        loading.load(prefix)


def _same_boxes(defaults, theirs):
    """For each of their default boxes the index of the same one here; each once."""
    rounded = [np.round(np.asarray(each, float) * 300, 1) for each in (defaults, theirs)]
    first, second = (np.lexsort(each.T) for each in rounded)
    np.testing.assert_allclose(defaults[first], theirs[second], atol=1e-4)
    found = np.empty(len(first), int)
    found[second] = first
    return found
