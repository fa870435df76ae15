"""Configuration keys: value, help text and rule of each are read from the module that sets it.

    # Momentum of SGD. [number 0..1]
    momentum = 0.9

The comment is the help text. It may end in a rule for the value:

    [integer 1..65536] [number >= 0] [number > 0]  a number in this range
    [number 0..1 | best]                           a number in this range, or this word
    [True | False] [steps | cosine]                one of these values
    [image, video, json]                           one or several of these words, comma-separated
    [backbone] [box set]                           one of the names that `nets` defines
    [path]                                         ~ is the home folder
    [paths]                                        several, comma-separated; \\, is a comma in one

Without a rule, a value is any text; or one of the words that indented lines explain, such as
`#   cosine: half a cosine to 0`. Text may be empty if the comment says what `Empty: ` means.
"""
import dataclasses
import importlib
import inspect
import math
import os
import re
import traceback
from typing import Any, TypeAlias

from nets import backbones
from nets.spec import BOX_SETS_300, BOX_SETS_512
from utils.command_line import words
from utils.errors import UserError, nearest

Value: TypeAlias = Any  # bool, int, float, str, or a tuple of paths
_NAMES = {'backbone': tuple(f'ssd_{name}' for name in backbones.names()),
          'box set': tuple(BOX_SETS_300 | BOX_SETS_512)}
_RANGE = re.compile(r'(integer|number) (?:(>=?) )?([\d.]+?)(?:\.\.([\d.]+))?')
_LARGEST = {int: 2**63 - 1, float: 1e30}  # int64; float32 holds 3e38 and no infinity
_SWITCH = {'true': True, '1': True, 'yes': True, 'false': False, '0': False, 'no': False}


@dataclasses.dataclass(frozen=True)
class Key:
    """A key of a config module."""
    name: str
    value: Value
    text: str  # the comment without its rule
    kind: str  # 'range', 'one', 'some', 'text', 'path' or 'paths'
    type: type
    allowed: str  # the values in words
    choices: tuple[Value, ...] = ()
    limits: tuple[float, float] = (0, 0)  # of kind 'range'
    notes: dict[str, str] = dataclasses.field(default_factory=dict)  # choice -> its explanation

    def parse(self, text: str) -> Value:
        """Converts text of the command line to the type of the key."""
        if self.kind == 'range' and text in self.choices:
            return text
        try:
            return _SWITCH[text.lower()] if self.type is bool else self.type(text)
        except (ValueError, KeyError):
            raise self._refusal(text) from None

    def checked(self, value: Value) -> Value:
        """Returns the value as scripts use it; UserError for a wrong type or range."""
        if not self._allows(value):
            raise self._refusal(value)
        if self.kind == 'paths':
            return tuple(os.path.expanduser(word) for word in words(value))
        return os.path.expanduser(value) if self.kind == 'path' else value

    def _allows(self, value):
        if self.kind == 'range' and value in self.choices:
            return True
        if type(value) is not self.type and (self.type, type(value)) != (float, int):
            return False
        if self.kind == 'range':
            return self.limits[0] <= value <= self.limits[1]
        if self.kind == 'one':
            return value in self.choices
        if not value.strip(' ,'):
            return value == '' and 'Empty: ' in self.text
        return self.kind != 'some' or {word.strip() for word in value.split(',')} <= {*self.choices}

    def _refusal(self, value):
        near = nearest(value, map(str, self.choices)) if isinstance(value, str) else ''
        return UserError(f'{self.name}: {value!r} is not {self.allowed}{near}')

    def entry(self) -> dict[str, Any]:
        """Returns the help of the key as argparse takes it, with percent signs doubled."""
        kinds = {'range': 'NUMBER', 'one': 'WORD', 'path': 'PATH', 'paths': 'PATHS'}
        notes = [': '.join(filter(None, (f'  {choice}', self.notes.get(choice))))
                 for choice in self.choices if self.notes]
        default = f'Default: {"empty" if self.value == "" else self.value}'
        choices = '' if notes or self.kind == 'range' else '|'.join(map(str, self.choices))
        if self.kind == 'range':
            default = f'A{self.allowed[1:]}. {default}'
        return {'metavar': choices or kinds.get(self.kind, 'TEXT'),
                'help': '\n'.join([self.text, *notes, default]).replace('%', '%%')}


def read(name: str) -> tuple[str, dict[str, Key]]:
    """Returns the first paragraph of a config module's docstring, and its keys by name.

    UserError if it is no valid Python, or sets a key twice.
    """
    path = f'configs/{name}.py'
    try:
        module = importlib.import_module(f'configs.{name}')
    except Exception as error:
        line = getattr(error, 'lineno', traceback.extract_tb(error.__traceback__)[-1].lineno)
        raise UserError(f'{path}, line {line}: {getattr(error, "msg", error)}') from None
    comments = _comments(inspect.getsource(module), path)
    return (inspect.getdoc(module) or '').split('\n\n')[0], {
        key: _key(key, value, *comments.get(key, ('', {}))) for key, value in vars(module).items()
        if not key.startswith('_') and not inspect.ismodule(value)}


def _comments(source, path):
    """Returns {key: (comment above it, {word: note} of its indented lines)}."""
    found, lines, block, notes = {}, {}, [], {}
    for at, line in enumerate(source.splitlines(), start=1):
        if match := re.match(r'(\w+) *= ', line):
            key = match[1]
            if key in found:
                raise UserError(f'{path}: {key} is set in lines {lines[key]} and {at}; keep one')
            found[key], lines[key] = (' '.join(block), notes), at
        elif match := re.match(r'#   +(\w+)(?:: (.*))?$', line):
            notes[match[1]] = match[2] or ''
        elif line.startswith('#') and not re.match(r'# *\w+ = ', line):
            block.append(line.lstrip('# '))
        elif not line.strip():
            block, notes = [], {}
    return found


def _key(name, value, comment, notes):
    text, rule = re.fullmatch(r'(.*?)(?: *\[([^][]*)\])?', comment).groups()
    span, *others = (rule or '').split(' | ')
    if match := _RANGE.fullmatch(span):
        kind, sign, *ends = match.groups()
        of_type, whole = (int, 'whole ') if kind == 'integer' else (float, '')
        low, high = (of_type(end) if end else _LARGEST[of_type] for end in ends)
        words = {'>': 'above {}', '>=': 'of at least {}', None: 'from {} to {}'}[sign].format(*ends)
        return Key(name, value, text, 'range', of_type,
                   ' or '.join([f'a {whole}number {words}', *others]), tuple(others),
                   (math.nextafter(low, high) if sign == '>' else low, high))
    if rule in ('path', 'paths') or not (rule or notes):
        allowed = f'text{"" if "Empty: " in text else " that is not empty"}'
        return Key(name, value, text, rule or 'text', str, allowed)
    words = _NAMES.get(rule) or (re.split(r' \| |, ', rule) if rule else tuple(notes))
    choices = tuple(int(word) if word.isdecimal() else
                    {'True': True, 'False': False}.get(word, word) for word in words)
    several = ', ' in (rule or '')
    allowed = 'True or False' if choices == (True, False) else \
        f'one of {", ".join(words)}{", or several, comma-separated" * several}'
    return Key(name, value, text, 'some' if several else 'one', type(choices[0]), allowed, choices,
               notes=notes)
