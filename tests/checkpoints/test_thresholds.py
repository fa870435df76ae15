"""Score thresholds of classes: from model.json, or from the evaluation of the same step."""
import json

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
    assert checkpoint.read_description(tmp_path / 'b/model.ckpt-7') == facts | {
        'thresholds': EXPECTED}
    # A newer evaluation counts; a mean of weights has none yet.
    newer = {'about': {'step': 7}, 'classes': CLASSES | {'cat': _class(40, .7)}}
    (tmp_path / 'b/evaluation.json').write_text(json.dumps(newer))
    assert thresholds.known(str(tmp_path / 'b/model.ckpt-7'))['cat'] == .7
    mixed = publish.publish(prefix, tmp_path / 'c', mix=[(tmp_path / 'b', .5)])
    assert thresholds.known(mixed) == {}
