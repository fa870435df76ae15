"""Public functions and classes have a docstring; they and public methods have type hints."""
import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
FOLDERS = (
    'utils',
    'configs',
    'datasets',
    'preprocessing',
    'nets',
    'checkpoints',
    'training',
    'detection',
    'export',
    'evaluation',
    'benchmarks',
    'docs',
)
MODULES = sorted(
    [*ROOT.glob('*.py'), *(path for folder in FOLDERS for path in (ROOT / folder).rglob('*.py'))]
)


def missing(source: str) -> list[str]:
    """What the public names of a module lack, as 'name: what'."""
    tree = ast.parse(source)
    found = [] if ast.get_docstring(tree) else ['module: docstring']
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            found += _function(node, node.name)
        elif isinstance(node, ast.ClassDef) and not node.name.startswith('_'):
            found += [] if ast.get_docstring(node) else [f'{node.name}: docstring']
            for method in (part for part in node.body if isinstance(part, ast.FunctionDef)):
                found += _function(method, f'{node.name}.{method.name}', node)
    return found


def _function(node, name, owner=None):
    special = node.name in ('__init__', '__call__')
    if node.name.startswith('_') and not special:
        return []
    static = any(
        isinstance(mark, ast.Name) and mark.id == 'staticmethod' for mark in node.decorator_list
    )
    own = node.args.posonlyargs + node.args.args
    arguments = own[1 if owner and not static else 0:] + node.args.kwonlyargs
    arguments += [extra for extra in (node.args.vararg, node.args.kwarg) if extra]
    found = [
        f'{name}: hint of {argument.arg}' for argument in arguments if argument.annotation is None
    ]
    if node.returns is None and node.name != '__init__':
        found.append(f'{name}: hint of the result')
    # The module's docstring describes main.
    if not (owner or node.name == 'main' or ast.get_docstring(node)):
        found.append(f'{name}: docstring')
    return found


@pytest.mark.parametrize('path', MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_public_names_are_described(path):
    assert missing(path.read_text(encoding='utf-8')) == []


def test_what_is_missing_is_found():
    assert missing('def scale(image, factor: float):\n    return image * factor\n') == [
        'module: docstring',
        'scale: hint of image',
        'scale: hint of the result',
        'scale: docstring',
    ]
    assert missing(
        '"""Boxes."""\nclass Box:\n    def area(self, *units) -> float:\n        pass\n'
    ) == ['Box: docstring', 'Box.area: hint of units']
    assert missing('"""Boxes."""\ndef _own(a, b): pass\n\nclass _Own: pass\n') == []
