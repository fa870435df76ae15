"""Configuration: plain Python modules of `key = value`, which `--key=value` overrides.

`load` checks every key and value before any work starts. No TensorFlow is imported here.
"""
import dataclasses
import sys
import types
from argparse import SUPPRESS
from collections.abc import Sequence

import rooms  # noqa: F401
from configs import idle, recipe
from configs.aliases import ALIASES
from configs.keys import Key, Value, read
from utils.command_line import Parser
from utils.errors import UserError, nearest
from utils.report import version

# Script -> the config modules that it reads, in this order; a later module's value wins.
SCRIPTS = {
    'ssd_image_to_tf': ('config_convert',),
    'ssd_box_fit': ('config_general', 'config_box_fit'),
    'ssd_train': ('config_general', 'config_common', 'config_train'),
    'ssd_test': ('config_general', 'config_common', 'config_test'),
    'ssd_demo': ('config_general', 'config_common', 'config_demo'),
    'ssd_export': ('config_general', 'config_common', 'config_export'),
}
# Key -> the only scripts that use it; others that read its module accept it, but do not list it.
USED_BY = {'training_mode': ('ssd_train', 'ssd_box_fit')}
_EPILOG = ('Defaults stand in configs/: edit them there, or give --key=value. Exit code: 0 for '
           'success, 2 for a mistake, which one line explains, 130 for an interruption.')


class Config(types.SimpleNamespace):
    """The values of one run. Keys cannot be added or changed; a missing one is a UserError."""

    def __setattr__(self, key, value):
        raise AttributeError(f'configuration is read-only; {key} cannot be set')

    def __getattr__(self, key):
        if key.startswith('__'):
            raise AttributeError(key)
        raise UserError(f"'{key}' is set nowhere in configs/{nearest(key, vars(self))}; restore it")


def load(script: str, argv: Sequence[str] | None = None, positional: str = '',
         description: str = '') -> Config:
    """Reads the config modules of a script, applies the command line, checks all values.

    Args:
        script: a key of SCRIPTS.
        argv: arguments; None: those of the process.
        positional: key that may also be given as a bare argument, such as 'image'.
        description: text above the keys in --help.

    Raises:
        UserError: unknown key, wrong type or range, or a config module that cannot be read.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    changed = _recipe(words, script)
    modules = {name: _with(read(name), changed) for name in SCRIPTS[script]}
    keys = {name: key for _, found in modules.values() for name, key in found.items()}
    parser = Parser(
        description=description, epilog=_EPILOG, allow_abbrev=False, argument_default=SUPPRESS,
        usage=f'python3 {script}.py [--key=value ...]' + (f' [{positional}]' if positional else ''))
    for module, (heading, found) in modules.items():
        group = parser.add_argument_group(f'configs/{module}.py', heading)
        for name in (name for name, key in found.items() if keys[name] is key):
            hidden = {} if script in USED_BY.get(name, (script,)) else {'help': SUPPRESS}
            group.add_argument(f'--{name}', **(keys[name].entry() | hidden))
    parser.add_argument('--recipe', metavar='NAME', help=recipe.HELP.format(
        names=', '.join(recipe.names())))
    words = [_resolved(word, {**keys, 'recipe': None}) for word in words]
    parser.add_argument('--version', action='version',
                        version=version() if '--version' in words else '')
    namespace, rest = parser.parse_known_args(words)
    given = vars(namespace)
    named = given.pop('recipe', '')
    for word in rest:
        if word.startswith('--'):
            word = word[2:].split('=')[0]
            raise UserError(f"unknown key '{word}'{nearest(word, keys)} (--help lists them)")
        if word.startswith('-') or not positional or positional in given:
            raise UserError(f"unexpected argument '{word}'; write --key=value, and patterns in "
                            'quotes (--help lists the keys)')
        given[positional] = word
    given = {name: keys[name].checked(keys[name].parse(text)) for name, text in given.items()}
    values = {name: given[name] if name in given else key.checked(key.value)
              for name, key in keys.items()}
    # A settings.json has all keys, and starts again what ran before.
    of_recipe = {} if named.endswith('.json') else {
        name: keys[name].checked(keys[name].value) for name in changed if name in keys}
    idle.refuse(script, of_recipe, given, values, _defaults(script))
    return Config(**values)


def _defaults(script):
    return {name: key.checked(key.value)
            for module in SCRIPTS[script] for name, key in read(module)[1].items()}


def _recipe(words, script):
    """What the recipe that the command line names sets for a script: {key: value}."""
    parser = Parser(add_help=False, allow_abbrev=False)
    parser.add_argument('--recipe')
    name = parser.parse_known_args(words)[0].recipe
    if name is None:
        return {}
    modules = {module for found in SCRIPTS.values() for module in found}
    known = {name for module in modules for name in read(module)[1]}
    return recipe.values(name, script, known)


def _with(module: tuple[str, dict[str, Key]], changed: dict[str, Value]):
    """A config module (heading, keys) whose keys have the values of a recipe."""
    heading, keys = module
    keys = {name: dataclasses.replace(key, value=changed.get(name, key.value))
            for name, key in keys.items()}
    for name in keys.keys() & changed.keys():
        try:
            keys[name].checked(changed[name])
        except UserError as error:
            raise UserError(f'recipe: {error}') from None
    return heading, keys


def detection_settings(config: Config) -> dict[str, Value]:
    """Returns the values that affect detections, for reports and logs of evaluations.

    The precision 'auto' is float32: detections and AP are then the same on every device.
    """
    found = {name: getattr(config, name) for name in (
        'precision', 'score_threshold', 'nms_threshold', 'nms_top_k', 'keep_top_k')}
    return found | ({'precision': 'float32'} if config.precision == 'auto' else {})


def comparable_settings(config: Config, script: str) -> dict[str, Value]:
    """Returns the numbers, switches and words of a list, by which runs can be compared."""
    keys = {name: key for module in SCRIPTS[script] for name, key in read(module)[1].items()}
    return {name: value for name, value in vars(config).items()
            if not isinstance(value, str) or keys[name].choices}


def _resolved(word, keys):
    """Replaces dashes in a key, and a word of other tools, such as in --batch-size or --lr=0.1."""
    if not word.startswith('--'):
        return word
    name, *value = word[2:].split('=', maxsplit=1)
    name = name.replace('-', '_')
    meant = name if name in keys else ALIASES.get(name, name)
    if ' ' in meant:
        raise UserError(f'--{name}: {meant}')
    return '='.join([f'--{meant if meant in keys else name}', *value])
