"""--help of the scripts: every key with its comment, values and default, by module, as wide as the terminal."""
import pytest

import configs
from configs import comments
from configs.schema import RULES, Rule


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
        assert text.count(f'\n  --{key}=') == 1
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
        Number of the step after which training stops; an earlier stage's steps do not count.
        A whole number of at least 1. Default: 120000
""", """
  --schedule=steps|cosine
        'steps': divided by 10 at 2/3 and 5/6 of max_steps (80k and 100k of 120k, ssd_pascal.py).
        'cosine': half a cosine to 0.
        Default: steps
""", """
  --momentum=NUMBER
        Momentum of SGD.
        A number from 0 to 1. Default: 0.9
""", """
  --xla=True|False
        TensorFlow compiles the network by XLA: for GPUs; without one it has no effect.
        Default: False
""", """
          finetune_new_ssd_step2: all layers learn, from step 1's result
""", """
          ssd_vgg_512: 512 x 512
"""):
        assert entry in text
    assert all(f'\n          {name}' in text for name in RULES['backbone_network'].choices)


def test_description_keeps_its_commands(monkeypatch, capsys):
    command = 'python3 ssd_demo.py ' + 'long ' * 20
    text = _help('ssd_demo', monkeypatch, capsys, positional='image',
                 description=f'Two lines\nof a text.\n\n    {command}\n    second\n')
    usage = 'usage: python3 ssd_demo.py [--key=value ...] [image]'
    assert text.startswith(f'{usage}\n\nTwo lines of a text.\n\n    {command}\n    second\n')


def test_comments_of_keys_and_values():
    source = "# First part\n# and second.\na = 1\n\n# Of two.\nb = 'x'  # the one\n# b = 'y'   # the other\n# b = 'z'\n\nc = 3\n"
    assert comments.of_keys(source) == {'a': 'First part and second.', 'b': 'Of two.', 'c': ''}
    assert comments.of_values(source) == {'b': {'x': 'the one', 'y': 'the other', 'z': ''}}
    assert comments.of_keys('') == comments.of_values('') == {}


def test_percent_signs_are_doubled_for_argparse():
    rule = Rule(float, lambda value: True, 'a number')
    assert comments.entry(rule, 'Of 10 %.', {}, 1.5) == 'Of 10 %%.\nA number. Default: 1.5'
