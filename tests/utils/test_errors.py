"""Errors of the user are one line, whatever names are in them."""
import pytest

from checkpoints import io as checkpoint
from configs import load
from utils.errors import CheckpointError, DataError, UserError, nearest


@pytest.mark.parametrize('kind', [UserError, DataError, CheckpointError])
def test_one_line_of_valid_text(kind):
    assert str(kind('a.jpg: broken')) == 'a.jpg: broken'
    assert str(kind('a\nb\x85c.jpg: broken')) == 'a b c.jpg: broken'
    assert str(kind('a\udcff.jpg: broken')) == 'a\\udcff.jpg: broken'
    assert str(kind()) == ''


def test_names_with_an_end_of_line():
    with pytest.raises(UserError, match='^unknown key \'max steps\'; nearest: max_steps'):
        load('ssd_train', ['--max\nsteps=3'])
    with pytest.raises(CheckpointError, match='^[^\n]*no where[^\n]*$'):
        checkpoint.find('no\nwhere')


def test_nearest():
    assert nearest('batch_sise', ['batch_size', 'seed']) == '; nearest: batch_size'
    assert nearest('x', ['batch_size']) == nearest('x', []) == ''
