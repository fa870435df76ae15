"""Folders of exports."""
import os

import pytest

from export import folder
from export.exported import ExportError
from utils.errors import CheckpointError


def test_folder_appears_whole_and_replaces_an_earlier_one(tmp_path):
    output = str(tmp_path / 'exported/detector')
    for classes in (['cat'], ['cat', 'dog']):
        with folder.staged(output, overwrite=True) as stage:
            path = folder.write_labels(stage, classes)
            assert not os.path.exists(f'{output}/labels.txt') or classes == ['cat', 'dog']
        assert not os.path.exists(path)
    assert (tmp_path / 'exported/detector/labels.txt').read_text() == 'cat\ndog\n'
    assert os.listdir(tmp_path / 'exported') == ['detector']


def test_interrupted_export_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt), folder.staged(str(tmp_path / 'new'), overwrite=False):
        raise KeyboardInterrupt
    assert not os.listdir(tmp_path)


def test_empty_folder_is_taken_and_a_full_one_refused(tmp_path):
    folder.check_free(str(tmp_path), overwrite=False)
    (tmp_path / 'letter.txt').write_text('')
    for overwrite in (False, True):
        with pytest.raises(ExportError, match='choose another --output'):
            folder.check_free(str(tmp_path), overwrite)


def test_a_folder_that_tensorflow_takes_for_a_pattern():
    with pytest.raises(CheckpointError,
                       match=r"TensorFlow reads no file in new\[1\]: '\[' is part of a pattern"):
        folder.check_free('new[1]', overwrite=False)
