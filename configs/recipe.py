"""Recipes: files of `key = value` with what differs from the defaults, which `--recipe` names.

A recipe is a module in configs/recipes/, another Python file of that form, or the settings.json of
a training. Its values take the place of the defaults; the command line wins over both. Keys that
mean the training are for it alone: other scripts use the checkpoint that the training writes.
"""
import ast
import json
import pathlib
import runpy
import traceback
from collections.abc import Collection

from configs.keys import Value
from utils.errors import UserError, nearest

_TRAINING = 'ssd_train'
_OF_TRAINING = ('output', 'batch_size', 'checkpoint', 'precision')
_FOLDER = pathlib.Path(__file__).parent / 'recipes'
HELP = ('A recipe: a name ({names}) or a file, also the settings.json of a training. Its values '
        'take the place of the defaults.')


def names() -> list[str]:
    """Names of the recipes in configs/recipes/, sorted."""
    return sorted(path.stem for path in _FOLDER.glob('[a-z]*.py'))


def values(recipe: str, script: str, known: Collection[str]) -> dict[str, Value]:
    """What a recipe sets for a script.

    Args:
        recipe: name or file.
        script: such as 'ssd_train'.
        known: all keys that some script has.

    Raises:
        UserError: there is no such recipe, it cannot be read, or it sets another key.
    """
    path = _FOLDER / f'{recipe}.py' if recipe in names() else pathlib.Path(recipe).expanduser()
    if not path.is_file():
        raise UserError(f"recipe '{recipe}' is neither a file nor one of "
                        f'{", ".join(names())}{nearest(recipe, names())}')
    try:
        found = _of_json(path) if path.suffix == '.json' else _of_python(path)
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        line = getattr(error, 'lineno', last.lineno)
        where = path if path.suffix == '.json' else f'{path}, line {line}'
        raise UserError(f'recipe {where}: {getattr(error, "msg", error)}') from None
    for key in found:
        if key not in known:
            raise UserError(f"recipe {path}: unknown key '{key}'{nearest(key, known)}")
    if script == _TRAINING:
        return found
    others = {key: value for key, value in found.items() if key not in _OF_TRAINING}
    return others | ({'checkpoint': found['output']} if found.get('output') else {})


def _of_python(path):
    done = runpy.run_path(str(path))
    lines = ast.parse(path.read_text(encoding='utf-8')).body
    names = [target.id for line in lines if isinstance(line, (ast.Assign, ast.AnnAssign))
             for target in getattr(line, 'targets', [getattr(line, 'target', None)])
             if isinstance(target, ast.Name)]
    return {name: done[name] for name in names if not name.startswith('_')}


def _of_json(path):
    content = json.loads(path.read_text(encoding='utf-8'))
    if not isinstance(content, dict) or not isinstance(content.get('settings'), dict):
        raise ValueError('no settings in it, such as those of a training')
    return content['settings']
