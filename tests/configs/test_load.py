"""Configuration: defaults, overrides, and one clear line for every mistake."""
import subprocess
import sys

import pytest

import configs
from configs import config_demo, config_test, config_train, schema


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


@pytest.mark.parametrize('name', schema.MODULES)
def test_rules_are_of_the_keys_that_a_module_sets(name):
    assert set(schema.MODULES[name]) == set(configs._section(name).values)


def test_a_key_has_the_same_rule_in_all_modules():
    found = [(name, key) for name, rules in schema.MODULES.items() for key, rule in rules.items()
             if rule is not schema.RULES[key]]
    assert found == []


@pytest.mark.parametrize('argument, message', [
    ('--batch_siz=8', "unknown key 'batch_siz'; nearest: batch_size"),
    ('--batch_size=eight', "batch_size: 'eight' is not a whole number from 1 to 65536"),
    ('--batch_size=0', 'batch_size: 0 is not a whole number from 1 to 65536'),
    ('--backbone_network=ssd_resent_v1', "'ssd_resent_v1' is not one of ssd_vgg_300, .*; nearest: ssd_resnet_v1"),
    ('--learning_rate=nan', 'learning_rate: nan is not a number above 0'),
    ('--voc=,', "voc: ',' is not text that is not empty"),
    ('--image_set= ', "image_set: ' ' is not text that is not empty"),
    ('--learning_rate=0', 'learning_rate: 0.0 is not a number above 0'),
    ('--weight_decay=inf', 'weight_decay: inf is not a number of at least 0'),
    ('--max_steps=9223372036854775808', 'max_steps: 9223372036854775808 is not a whole number of at least 1'),
    ('--nms_top_k=3000000000', 'nms_top_k: 3000000000 is not a whole number from 1 to 1000000'),
    ('--data_threads=3000000000', 'data_threads: 3000000000 is not a whole number from 0 to 1024'),
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
    assert configs.load('ssd_demo', ['--format=json, image']).format == 'json, image'
    with pytest.raises(configs.UserError, match="'json,imag' is not one of image, video, json, xml, or several"):
        configs.load('ssd_demo', ['--format=json,imag'])


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


@pytest.mark.parametrize('script, module, key', [
    ('ssd_train', config_train, 'momentum'), ('ssd_test', config_test, 'batch_size'), ('ssd_demo', config_demo, 'output')])
def test_missing_key_in_a_module_is_refused(script, module, key, monkeypatch):
    monkeypatch.delattr(module, key)
    with pytest.raises(configs.UserError, match=f"{script}.py: '{key}' is set nowhere in configs/"):
        configs.load(script, [])


@pytest.mark.parametrize('source, message', [
    ('# Turn.\naugment_flip = true\n', "line 2: name 'true' is not defined"),
    ('batch_size = 32x\n', 'line 1: invalid decimal literal'),
])
def test_a_module_that_python_cannot_run_is_refused(source, message, tmp_path, monkeypatch):
    (tmp_path / 'config_broken.py').write_text(source)
    monkeypatch.setattr(configs, '__path__', [str(tmp_path)])
    with pytest.raises(configs.UserError, match=f'^configs/config_broken.py, {message}$'):
        configs._section('config_broken')


def test_a_module_without_docstring_has_no_heading(tmp_path, monkeypatch):
    (tmp_path / 'config_bare.py').write_text('batch_size = 3\n')
    monkeypatch.setattr(configs, '__path__', [str(tmp_path)])
    section = configs._section('config_bare')
    assert (section.heading, section.values) == ('', {'batch_size': 3})


def test_no_tensorflow_is_imported():
    code = ('import sys, configs, evaluation.voc, nets.anchors, nets.matching; configs.load("ssd_train", []); '
            'sys.exit("tensorflow" in sys.modules)')
    assert subprocess.run([sys.executable, '-c', code], check=False).returncode == 0
