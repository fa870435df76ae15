"""Configuration: defaults, overrides, and one clear line for every mistake."""
import subprocess
import sys

import pytest

import configs
from configs import config_convert, config_demo, config_test, config_train, keys
from nets import backbones
from nets.spec import BOX_SETS_300, PRECISIONS, RESNET_DEPTHS
from utils import choices


def test_defaults_and_overrides():
    config = configs.load(
        'ssd_train', ['--batch_size=8', '--learning_rate=0.01', '--augment_flip=false']
    )
    assert (config.batch_size, config.learning_rate, config.augment_flip) == (8, .01, False)
    assert config.momentum == config_train.momentum


def test_later_module_wins():
    assert configs.load('ssd_demo', []).batch_size == 1
    assert configs.load('ssd_test', []).batch_size == 32


MODULES = sorted({module for modules in configs.SCRIPTS.values() for module in modules})


@pytest.mark.parametrize('name', MODULES)
def test_every_default_is_valid_and_every_key_has_a_comment(name):
    found = keys.read(name)[1]
    assert found
    for key in found.values():
        key.checked(key.value)
        assert key.text.endswith('.') and key.text[0].isupper(), key.name


def test_a_key_has_the_same_rule_in_all_modules():
    rules = {}
    for name in MODULES:
        for key in keys.read(name)[1].values():
            # Text, path of a file, path of a folder; a number, or 'best' in the demo.
            if key.name not in ('output', 'score_threshold'):
                rules.setdefault(key.name, set()).add((key.kind, key.type, key.allowed))
    assert [name for name, kinds in rules.items() if len(kinds) > 1] == []


@pytest.mark.parametrize(
    'module, name, expected',
    [
        ('config_general', 'backbone_network', tuple(f'ssd_{name}' for name in backbones.names())),
        ('config_general', 'default_box_set', tuple(BOX_SETS_300)),
        ('config_general', 'resnet_depth', RESNET_DEPTHS),
        (
            'config_general',
            'training_mode',
            (choices.STEP1, choices.STEP2, choices.EXISTING, choices.SCRATCH),
        ),
        ('config_common', 'precision', ('auto', *PRECISIONS)),
        ('config_train', 'distribution', choices.DISTRIBUTIONS),
    ],
)
def test_choices_are_those_of_the_code(module, name, expected):
    key = keys.read(module)[1][name]
    assert key.choices == expected and set(key.notes) <= set(map(str, expected))


@pytest.mark.parametrize('rule, value, allowed, refused', [
    ('[integer 1..9]', 1, (9, 1), (0, 10, 1.0, True, '1')),
    ('[integer >= 0]', 1, (0, 2**63 - 1), (-1, 2**63)),
    ('[number 0..0.5]', .1, (0, .5, 0.0), (-.1, .51, float('nan'), False)),
    ('[number > 0]', .1, (1e-300, 1), (0, 0.0, float('inf'))),
    ('[number 0..1 | best]', 'best', ('best', 0, .5), ('bes', 2, True)),
    ('[True | False]', True, (True, False), (1, 0, 'True')),
    ('[50 | 101]', 50, (101,), (51, '50', True)),
    ('[a | b]', 'a', ('b',), ('', 'c', 'a,b')),
    ('[a, b]', 'a', ('b,a', ' a , b'), ('', 'c', 'a,,b', 'a,')),
    ('[a, b] Empty: none. [a, b]', 'a', ('',), (' ', ',')),
    ('', 'x', ('y', ' z '), ('', ' , ', 3)),
    ('Empty: none.', '', ('', 'x'), (' ', 1)),
    ('[wrong]', 3, (), (3, 'x'))])
def test_rules(rule, value, allowed, refused):
    key = keys._key('key', value, f'Comment. {rule}', {})
    for each in allowed:
        assert key.checked(each) == each
    for each in refused:
        with pytest.raises(configs.UserError, match='^key: .* is not '):
            key.checked(each)


