"""What the commands of this folder share: lists behind commas, and measuring in a process of its own."""
import argparse
import subprocess
import sys
from collections.abc import Callable, Sequence

from utils.errors import UserError, nearest


def add_list(parser: argparse.ArgumentParser, option: str, what: str, known: Sequence[str], default: Sequence[str] = ()) -> None:
    """Adds an option that takes one or several known words. what: as for `some_of`.  default: of them, () for all."""
    parser.add_argument(option, default=','.join(default or known), type=some_of(what, known), help='Comma-separated.')


def some_of(what: str, known: Sequence[str]) -> Callable[[str], list[str]]:
    """For argparse's `type`: comma-separated words, all of them known. what: one such word is, e.g. 'backbone'.

    The function raises UserError for a word that is not known, and where there is none.
    """
    def words(text: str) -> list[str]:
        found = [word.strip() for word in text.split(',') if word.strip()]
        for word in found:
            if word not in known:
                raise UserError(f"unknown {what} '{word}'{nearest(word, known)}; known: {', '.join(known)}")
        if not found:
            raise UserError(f'no {what} is named; known: {", ".join(known)}')
        return found

    return words


def last_line(module: str, *arguments: str) -> str:
    """Runs a module, such as one of this folder, in a process of its own -> the last line that it prints, its result.

    UserError where it fails; why stands on stderr then, which is not held back.
    """
    done = subprocess.run([sys.executable, '-m', module, *arguments], stdout=subprocess.PIPE, text=True)
    if done.returncode or not done.stdout.strip():
        raise UserError(f'{" ".join([module, *arguments])} failed, exit code {done.returncode}')
    return done.stdout.splitlines()[-1]
