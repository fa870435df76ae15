"""Configuration: plain Python modules of `key = value`, any of which `--key=value` overrides on the command line.

`load` checks every key and value before any work starts. No TensorFlow is imported here.
"""
import argparse
import dataclasses
import importlib
import inspect
import re
import sys
import traceback
import types
from collections.abc import Sequence

from configs import comments
from configs.schema import MODULES, RULES, Value
from utils.command_line import Formatter
from utils.errors import UserError, nearest

# Script -> the config modules it reads, in this order; a later module's value wins.
SCRIPTS = {
    'ssd_image_to_tf': ('config_general', 'config_common'),
    'ssd_box_fit': ('config_general',),
    'ssd_train': ('config_general', 'config_common', 'config_train'),
    'ssd_test': ('config_general', 'config_common', 'config_test'),
    'ssd_demo': ('config_general', 'config_common', 'config_demo'),
    'ssd_export': ('config_general', 'config_common', 'config_export'),
}
_EPILOG = ('Defaults stand in configs/: edit them there, or give --key=value. Exit code: 0 when done, 2 for a mistake, which one '
           'line names, 130 when interrupted.')


@dataclasses.dataclass(frozen=True)
class Section:
    """Keys that are set in one place. comments: key -> text.  notes: key -> {value: text}, where values are listed.

    title, heading: what --help writes above them.
    """
    title: str
    heading: str
    values: dict[str, Value]
    comments: dict[str, str]
    notes: dict[str, dict[str, str]] = dataclasses.field(default_factory=dict)


# Keys that a script has beside those of its modules.
_EXTRA = {
    'ssd_image_to_tf': [Section(
        'ssd_image_to_tf.py', 'What this script has beside them.', {'output': ''},
        {'output': 'Folder that receives the records. Empty: tfrecords_train/ for train and trainval, tfrecords_test/ for val '
                   'and test.'})],
    'ssd_box_fit': [Section(
        'ssd_box_fit.py', 'What this script has beside them.', {'train_records': 'tfrecords_train', 'output': 'box_fit.png'},
        {'train_records': 'Folder of records, written by ssd_image_to_tf.py.',
         'output': 'Picture of objects and default boxes, PNG.'})],
}


class Config(types.SimpleNamespace):
    """The values of one run. Keys cannot be added or changed, so that a misspelt one fails at once."""

    def __setattr__(self, key, value):
        raise AttributeError(f'configuration is read-only; {key} cannot be set')

    def __str__(self):
        return '\n'.join(f'{key} = {value!r}' for key, value in vars(self).items())


def load(script: str, argv: Sequence[str] | None = None, positional: str = '', description: str = '') -> Config:
    """Reads the config modules of `script`, applies `argv` (default: the command line), checks all.

    Args:
        script: a key of SCRIPTS.
        positional: key that may also be given as a bare argument, e.g. 'image'.
        description: shown by --help.

    Raises:
        UserError: an unknown or missing key, a wrong type, a value outside its range, or a module that is no Python; names the
            key, and the nearest known ones, or the module and its line.
    """
    sections = _sections(script)
    values = {key: value for section in sections for key, value in section.values.items()}
    given = _command_line(sys.argv[1:] if argv is None else argv, script, sections, values, positional, description)
    for key, text in given.items():
        values[key] = _parse(key, text)
    for key, value in values.items():
        _check(key, value)
    return Config(**values)


def detection_settings(config: Config) -> dict[str, Value]:
    """The values that shape detections, as reports and logs of evaluations note them."""
    return {key: getattr(config, key) for key in ('precision', 'score_threshold', 'nms_threshold', 'nms_top_k', 'keep_top_k')}


def _sections(script) -> list[Section]:
    """The script's keys by config module, in the order in which a later one wins."""
    sections = [_section(name) for name in SCRIPTS[script]] + _EXTRA.get(script, [])
    found = {key for section in sections for key in section.values}
    for key in _needed(script):
        if key not in found:
            raise UserError(f"{script}.py: '{key}' is set nowhere in configs/; uncomment or restore it")
    return sections


