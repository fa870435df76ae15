"""Recipes: their keys take the place of the defaults, each for the scripts that it is meant for."""
import json

import pytest

import configs
from configs import recipe
from utils.errors import UserError


@pytest.mark.parametrize('name', recipe.names())
def test_every_recipe_is_valid_for_every_script(name):
    for script in configs.SCRIPTS:
        configs.load(script, [f'--recipe={name}'])


def test_the_published_training():
    config = configs.load('ssd_train', ['--recipe=voc0712_vgg300'])
    assert (config.backbone_network, config.default_box_set, config.batch_size) == (
        'ssd_vgg_300', 'voc', 32)
    assert (config.learning_rate, config.schedule, config.learning_rate_drops) == (
        .001, 'steps', '80000,100000')
    assert (config.max_steps, config.warmup_steps, config.clip_gradients) == (120000, 0, 0)
    config = configs.load('ssd_train', ['--recipe', 'voc0712_vgg512'])
    assert config.learning_rate * config.batch_size / 32 == pytest.approx(.001)


def test_the_command_line_wins():
    config = configs.load('ssd_train', ['--max_steps=7', '--recipe=shapes', '--lr=0.5'])
    assert (config.max_steps, config.learning_rate, config.warmup_steps) == (7, .5, 10)


def test_other_scripts_use_what_the_training_writes():
    config = configs.load('ssd_test', ['--recipe=voc0712_vgg300'])
    assert (config.backbone_network, config.checkpoint, config.precision) == (
        'ssd_vgg_300', '', 'auto')
    config = configs.load('ssd_demo', ['--recipe=shapes'])
    assert (config.checkpoint, config.batch_size, config.output) == ('quickstart/ssd', 1, '')


def test_a_file(tmp_path):
    (tmp_path / 'mine.py').write_text('import math\n_HALF = .5\nlearning_rate = _HALF / 2\n'
                                      'epochs = math.ceil(2.5)\nmomentum: float = .8\n')
    config = configs.load('ssd_train', [f'--recipe={tmp_path}/mine.py'])
    assert (config.learning_rate, config.epochs, config.momentum) == (.25, 3, .8)


def test_the_settings_of_a_training(tmp_path):
    (tmp_path / 'settings.json').write_text(json.dumps(
        {'settings': {'learning_rate': .25, 'output': 'there', 'precision': 'bfloat16'}}))
    config = configs.load('ssd_train', [f'--recipe={tmp_path}/settings.json'])
    assert (config.learning_rate, config.output, config.precision) == (.25, 'there', 'bfloat16')
    config = configs.load('ssd_test', [f'--recipe={tmp_path}/settings.json'])
    assert (config.checkpoint, config.output, config.precision) == ('there', '', 'auto')


@pytest.mark.parametrize('text, message', [
    ('learning_rat = 1', "mine.py: unknown key 'learning_rat'; nearest: learning_rate"),
    ('learning_rate = "x"', "recipe: learning_rate: 'x' is not a number above 0"),
    ('max_steps = 1.5', 'recipe: max_steps: 1.5 is not a whole number of at least 1'),
    ('a b', 'mine.py, line 1: invalid syntax'),
    ('max_steps = 1 / 0', 'mine.py, line 1: division by zero'),
])
def test_mistakes_are_one_line(tmp_path, text, message):
    (tmp_path / 'mine.py').write_text(text)
    with pytest.raises(UserError) as caught:
        configs.load('ssd_train', [f'--recipe={tmp_path}/mine.py'])
    assert message in str(caught.value) and '\n' not in str(caught.value)


@pytest.mark.parametrize('content, message', [
    ('{', 'Expecting property name'), ('{}', 'no settings in it'),
    ('{"settings": {"nothing": 1}}', "unknown key 'nothing'")])
def test_settings_that_are_none(tmp_path, content, message):
    (tmp_path / 'x.json').write_text(content)
    with pytest.raises(UserError, match=message):
        configs.load('ssd_train', [f'--recipe={tmp_path}/x.json'])


def test_no_such_recipe():
    with pytest.raises(UserError, match="recipe 'shaps' is neither a file nor one of own_images, "
                                        '.*nearest: shapes'):
        configs.load('ssd_demo', ['--recipe=shaps'])
    with pytest.raises(UserError, match='--recipe: expected one argument'):
        configs.load('ssd_demo', ['--recipe'])
