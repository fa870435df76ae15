"""What the comments of a configuration module say of its keys, as --help shows it."""
import re

from configs.schema import Rule, Value

_ASSIGNMENT = r'(\w+) *= '
# `key = 'value'  # note`, or the same commented out: one of several values to choose from.
_CHOICE = re.compile(r"(?:# )?(\w+) = '([^']+)'\s*(?:#\s*(.*))?$")
_METAVARS = {bool: 'True|False', int: 'NUMBER', float: 'NUMBER', str: 'TEXT'}
_SHORT = 50  # characters of choices that stand beside the key


def of_keys(source: str) -> dict[str, str]:
    """{key: the comment block above its assignment}. A commented-out alternative is no comment."""
    comments, block = {}, []
    for line in source.splitlines():
        if match := re.match(_ASSIGNMENT, line):
            comments.setdefault(match[1], ' '.join(block))
        elif re.match(r'# +(?!\w+ = )', line):
            block.append(line.lstrip('# '))
        elif not line.strip():
            block = []
    return comments


def of_values(source: str) -> dict[str, dict[str, str]]:
    """{key: {value: the note behind it}} of the keys that list their values, all but one commented out."""
    notes = {}
    for line in source.splitlines():
        if match := _CHOICE.match(line):
            notes.setdefault(match[1], {})[match[2]] = match[3] or ''
    return {key: values for key, values in notes.items() if len(values) > 1}


def placeholder(rule: Rule) -> str:
    """What stands for a value behind `--key=`: its choices where they are short, else its kind."""
    choices = '|'.join(map(str, rule.choices))
    return choices if 0 < len(choices) <= _SHORT else _METAVARS[rule.type]


def entry(rule: Rule, comment: str, notes: dict[str, str], default: Value) -> str:
    """Help of one key: its comment, its values or range, its default; for argparse, which wants percent signs doubled."""
    comment = comment.removesuffix(' 0..1')  # which the range below says again
    lines = [comment, *_values(rule, notes), f'{_range(rule)}Default: {"empty" if default == "" else default}']
    return '\n'.join(lines).replace('%', '%%')


def _values(rule, notes):
    """One line per value, for keys whose values have notes or are too long to stand beside the key."""
    if not notes and placeholder(rule) == '|'.join(map(str, rule.choices)):
        return []
    return [f'  {value}: {notes[value]}' if notes.get(value) else f'  {value}' for value in rule.choices]


def _range(rule):
    """The allowed numbers as a sentence."""
    return '' if rule.choices or rule.type in (str, bool) else rule.what[0].upper() + rule.what[1:] + '. '
