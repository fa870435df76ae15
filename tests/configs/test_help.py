"""--help of the scripts: every key with its comment, values and default, by module."""
import pathlib
import re

import pytest

import configs
from configs import keys
from nets import backbones


def _help(script, monkeypatch, capsys, columns=100, **options):
    monkeypatch.setenv('COLUMNS', str(columns))
    with pytest.raises(SystemExit) as stop:
        configs.load(script, ['--help'], **options)
    assert stop.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize('script', configs.SCRIPTS)
def test_every_key_stands_once_under_its_module(script, monkeypatch, capsys):
    text = _help(script, monkeypatch, capsys)
    for key in vars(configs.load(script, [])):
        assert text.count(f'\n  --{key}=') == (script in configs.USED_BY.get(key, (script,)))
    places = [text.index(f'\nconfigs/{name}.py:\n') for name in configs.SCRIPTS[script]]
    assert places == sorted(places)


@pytest.mark.parametrize('columns', [50, 80, 160])
def test_lines_are_as_wide_as_the_terminal(columns, monkeypatch, capsys):
    lines = _help('ssd_train', monkeypatch, capsys, columns).splitlines()
    assert columns - 20 < max(map(len, lines)) <= columns


def test_entries_of_the_kinds_of_keys(monkeypatch, capsys):
    text = _help('ssd_train', monkeypatch, capsys)
    for entry in ("""
  --max_steps=NUMBER
        Training stops after this step; steps of an earlier stage do not count.
        A whole number of at least 1. Default: 2000
""", """
  --schedule=WORD
        Schedule of the learning rate.
          steps: divided by 10 at learning_rate_drops
          cosine: half a cosine to 0
        Default: cosine
""", """
  --momentum=NUMBER
        Momentum of SGD.
        A number from 0 to 1. Default: 0.9
""", """
  --xla=True|False
        XLA compiles the training step: for one GPU; no effect on CPUs.
        Default: False
""", """
  --output=PATH
        Folder for checkpoints and TensorBoard logs. Empty: checkpoints/ssd_<backbone>/.
        Default: empty
""", """
          finetune_new_ssd_step2: all layers learn, from the result of step 1
""", """
          ssd_vgg_512: 512 x 512 pixels
"""):
        assert entry in text
    assert all(f'\n          ssd_{name}' in text for name in backbones.names())


def test_description_keeps_its_commands(monkeypatch, capsys):
    command = 'python3 ssd_demo.py ' + 'long ' * 20
    text = _help('ssd_demo', monkeypatch, capsys, positional='image',
                 description=f'Two lines\nof a text.\n\n    {command}\n    second\n')
    usage = 'usage: python3 ssd_demo.py [--key=value ...] [image]'
    assert text.startswith(f'{usage}\n\nTwo lines of a text.\n\n    {command}\n    second\n')


def test_comments_of_keys_and_of_words():
    source = ('# First part\n# and second.\na = 1\n\n# Of two.\n#   x: the one\n#   y\nb = "x"\n'
              '# b = "y"\n\nc = 3\n')
    assert keys._comments(source, 'file') == {
        'a': ('First part and second.', {}), 'b': ('Of two.', {'x': 'the one', 'y': ''}),
        'c': ('', {})}
    assert keys._comments('', 'file') == {}


def test_percent_signs_are_doubled_for_argparse():
    entry = keys._key('key', 1.5, 'Of 10 %. [number > 0]', {}).entry()
    assert entry == {'metavar': 'NUMBER', 'help': 'Of 10 %%.\nA number above 0. Default: 1.5'}


@pytest.mark.parametrize('script', configs.SCRIPTS)
def test_only_keys_that_the_script_reads_are_listed(script):
    source = (pathlib.Path(__file__).resolve().parents[2] / f'{script}.py').read_text(
        encoding='utf-8'
    )
    read = set(re.findall(r'(?<!\.)\bconfig\.(\w+)', source))
    listed = {key for key in vars(configs.load(script, []))
              if script in configs.USED_BY.get(key, (script,))}
    assert read <= listed
    # The settings of detections may also be read together.
    together = set(configs.detection_settings(configs.load('ssd_test', [])))
    assert listed - read <= together
