"""Shared by the command lines of this folder: options that take lists, work in processes."""
import argparse
import subprocess
import sys
from collections.abc import Callable, Sequence

from utils import command_line
from utils.errors import UserError, nearest


def add_list(parser: argparse.ArgumentParser, option: str, what: str, known: Sequence[str],
             default: Sequence[str] = ()) -> None:
    """Adds an option that takes one or several known words.

    Args:
        what: such a word in error messages, e.g. 'backbone'.
        known: all words.
        default: some of them; (): all.
    """
    parser.add_argument(option, default=','.join(default or known), type=some_of(what, known),
                        help='Comma-separated.')


def some_of(what: str, known: Sequence[str]) -> Callable[[str], list[str]]:
    """Parser of comma-separated words for argparse's `type`. Arguments: see add_list.

    The function that it returns raises UserError if a word is not known or there is none.
    """
    def words(text: str) -> list[str]:
        found = command_line.words(text)
        for word in found:
            if word not in known:
                raise UserError(f"unknown {what} '{word}'{nearest(word, known)}; "
                                f'known: {", ".join(known)}')
        if not found:
            raise UserError(f'no {what} is named; known: {", ".join(known)}')
        return found

    return words


def last_line(module: str, *arguments: str) -> str:
    """Runs a Python module in a process of its own and returns the last line that it prints.

    Its stderr is shown.

    Raises:
        UserError: the process fails or prints nothing.
    """
    done = subprocess.run([sys.executable, '-m', module, *arguments], stdout=subprocess.PIPE,
                          text=True)
    if done.returncode or not done.stdout.strip():
        raise UserError(f'{" ".join([module, *arguments])} failed, exit code {done.returncode}')
    return done.stdout.splitlines()[-1]
