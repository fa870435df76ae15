"""What the benchmarks' command lines share."""
import argparse

import pytest

from benchmarks import commands
from utils.errors import UserError


def test_lists_behind_commas():
    words = commands.some_of('fruit', ('apple', 'pear'))
    assert words('pear') == ['pear'] and words(' pear, apple,') == ['pear', 'apple']
    message = "^unknown fruit 'aple'; nearest: apple; known: apple, pear$"
    with pytest.raises(UserError, match=message):
        words('pear,aple')
    for text in ('', ' ,'):
        with pytest.raises(UserError, match='^no fruit is named; known: apple, pear$'):
            words(text)


def test_option_of_a_list():
    parser = argparse.ArgumentParser()
    commands.add_list(parser, '--fruits', 'fruit', ('apple', 'pear'))
    commands.add_list(parser, '--first', 'fruit', ('apple', 'pear'), default=('pear',))
    assert vars(parser.parse_args([])) == {'fruits': ['apple', 'pear'], 'first': ['pear']}
    assert parser.parse_args(['--fruits=pear']).fruits == ['pear']


def test_last_line_of_a_process(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    script = tmp_path / 'script.py'
    script.write_text('import sys; print("first", sys.argv[1], sep="\\n")\n'
                      'sys.exit(len(sys.argv) - 2)')
    assert commands.last_line('script', 'found') == 'found'
    with pytest.raises(UserError, match='script found more failed, exit code 1$'):
        commands.last_line('script', 'found', 'more')
    script.write_text('')
    with pytest.raises(UserError, match='script failed, exit code 0$'):
        commands.last_line('script')
