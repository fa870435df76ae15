"""Score thresholds of classes: from model.json, or from the evaluation of the same step."""
import json
import re

import numpy as np
import pytest

from checkpoints import io as checkpoint
from checkpoints import publish, thresholds


def _class(objects, threshold):
    return {'objects': objects, 'best_f1': {'threshold': threshold}}


CLASSES = {'cat': _class(40, .61289), 'cow': _class(10, .12), 'few': _class(9, .9),
           'dog': _class(30, .40001), 'lost': _class(50, None)}
EXPECTED = {'cat': .612, 'cow': .3, 'dog': .4, 'few': .4, 'lost': .4}


def _write(folder, content):
    prefix = checkpoint.save(folder, 7, {'a': np.zeros(1)})
    (folder / 'evaluation.json').write_text(content)
    return prefix


def test_of_an_evaluation(tmp_path):
    content = {'about': {'step': 7}, 'classes': CLASSES}
    assert thresholds.known(_write(tmp_path, json.dumps(content))) == EXPECTED


@pytest.mark.parametrize('content', [
    '', '[]', '{"about": {"step": 8}, "classes": {}}', '{"about": {"step": 7}, "classes": {}}',
    '{"about": {"step": 7}, "classes": {"cat": 1}}',
    json.dumps({'about': {'step': 7}, 'classes': {'few': _class(9, .9)}})])
def test_nothing_is_known(tmp_path, content):
    assert thresholds.known(_write(tmp_path, content)) == {}


def test_without_an_evaluation(tmp_path):
    assert thresholds.known(checkpoint.save(tmp_path, 7, {'a': np.zeros(1)})) == {}


def test_they_are_published_with_the_weights(tmp_path):
    facts = {'backbone_network': 'ssd_tiny', 'imagenet_scope': 'Tiny', 'image_size': 32,
             'default_box_set': 'coco', 'classes': list(CLASSES)}
    prefix = _write(tmp_path / 'a', json.dumps({'about': {'step': 7}, 'classes': CLASSES}))
    checkpoint.write_description(tmp_path / 'a', **facts)
    assert thresholds.known(publish.publish(prefix, tmp_path / 'b')) == EXPECTED
    described = checkpoint.read_description(tmp_path / 'b/model.ckpt-7')
    run = described.pop('run')
    assert described == facts | {'thresholds': EXPECTED}
    # A newer evaluation counts; a mean of weights has none yet.
    newer = {'about': {'step': 7, 'run': run}, 'classes': CLASSES | {'cat': _class(40, .7)}}
    (tmp_path / 'b/evaluation.json').write_text(json.dumps(newer))
    assert thresholds.known(str(tmp_path / 'b/model.ckpt-7'))['cat'] == .7
    mixed = publish.publish(prefix, tmp_path / 'c', mix=[(tmp_path / 'b', .5)])
    assert thresholds.known(mixed) == {}


def test_an_evaluation_of_another_training_does_not_count(tmp_path):
    content = {'about': {'step': 7, 'run': 'a1'}, 'classes': CLASSES}
    prefix = _write(tmp_path, json.dumps(content))
    assert thresholds.known(prefix) == {}  # of a training from before ids, or a foreign one
    checkpoint.write_description(tmp_path, classes=['cat'], run='b2')
    assert thresholds.known(prefix) == {}
    checkpoint.write_description(tmp_path, classes=['cat'], run='a1')
    assert thresholds.known(prefix) == EXPECTED
    (tmp_path / 'evaluation.json').write_text(
        json.dumps({'about': {'step': 7}, 'classes': CLASSES}))
    assert thresholds.known(prefix) == {}  # the evaluation is older than the training


@pytest.mark.parametrize('evaluated, expected, origin', [
    ({'cat': _class(12, .97), 'dog': _class(0, None), 'cow': _class(0, None)},
     {'cat': .97, 'dog': .4, 'cow': .5}, 'the evaluation of step 7 and .*model.json'),
    ({'cat': _class(12, .97), 'dog': _class(3, .9), 'cow': _class(15, .6)},
     {'cat': .97, 'dog': .4, 'cow': .6}, 'the evaluation of step 7 and .*model.json'),
    ({'cat': _class(12, .97), 'dog': _class(10, .9), 'cow': _class(15, .6)},
     {'cat': .97, 'dog': .9, 'cow': .6}, 'the evaluation of step 7'),
    ({}, {'cat': .3, 'dog': .4, 'cow': .5}, '.*/model.json')])
def test_an_evaluation_tells_about_the_classes_that_its_images_have(tmp_path, evaluated, expected,
                                                                    origin):
    prefix = _write(tmp_path, json.dumps({'about': {'step': 7}, 'classes': evaluated}))
    checkpoint.write_description(tmp_path, thresholds={'cat': .3, 'dog': .4, 'cow': .5})
    assert thresholds.known(prefix) == expected
    assert re.fullmatch(origin, thresholds.origin(prefix))
    checkpoint.write_description(tmp_path, classes=['cat', 'dog', 'cow'])
    missing = {name for name, entry in evaluated.items() if not entry['objects']}
    assert thresholds.known(prefix).keys() == evaluated.keys() - missing
    if not evaluated:
        assert thresholds.origin(prefix) == 'as there is no evaluation'
