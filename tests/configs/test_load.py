"""Configuration: defaults, overrides, and one clear line for every mistake."""
import subprocess
import sys

import pytest

import configs
from configs import config_train, schema


def test_defaults_and_overrides():
    config = configs.load('ssd_train', ['--batch_size=8', '--learning_rate=0.01', '--augment_flip=false', '--voc=a,b'])
    assert (config.batch_size, config.learning_rate, config.augment_flip, config.voc) == (8, .01, False, 'a,b')
    assert config.momentum == config_train.momentum


def test_later_module_wins():
    assert configs.load('ssd_demo', []).batch_size == 1
    assert configs.load('ssd_test', []).batch_size == 32


@pytest.mark.parametrize('script', configs.SCRIPTS)
def test_every_default_is_valid_and_every_key_has_a_comment(script):
    config = configs.load(script, [])
    explained = {key for section in configs._sections(script) for key, text in section.comments.items() if text}
    assert set(vars(config)) - explained == set()


def test_every_rule_is_of_some_key():
    keys = set().union(*(vars(configs.load(script, [])) for script in configs.SCRIPTS))
    assert set(schema.RULES) == keys


@pytest.mark.parametrize('argument, message', [
    ('--batch_siz=8', "unknown key 'batch_siz'; nearest: batch_size"),
    ('--batch_size=eight', "batch_size: 'eight' is not a whole number from 1 to 65536"),
    ('--batch_size=0', 'batch_size: 0 is not a whole number from 1 to 65536'),
    ('--backbone_network=ssd_resent_v1', "'ssd_resent_v1' is not one of ssd_vgg_300, .*; nearest: ssd_resnet_v1"),
    ('--learning_rate=nan', 'learning_rate: nan is not a number above 0'),
    ('--augment_flip=maybe', "augment_flip: 'maybe' is not True or False"),
    ('--max_steps', 'expected one argument'),
    ('picture.jpg', "unexpected argument 'picture.jpg'; write --key=value"),
])
def test_mistakes(argument, message):
    with pytest.raises(configs.UserError, match=message) as error:
        configs.load('ssd_train', [argument])
    assert '\n' not in str(error.value)


def test_positional_argument():
    assert configs.load('ssd_demo', ['cat.jpg', '--threshold=.3'], positional='image').image == 'cat.jpg'
    with pytest.raises(configs.UserError, match="unexpected argument 'dog.jpg'"):
        configs.load('ssd_demo', ['cat.jpg', 'dog.jpg'], positional='image')


def test_key_with_several_values():
    assert configs.load('ssd_demo', ['--format=json, picture']).format == 'json, picture'
    with pytest.raises(configs.UserError, match="'json,pictur' is not one of picture, video, json, xml, or several"):
        configs.load('ssd_demo', ['--format=json,pictur'])


def test_config_is_read_only():
    with pytest.raises(AttributeError, match='read-only'):
        configs.load('ssd_train', []).batch_size = 3


def test_two_uncommented_backbones_are_refused(monkeypatch):
    source = "backbone_network = 'ssd_vgg_300'\n# another\nbackbone_network = 'ssd_vgg_512'\n"
    with pytest.raises(configs.UserError, match='configs/config_general.py: backbone_network is set in lines 1 and 3; keep one'):
        configs._refuse_double(source, 'config_general')


def test_misspelt_key_in_a_module_is_refused(monkeypatch):
    monkeypatch.setattr(config_train, 'learning_rte', .1, raising=False)
    with pytest.raises(configs.UserError, match="configs/config_train.py: unknown key 'learning_rte'; nearest: learning_rate"):
        configs.load('ssd_train', [])


def test_missing_key_in_a_module_is_refused(monkeypatch):
    monkeypatch.delattr(config_train, 'momentum')
    with pytest.raises(configs.UserError, match="ssd_train.py: 'momentum' is set nowhere in configs/"):
        configs.load('ssd_train', [])


def test_no_tensorflow_is_imported():
    code = ('import sys, configs, datasets.voc_eval, nets.anchors, nets.matching; configs.load("ssd_train", []); '
            'sys.exit("tensorflow" in sys.modules)')
    assert subprocess.run([sys.executable, '-c', code], check=False).returncode == 0
