"""How a checkpoint fits a network: the same, other heads, the backbone alone, or not at all."""
import dataclasses

import numpy as np
import pytest

from checkpoints import fit
from checkpoints import io as checkpoint
from nets import backbones
from tests.checkpoints import few
from utils.errors import CheckpointError

V1, V2 = backbones.get('mobilenet_v1'), backbones.get('mobilenet_v2')
CLASSES = ['a', 'b']


def _trained(folder, spec, described=True, classes=CLASSES, **more):
    if described:
        checkpoint.write_description(folder, **checkpoint.describe(spec, '', classes) | more)
    return checkpoint.save(folder, 3, few.variables(spec, len(classes)))


@pytest.mark.parametrize('described', [True, False])
@pytest.mark.parametrize('spec, configured, classes, kind, text', [
    (V1, V1, CLASSES, 'same', ''),
    (V1, V1, None, 'same', ''),
    (V1, V1, ['a', 'b', 'c'], 'heads', 'was trained with classes a, b, configured is a, b, c'),
    (V1, V2, CLASSES, 'none', 'was trained with backbone_network ssd_mobilenet_v1, configured is '
                              'ssd_mobilenet_v2; its network is '
                              '--backbone_network=ssd_mobilenet_v1'),
    (backbones.get('resnet_v1', 101), backbones.get('resnet_v1', 50), CLASSES, 'none',
     'was trained with imagenet_scope resnet_v1_101, configured is resnet_v1_50; its network is '
     '--backbone_network=ssd_resnet_v1 --resnet_depth=101'),
    (V1, V1.with_box_set('voc'), CLASSES, 'heads',
     'was trained with default_box_set coco, configured is voc; --default_box_set=coco has its '
     'default boxes')])
def test_kinds(tmp_path, described, spec, configured, classes, kind, text):
    found = fit.compare(_trained(tmp_path, spec, described), configured, classes)
    if not described:  # the variables alone know no sizes of default boxes
        kind = 'same' if 'default_box_set' in text else kind
        text = {'none': f'holds no variable of {configured.name} (scope '
                        f'{configured.imagenet.scope}); {text.split("; ")[-1]}',
                'heads': 'has 2 classes, not 3; it has no model.json beside it; classes other than '
                         'those of VOC are named to ssd_demo.py with --classes_file=FILE',
                'same': ''}[kind]
    assert found.kind == kind
    if kind == 'same':
        assert found.differences == () and found.used() == 'all of it is used'
        return found.require(fit.SAME)
    with pytest.raises(CheckpointError) as error:
        found.require(fit.SAME)
    assert str(error.value) == f'{tmp_path}/model.ckpt-3 {text}'


def test_what_is_used_is_said(tmp_path):
    prefix = _trained(tmp_path / 'ssd', V1)
    assert fit.compare(prefix, V1.with_box_set('voc'), CLASSES).used() == (
        'all of it is used, the heads as a start: it was trained with default_box_set coco, '
        'configured is voc')
    classifier = checkpoint.save(tmp_path, 0, {'MobilenetV1/Conv2d_0/weights': np.zeros(3)})
    found = fit.compare(classifier, V1, CLASSES)
    assert (found.kind, found.used()) == (
        'backbone', 'its backbone is used: it is a classifier, without heads')
    found.require(fit.SAME, fit.BACKBONE)
    with pytest.raises(CheckpointError, match='is a classifier, without heads; choose another'):
        found.require(fit.SAME, way_out='choose another')


@pytest.mark.parametrize('described', [True, False])
def test_heads_on_other_layers_or_with_other_boxes(tmp_path, described):
    fewer = dataclasses.replace(V1, aspect_ratios=(*V1.aspect_ratios[:-1], (2., 3.)))
    found = fit.compare(_trained(tmp_path, fewer, described), V1)
    assert found.kind == 'backbone' and found.used() == (
        'its backbone is used: it has no heads like those of mobilenet_v1: '
        'ssd/extra_4/offsets/biases is [24], wanted is [16]')
    # A backbone whose heads moved to other layers since the checkpoint was trained.
    elsewhere = dataclasses.replace(V1, feature_layers=('Conv2d_3_pointwise', V1.feature_layers[1]))
    found = fit.compare(_trained(tmp_path, elsewhere, described), V1)
    assert 'ssd/Conv2d_5_pointwise/offsets/biases is missing, wanted is [16]' in found.used()


def test_without_a_configuration_the_description_tells(tmp_path):
    spec = backbones.get('resnet_v2', 152).with_box_set('voc')
    found = fit.compare(_trained(tmp_path, spec))
    assert (found.kind, found.spec) == ('same', spec)
    with pytest.raises(CheckpointError, match='the backbone of .*model.ckpt-3 is unknown'):
        fit.compare(_trained(tmp_path / 'bare', spec, described=False))


def test_slots_are_no_variables_of_another_network(tmp_path):
    tensors = few.variables(V1)
    slots = {f'{name}/Momentum': value for name, value in tensors.items()}
    prefix = checkpoint.save(tmp_path, 1, tensors | slots | {'global_step': np.int64(1)})
    assert fit.compare(prefix, V1, CLASSES).kind == 'same'