def test_paths(monkeypatch):
    monkeypatch.setenv('HOME', '/home/me')
    config = configs.load('ssd_image_to_tf', [r'--voc=~/a\,b, c,', '--output=~/out', '--coco='])
    assert (
        config.voc == ('/home/me/a,b', 'c')
        and config.output == '/home/me/out'
        and config.coco == ()
    )
    monkeypatch.setattr(config_convert, 'voc', '~/x')
    assert configs.load('ssd_image_to_tf', []).voc == ('/home/me/x',)


def test_aliases():
    assert configs.load('ssd_demo', ['--threshold=.3']).score_threshold == .3
    assert configs.load('ssd_demo', ['--threshold', '.3']).score_threshold == .3
    assert configs.load('ssd_train', ['--lr', '0.5', '--batch-size=4']).batch_size == 4
    with pytest.raises(configs.UserError, match='^--resume: no key is needed: the same command'):
        configs.load('ssd_train', ['--resume'])
    with pytest.raises(configs.UserError, match="unknown key 'lr' "):
        configs.load('ssd_test', ['--lr=3'])


def test_every_alias_is_a_key_of_some_script_or_a_sentence():
    known = {key for modules in configs.SCRIPTS.values() for name in modules
             for key in keys.read(name)[1]}
    words = configs.ALIASES.items()
    assert [word for word, meant in words if ' ' not in meant and meant not in known] == []
    # A key of one script goes before the alias, which the other scripts have.
    assert known & set(configs.ALIASES) == {'images', 'model'}
    assert configs.load('ssd_demo', ['--model=a']).checkpoint == 'a'
    assert configs.load('ssd_test', ['--model=a']).model == 'a'
    assert configs.load('ssd_demo', ['--images=a']).image == 'a'
    assert configs.load('ssd_image_to_tf', ['--coco_images=a']).images == ('a',)


def test_version(capsys):
    with pytest.raises(SystemExit) as end:
        configs.load('ssd_train', ['--version'])
    assert end.value.code == 0 and ' tensorflow 2.' in ' '.join(capsys.readouterr().out.split())


def test_detections_are_in_float32_unless_another_precision_is_named():
    for given, expected in (((), 'float32'), (('--precision=auto',), 'float32'),
                            (('--precision=bfloat16',), 'bfloat16')):
        settings = configs.detection_settings(configs.load('ssd_test', given))
        assert settings == {'precision': expected, 'score_threshold': .01, 'nms_threshold': .45,
                            'nms_top_k': 400, 'keep_top_k': 200}


def test_settings_that_runs_are_compared_by():
    settings = configs.comparable_settings(configs.load('ssd_train', []), 'ssd_train')
    assert settings['schedule'] == 'cosine' and settings['seed'] == 1 and settings['xla'] is False
    assert not {'output', 'checkpoint', 'frozen_layers', 'train_records'} & set(settings)


@pytest.mark.parametrize(
    'argument, message',
    [
        ('--batch_siz=8', "unknown key 'batch_siz'; nearest: batch_size"),
        ('--batch_size=eight', "batch_size: 'eight' is not a whole number from 1 to 65536"),
        ('--batch_size=0', 'batch_size: 0 is not a whole number from 1 to 65536'),
        (
            '--backbone_network=ssd_resent_v1',
            "'ssd_resent_v1' is not one of ssd_vgg_300, .*; nearest: ssd_resnet_v1",
        ),
        ('--learning_rate=nan', 'learning_rate: nan is not a number above 0'),
        ('--train_records=,', "train_records: ',' is not text that is not empty"),
        ('--train_records= ', "train_records: ' ' is not text that is not empty"),
        ('--learning_rate=0', 'learning_rate: 0.0 is not a number above 0'),
        ('--weight_decay=inf', 'weight_decay: inf is not a number of at least 0'),
        (
            '--max_steps=9223372036854775808',
            'max_steps: 9223372036854775808 is not a whole number of at least 1',
        ),
        ('--nms_top_k=3000000000', 'nms_top_k: 3000000000 is not a whole number from 1 to 1000000'),
        (
            '--data_threads=3000000000',
            'data_threads: 3000000000 is not a whole number from 0 to 1024',
        ),
        ('--augment_flip=maybe', "augment_flip: 'maybe' is not True or False"),
        ('--max_steps', 'expected one argument'),
        ('picture.jpg', "unexpected argument 'picture.jpg'; write --key=value"),
    ],
)
def test_mistakes(argument, message):
    with pytest.raises(configs.UserError, match=message) as error:
        configs.load('ssd_train', [argument])
    assert '\n' not in str(error.value)


