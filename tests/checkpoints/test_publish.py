"""Weights alone, as they are handed on."""
import json

import numpy as np
import pytest

from checkpoints import io as checkpoint
from checkpoints import publish
from utils.errors import CheckpointError, UserError

FACTS = {'backbone_network': 'ssd_mobilenet_v1', 'imagenet_scope': 'MobilenetV1', 'image_size': 300,
         'default_box_set': 'coco',
         'classes': ['cat']}


def _training(folder, weights, **facts):
    checkpoint.write_description(folder, **FACTS, **facts, started_from='/home/me/model.ckpt',
                                 training_mode='from_scratch')
    return checkpoint.save(folder, 40, {
        'net/weights': np.array([1., 2.], 'f'), 'net/weights/Momentum': np.ones(2, 'f'),
        'net/weights/ExponentialMovingAverage': np.array(weights, 'f'),
        'net/biases': np.array([.5], 'f'),
        'net/weights/RMSProp': np.ones(2, 'f'), 'loss_scale': np.float32(2),
        'global_step': np.int64(40)})


def test_averages_without_slots_in_float16(tmp_path):
    prefix = publish.publish(_training(tmp_path, [3., 1e-5], run='a1'), tmp_path / 'shipped')
    reader = checkpoint.read(prefix)
    assert prefix.endswith('shipped/model.ckpt-40') and reader.get_variable_to_shape_map() == {
        'net/weights': [2], 'net/biases': [1]}
    assert reader.get_tensor('net/weights').dtype == np.float16
    np.testing.assert_allclose(reader.get_tensor('net/weights'), [3., 1e-5], rtol=1e-2)
    with open(tmp_path / 'shipped/model.json') as file:
        facts = json.load(file)
    assert facts.pop('run') != 'a1' and facts == FACTS  # other weights than the training's


def test_default_boxes_go_along_where_they_are_known(tmp_path):
    boxes = {'sizes': [1.5, 2.], 'aspect_ratios': [[2.]]}
    publish.publish(_training(tmp_path, [3., 1.], default_boxes=boxes), tmp_path / 'shipped')
    facts = checkpoint.read_description(tmp_path / 'shipped/model.ckpt-40')
    assert facts.pop('run') and facts == FACTS | {'default_boxes': boxes}


def test_float32_is_exact(tmp_path):
    prefix = publish.publish(_training(tmp_path, [3., 1e-8]), tmp_path / 'shipped', 'float32')
    np.testing.assert_array_equal(checkpoint.read(prefix).get_tensor('net/weights'),
                                  np.array([3., 1e-8], 'f'))


def test_refusals(tmp_path):
    _training(tmp_path, [3., 1e6])
    with pytest.raises(CheckpointError,
                       match='net/weights reaches 1e\\+06, which is no float16; write float32'):
        publish.publish(tmp_path, tmp_path / 'shipped')
    publish.publish(tmp_path, tmp_path / 'shipped', 'float32')
    with pytest.raises(CheckpointError, match='is there already'):
        publish.publish(tmp_path, tmp_path / 'shipped', 'float32')
    bare = checkpoint.save(tmp_path / 'bare', 1, {'a': np.zeros(1)})
    with pytest.raises(CheckpointError, match='has no model.json with backbone_network'):
        publish.publish(bare, tmp_path / 'other')


def test_mixed_trainings(tmp_path):
    first = _training(tmp_path / 'first', [3., 1.])
    second = _training(tmp_path / 'second', [7., 3.])
    prefix = publish.publish(first, tmp_path / 'shipped', 'float32', mix=[(second, .25)])
    np.testing.assert_array_equal(checkpoint.read(prefix).get_tensor('net/weights'),
                                  np.array([4., 1.5], 'f'))
    other = checkpoint.save(tmp_path / 'other', 1,
                            {'net/weights': np.zeros(3, 'f'), 'net/biases': np.zeros(1, 'f')})
    with pytest.raises(CheckpointError,
                       match='other/model.ckpt-1 is of another network than .*first/model.ckpt-40'):
        publish.publish(first, tmp_path / 'again', mix=[(other, .5)])


def test_a_mean_of_halves_is_not_rounded_to_halves(tmp_path):
    halves = [publish.publish(_training(tmp_path / name, [value, 1.]), tmp_path / f'{name}_half')
              for name, value in (('first', 1.), ('second', 1 + 2**-10))]
    prefix = publish.publish(halves[0], tmp_path / 'shipped', 'float32', mix=[(halves[1], .5)])
    assert checkpoint.read(prefix).get_tensor('net/weights').tolist() == [1 + 2**-11, 1]


@pytest.mark.parametrize('shares, text', [([.5, .5], '1'), ([.7, .6], '1.3')])
def test_shares_that_leave_nothing(shares, text, tmp_path):
    first = _training(tmp_path / 'first', [3., 1.])
    second = _training(tmp_path / 'second', [7., 3.])
    with pytest.raises(CheckpointError,
                       match=f'^the shares of the others make {text}, which leaves nothing'):
        publish.publish(first, tmp_path / 'shipped', mix=[(second, share) for share in shares])
    assert not (tmp_path / 'shipped').exists()


def test_shares_of_the_command_line():
    assert publish._share('a=b/model.ckpt-1=0.25') == ('a=b/model.ckpt-1', .25)
    for text in ('a', 'a=', 'a=x', 'a=1', '=0.5', 'a=-1', 'a=nan'):
        message = f"--mix: '{text}' is not CHECKPOINT=SHARE with a share between 0 and 1"
        with pytest.raises(UserError, match=message):
            publish.main(['source', 'folder', f'--mix={text}'])
