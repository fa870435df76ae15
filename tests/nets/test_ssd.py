"""The whole network: heads, freezing, precision; and its detector. See also test_registry."""
import numpy as np
import pytest

from checkpoints import io as checkpoint
from detection import detector, loading
from nets import backbones, postprocess, ssd
from nets.slim_compat import tf
from tests.checkpoints import few
from utils.errors import CheckpointError

SMALL = 'mobilenet_v1'


@pytest.fixture(scope='module')
def small():
    return ssd.SSD(backbones.get(SMALL), 4).build()


def test_heads_stand_in_the_order_of_the_default_boxes(small):
    # With all kernels zero, a head's bias for (cell box 2, class 3) is only in the logits of the
    # third box of each of its cells.
    spec = small.spec
    model = ssd.SSD(spec, 4).build()
    for variable in model.variables:
        if variable.name.startswith('ssd/') and variable.name.endswith(('weights:0', 'biases:0')):
            variable.assign(tf.zeros_like(variable))
    bias = next(v for v in model.variables if v.name == 'ssd/extra_1/logits/biases:0')
    bias.assign(tf.one_hot(2 * 4 + 3, 6 * 4))
    logits, _ = model(tf.zeros([1, 300, 300, 3]), False)
    start = 38 * 38 * 4 + 19 * 19 * 6
    found = np.argwhere(logits[0].numpy())
    assert found.tolist() == [[start + cell * 6 + 2, 3] for cell in range(100)]


def test_heads_and_extra_layers_begin_as_in_caffe():
    model = ssd.SSD(backbones.get('mobilenet_v1'), 21).build()
    kernels = {v.name: v.numpy() for v in model.variables if v.name.startswith('ssd/')}
    for name, fan_in in (('ssd/extra_1/conv3x3/weights:0', 9 * 256),
                         ('ssd/extra_1/logits/weights:0', 9 * 512)):
        # The largest of 100,000 uniform numbers or more is close to the limit.
        assert np.abs(kernels[name]).max() == pytest.approx((3 / fan_in) ** .5, rel=1e-3)


def _moved_by_training(model):
    """Names of the batch norm statistics that a training step changes."""
    before = {v.name: v.numpy().copy() for v in model.variables if 'moving' in v.name}
    tf.function(model)(tf.random.normal([2, 300, 300, 3]), True)
    return {v.name for v in model.variables
            if v.name in before and (v.numpy() != before[v.name]).any()}


def test_frozen_backbone_neither_learns_nor_moves_its_statistics():
    model = ssd.SSD(backbones.get(SMALL), 4, frozen=('*',)).build()
    assert {v.name.split('/')[0] for v in model.learned_variables} == {'ssd'}
    assert {name.split('/')[0] for name in _moved_by_training(model)} == {'ssd'}


def test_statistics_move_in_training_alone(small):
    before = {v.name: v.numpy().copy() for v in small.variables if 'moving' in v.name}
    run = tf.function(small)
    run(tf.random.normal([1, 300, 300, 3]), False)
    assert all((v.numpy() == before[v.name]).all() for v in small.variables if v.name in before)


def test_bfloat16_is_near_float32(small):
    other = ssd.SSD(small.spec, 4, precision='bfloat16').build()
    for one, two in zip(small.variables, other.variables, strict=True):
        two.assign(one)
    images = tf.random.stateless_uniform([1, 300, 300, 3], [1, 2], -1, 1)
    exact, _ = tf.function(small)(images, False)
    rough, _ = tf.function(other)(images, False)
    assert 0 < np.abs(exact - rough).max() < .1 * np.abs(exact).max() + .05


@pytest.mark.parametrize('classes', [0, 1])
def test_too_few_classes(classes):
    with pytest.raises(ValueError, match='background and at least one class make 2'):
        ssd.SSD(backbones.get(SMALL), classes)


def test_unknown_backbone_lists_the_known():
    with pytest.raises(ValueError, match="unknown backbone 'resent_v2'; known: vgg_300, "):
        backbones.get('resent_v2')


@pytest.fixture(scope='module')
def trained(small, tmp_path_factory):
    folder = tmp_path_factory.mktemp('trained')
    checkpoint.write_description(folder, backbone_network='ssd_' + SMALL, classes=['a', 'b', 'c'])
    return checkpoint.save(folder, 5, {checkpoint.variable_name(v): v for v in small.variables})


def test_detector_loads_a_checkpoint(small, trained):
    loaded = loading.load(trained, small.spec, limits=postprocess.Limits(score_threshold=.2))
    assert loaded.classes == ('a', 'b', 'c')
    images = np.random.RandomState(0).randint(0, 256, (2, 300, 300, 3)).astype(np.uint8)
    again = detector.Detector(small, limits=loaded.limits, folded=True)
    for one, two in zip(loaded.detect(images), again.detect(images), strict=True):
        np.testing.assert_array_equal(one, two)


def test_detector_refuses_another_backbone(trained):
    message = 'trained with backbone_network ssd_mobilenet_v1, configured is ssd_mob'
    with pytest.raises(CheckpointError, match=message):
        loading.load(trained, backbones.get('mobilenet_v2'))


def test_detector_refuses_an_incomplete_checkpoint(small, tmp_path):
    prefix = checkpoint.save(tmp_path, 1, few.variables(small.spec, 3))
    message = 'does not fit ssd_mobilenet_v1 with 3 classes: .* missing, first '
    with pytest.raises(CheckpointError, match=message):
        loading.load(prefix, small.spec, classes=('a', 'b', 'c'))


def test_detector_refuses_a_checkpoint_whose_classes_nobody_names(small, tmp_path):
    prefix = checkpoint.save(tmp_path, 1, {'a': np.zeros(1)})
    message = 'classes of .*model.ckpt-1 are unknown: no model.json beside it lists'
    with pytest.raises(CheckpointError, match=message):
        loading.load(prefix, small.spec)


def test_frozen_layers_keep_their_statistics_and_the_others_learn():
    model = ssd.SSD(backbones.get('mobilenet_v1'), 4, frozen=('Conv2d_0/*', 'Conv2d_1_*')).build()
    frozen = {v.name for v in model.trainable_variables} - {v.name for v in model.learned_variables}
    frozen = {name.split('/')[1] for name in frozen}
    assert frozen == {'Conv2d_0', 'Conv2d_1_depthwise', 'Conv2d_1_pointwise'}
    moved = {name.split('/')[1] for name in _moved_by_training(model)}
    assert not moved & frozen
    assert {'Conv2d_2_depthwise', 'Conv2d_11_pointwise', 'extra_4'} <= moved


def test_frozen_batch_norm_learns_without_moving_statistics():
    model = ssd.SSD(backbones.get(SMALL), 4, freeze_batch_norm=True).build()
    assert len(model.learned_variables) == len(model.trainable_variables)
    assert _moved_by_training(model) == set()  # neither the backbone's nor the extra layers'