def test_positional_argument():
    assert (
        configs.load('ssd_demo', ['cat.jpg', '--threshold=.3'], positional='image').image
        == 'cat.jpg'
    )
    with pytest.raises(configs.UserError, match="unexpected argument 'dog.jpg'"):
        configs.load('ssd_demo', ['cat.jpg', 'dog.jpg'], positional='image')


def test_key_with_several_values():
    assert configs.load('ssd_demo', ['--format=json, image']).format == 'json, image'
    with pytest.raises(
        configs.UserError, match="'json,imag' is not one of image, video, json, xml, or several"
    ):
        configs.load('ssd_demo', ['--format=json,imag'])


def test_config_is_read_only():
    with pytest.raises(AttributeError, match='read-only'):
        configs.load('ssd_train', []).batch_size = 3


def test_two_uncommented_backbones_are_refused(monkeypatch):
    source = "backbone_network = 'ssd_vgg_300'\n# another\nbackbone_network = 'ssd_vgg_512'\n"
    with pytest.raises(
        configs.UserError,
        match='configs/config_general.py: backbone_network is set in lines 1 and 3; keep one',
    ):
        keys._comments(source, 'configs/config_general.py')


def test_misspelt_key_in_a_module_is_refused(monkeypatch):
    monkeypatch.setattr(config_train, 'learning_rte', '.1', raising=False)
    monkeypatch.delattr(config_train, 'learning_rate')
    with pytest.raises(
        configs.UserError, match="'learning_rate' is set nowhere in configs/; nearest: learning_rte"
    ):
        configs.load('ssd_train', []).learning_rate  # noqa: B018


@pytest.mark.parametrize(
    'script, module, key',
    [
        ('ssd_train', config_train, 'momentum'),
        ('ssd_test', config_test, 'batch_size'),
        ('ssd_demo', config_demo, 'output'),
    ],
)
def test_missing_key_in_a_module_is_refused(script, module, key, monkeypatch):
    monkeypatch.delattr(module, key)
    with pytest.raises(
        configs.UserError, match=f"'{key}' is set nowhere in configs/.*; restore it"
    ):
        getattr(configs.load(script, []), key)


@pytest.mark.parametrize('source, message', [
    ('# Turn.\naugment_flip = true\n', "line 2: name 'true' is not defined"),
    ('batch_size = 32x\n', 'line 1: invalid decimal literal'),
])
def test_a_module_that_python_cannot_run_is_refused(source, message, tmp_path, monkeypatch):
    (tmp_path / 'config_broken.py').write_text(source)
    monkeypatch.setattr(configs, '__path__', [str(tmp_path)])
    with pytest.raises(configs.UserError, match=f'^configs/config_broken.py, {message}$'):
        keys.read('config_broken')


def test_a_module_without_docstring_has_no_heading(tmp_path, monkeypatch):
    (tmp_path / 'config_bare.py').write_text('batch_size = 3\n')
    monkeypatch.setattr(configs, '__path__', [str(tmp_path)])
    heading, found = keys.read('config_bare')
    assert heading == '' and found['batch_size'].value == 3


def test_no_tensorflow_is_imported():
    code = (
        'import sys, configs, evaluation.voc, nets.anchors, nets.matching; '
        'configs.load("ssd_train", []); '
        'sys.exit("tensorflow" in sys.modules)'
    )
    assert subprocess.run([sys.executable, '-c', code], check=False).returncode == 0