def _section(name) -> Section:
    """One config module; UserError for a key that is unknown or set twice."""
    module = _module(name)
    values = {key: value for key, value in vars(module).items() if not key.startswith('_') and not inspect.ismodule(value)}
    for key in values:
        if key not in RULES:
            raise UserError(f"configs/{name}.py: unknown key '{key}'{nearest(key, RULES)}")
    source = inspect.getsource(module)
    _refuse_double(source, name)
    heading = (inspect.getdoc(module) or '').split('\n\n')[0]
    return Section(f'configs/{name}.py', heading, values, comments.of_keys(source), comments.of_values(source))


def _module(name) -> types.ModuleType:
    """Runs a config module; UserError where Python cannot, as with `augment_flip = true`."""
    try:
        return importlib.import_module(f'configs.{name}')
    except SyntaxError as error:
        line, reason = error.lineno, error.msg
    except Exception as error:
        line, reason = traceback.extract_tb(error.__traceback__)[-1].lineno, error
    raise UserError(f'configs/{name}.py, line {line}: {reason}')


def _needed(script):
    """Keys that the script reads."""
    return [key for module in SCRIPTS[script] for key in MODULES[module]]


def _refuse_double(source: str, name: str):
    """Two lines that set the same key: somebody uncommented one backbone and forgot the other."""
    lines = {}
    for number, line in enumerate(source.splitlines(), start=1):
        if match := re.match(r'(\w+) *= ', line):
            lines.setdefault(match[1], []).append(number)
    for key, numbers in lines.items():
        if len(numbers) > 1:
            raise UserError(f'configs/{name}.py: {key} is set in lines {" and ".join(map(str, numbers))}; keep one')


def _command_line(argv, script, sections, values, positional, description):
    """-> {key: text} of what stands on the command line."""
    parser = _Parser(prog=script + '.py', description=description, allow_abbrev=False, formatter_class=Formatter,
                     argument_default=argparse.SUPPRESS, epilog=_EPILOG,
                     usage=f'python3 {script}.py [--key=value ...]' + (f' [{positional}]' if positional else ''))
    last = {key: section for section in sections for key in section.values}
    for section in sections:
        group = parser.add_argument_group(section.title, section.heading)
        for key in (key for key in section.values if last[key] is section):
            text = comments.entry(RULES[key], section.comments.get(key, ''), section.notes.get(key, {}), values[key])
            group.add_argument(f'--{key}', metavar=comments.placeholder(RULES[key]), help=text)
    given, rest = parser.parse_known_args(list(argv))
    given = vars(given)
    for word in rest:
        if word.startswith('-') or not positional or positional in given:
            raise UserError(_unknown(word, values))
        given[positional] = word
    return given


class _Parser(argparse.ArgumentParser):
    """argparse, raising UserError instead of printing its own usage text."""

    def error(self, message):
        raise UserError(f'{message} (--help lists the keys)')


def _unknown(word, known):
    if not word.startswith('--'):
        return f"unexpected argument '{word}'; write --key=value, and patterns in quotes (--help lists the keys)"
    key = word[2:].split('=')[0]
    return f"unknown key '{key}'{nearest(key, known)} (--help lists them)"


def _parse(key, text):
    """Text of the command line -> a value of the key's type."""
    rule = RULES[key]
    try:
        if rule.type is bool:
            return {'true': True, '1': True, 'yes': True, 'false': False, '0': False, 'no': False}[text.lower()]
        return rule.type(text)
    except (ValueError, KeyError):
        raise UserError(f"{key}: '{text}' is not {rule.what}") from None


def _check(key, value):
    rule = RULES[key]
    right_type = isinstance(value, (int, float) if rule.type is float else rule.type)
    if isinstance(value, bool) and rule.type is not bool:
        right_type = False
    if not right_type or not rule.allows(value):
        near = nearest(value, [str(choice) for choice in rule.choices]) if isinstance(value, str) else ''
        raise UserError(f'{key}: {value!r} is not {rule.what}{near}')
