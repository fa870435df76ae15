"""The detectors that come with the repository."""
import dataclasses
import os
import pathlib

import numpy as np
import pytest

from checkpoints import io as checkpoint
from datasets.readers import voc
from detection import loading, sources
from nets import backbones, postprocess
from utils.errors import CheckpointError

ROOT = pathlib.Path(__file__).resolve().parents[2]
VARIABLES = {'mobilenet_v1': 179, 'mobilenet_v2': 328}


def _folder(name):
    return ROOT / f'checkpoints/ssd_{name}/shipped'


@pytest.mark.parametrize('name', VARIABLES)
def test_weights_alone_in_half_precision(name):
    reader = checkpoint.read(checkpoint.find(_folder(name)))
    names = reader.get_variable_to_shape_map()
    assert sum(os.path.getsize(path) for path in _folder(name).glob('model.ckpt-*')) < 15e6
    assert len(names) == VARIABLES[name] and not [
        each for each in names
        if 'Momentum' in each or 'Average' in each or each == 'global_step']
    assert {reader.get_tensor(each).dtype for each in names} == {np.dtype(np.float16)}


@pytest.mark.parametrize('name', VARIABLES)
def test_it_knows_the_classes_of_voc_and_finds_a_person(name):
    shipped = loading.load(_folder(name), limits=postprocess.Limits(score_threshold=.5))
    assert shipped.classes == voc.CLASSES
    photograph, image = sources.sample()
    if photograph == 'drawn_scene':
        pytest.skip('this matplotlib brings no photograph')
    found = shipped.detect(shipped.resize(image)[None])
    count = int(found.counts[0])
    assert [shipped.classes[label - 1] for label in found.classes[0, :count]] == ['person']
    np.testing.assert_allclose(found.boxes[0, 0], [.09, .02, .96, .98], atol=.05)


def test_it_is_not_taken_for_a_detector_with_other_default_boxes():
    spec, prefix = backbones.get('mobilenet_v1'), checkpoint.find(_folder('mobilenet_v1'))
    assert checkpoint.read_description(prefix)['default_boxes'] == spec.box_facts
    other = dataclasses.replace(spec, aspect_ratios=((2.5,), *spec.aspect_ratios[1:]))
    with pytest.raises(CheckpointError,
                       match=r'with default_boxes .*\[\[2.0\], .*, configured is .*\[\[2.5\]'):
        loading.load(prefix, other)
