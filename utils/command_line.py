"""Command lines whose --help reads like a manual page, as wide as the terminal (or as the environment variable COLUMNS says)."""
import argparse
import re
import textwrap


def parser(prog: str, description: str) -> argparse.ArgumentParser:
    """prog: what a user types.  description: a module's docstring; its indented blocks, such as commands, stay as they are.

    A mistake on the command line ends the process with one line and exit code 2.
    """
    return _Parser(prog=prog, description=description, formatter_class=Formatter)


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        self.exit(2, f'error: {message} (--help lists the options)\n')


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
    return textwrap.fill(' '.join(text.split()), width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)


def _wrapped(line, width):
    """One line of help as several; the later ones are indented as the first, and by two more if that is indented."""
    indent = line[:len(line) - len(line.lstrip())]
    return textwrap.wrap(line, width, subsequent_indent=indent + ('  ' if indent else ''), break_on_hyphens=False,
                         break_long_words=False)
