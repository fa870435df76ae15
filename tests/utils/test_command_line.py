"""--help of the tools: defaults are shown, commands kept, lines as wide as the terminal."""
import pytest

from checkpoints import publish
from datasets import shapes
from evaluation import errors as error_kinds
from evaluation import voc as voc_eval
from evaluation import voc_files
from utils import command_line
from utils.errors import DataError, UserError


def test_page(monkeypatch):
    monkeypatch.setenv('COLUMNS', '40')
    parser = command_line.parser(
        'python3 -m tool',
        'Does one thing to a folder of many\npictures.\n\n    python3 -m tool --size=3\n',
    )
    parser.add_argument('folder', help='Folder of pictures.')
    parser.add_argument(
        '--size',
        type=int,
        default=3,
        metavar='NUMBER',
        help='Pictures per row of the sheet, from left.',
    )
    parser.add_argument('--name', help='Name.')
    parser.add_argument('--all', action='store_true', help='All of them.')
    usage, text = parser.format_help().split('\n\n', 1)
    assert usage.startswith('usage: python3 -m tool ')
    assert text == """\
Does one thing to a folder of many
pictures.

    python3 -m tool --size=3

positional arguments:
  folder
        Folder of pictures.

options:
  -h, --help
        show this help message and
        exit

  --size=NUMBER
        Pictures per row of the sheet,
        from left.
        Default: 3

  --name=NAME
        Name.

  --all
        All of them.
"""


@pytest.mark.parametrize('tool, described', [
    (shapes, shapes), (voc_files, voc_eval), (error_kinds, error_kinds), (publish, publish)])
def test_tools_explain_every_option(tool, described, monkeypatch, capsys):
    monkeypatch.setenv('COLUMNS', '200')
    with pytest.raises(SystemExit):
        tool.main(['--help'])
    text = capsys.readouterr().out
    assert described.__doc__.strip().splitlines()[0] in text
    entries = text.split('\n  --')[1:]
    assert entries and all('\n        ' in entry for entry in entries)


@pytest.mark.parametrize('arguments, message', [
    ([], 'the following arguments are required: --output'),
    (['--output=out', '--train=many'], "argument --train: invalid int value: 'many'"),
    (['--output=out', '--sead=1'], 'unrecognized arguments: --sead=1')])
def test_mistakes_are_one_line(arguments, message):
    with pytest.raises(UserError) as error:
        shapes.main(arguments)
    assert str(error.value) == f'{message} (--help lists the options)'


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / 'file').touch()
    with pytest.raises(DataError, match='file/out cannot be written: '):
        shapes.main([f'--output={tmp_path}/file/out', '--train=1', '--test=0'])


def test_words_between_commas():
    assert command_line.words(' a, b c,,d ') == ['a', 'b c', 'd']
    assert command_line.words(r'yes\, no,b') == ['yes, no', 'b']
    assert command_line.words('') == command_line.words(' , ') == []
