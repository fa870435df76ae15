"""Command lines whose --help reads like a manual page, as wide as the terminal (or COLUMNS)."""
import argparse
import re
import textwrap
from typing import Any, NoReturn

from utils.errors import UserError


def words(text: str) -> list[str]:
    r"""Splits comma-separated words; empty ones do not count, and \, is a comma within one."""
    found = (word.replace('\\,', ',').strip() for word in re.split(r'(?<!\\),', text))
    return [word for word in found if word]


class Formatter(argparse.HelpFormatter):
    """Each option on a line of its own as --key=VALUE, its help below, its default last."""

    def __init__(self, prog: str, **options: int | None):
        super().__init__(prog, **(options | {'max_help_position': 8}))

    def _fill_text(self, text, width, indent):
        blocks = re.split(r'\n\s*\n', text.strip('\n'))
        return '\n\n'.join(_block(block, width, indent) for block in blocks)

    def _split_lines(self, text, width):
        return [part for line in text.splitlines() for part in _wrapped(line, width)]

    def _format_action(self, action):
        return super()._format_action(action) + '\n'

    def _format_action_invocation(self, action):
        if not action.option_strings or action.nargs == 0:
            return super()._format_action_invocation(action)
        value = self._format_args(action, self._get_default_metavar_for_optional(action))
        return f'{", ".join(action.option_strings)}={value}'

    def _get_help_string(self, action):
        text = action.help or ''
        if action.nargs == 0 or action.default in (None, argparse.SUPPRESS, ''):
            return text
        return text + '\nDefault: %(default)s'


def _block(text, width, indent):
    """A paragraph wrapped, or commands as they stand."""
    if text.startswith(' '):
        return textwrap.indent(textwrap.dedent(text), indent + '    ')
    return textwrap.fill(' '.join(text.split()), width, initial_indent=indent,
                         subsequent_indent=indent, break_on_hyphens=False)


def _wrapped(line, width):
    """One line of help as several: indented as the first, and by two more if that is indented."""
    indent = line[:len(line) - len(line.lstrip())]
    return textwrap.wrap(line, width, subsequent_indent=indent + ('  ' if indent else ''),
                         break_on_hyphens=False, break_long_words=False)


class Parser(argparse.ArgumentParser):
    """argparse with this Formatter, which raises UserError instead of ending the process."""

    def __init__(self, **options: Any):
        super().__init__(formatter_class=Formatter, **options)

    def error(self, message: str) -> NoReturn:
        raise UserError(f'{message} (--help lists the options)')


def parser(prog: str, description: str) -> Parser:
    """Returns a parser for a tool.

    Args:
        prog: what a user types.
        description: a module's docstring; its indented blocks, such as commands, stay as they are.
    """
    return Parser(prog=prog, description=description)
