"""Folders of exports, and the comparison of results."""
import os
import resource

import numpy as np
import pytest

from detection import detector, export
from nets import backbones, postprocess, ssd
from utils.errors import CheckpointError


def _found(*rows, padding=2):
    """Results for one image from rows of class, score, box."""
    rows = [*rows, *[(0, 0, 0, 0, 0, 0)] * padding]
    return {'classes': np.array([row[0] for row in rows]),
            'scores': np.array([row[1] for row in rows]),
            'boxes': np.array([row[2:] for row in rows], 'f'), 'counts': len(rows) - padding}


CAT, DOG = (8, .9, .1, .2, .5, .6), (12, .8, .3, .3, .4, .4)


@pytest.mark.parametrize('one, other, largest, count', [
    ([CAT, DOG], [DOG, CAT], 0, 2),
    ([CAT], [(8, .9, .1, .25, .5, .6)], .05, 1),
    ([CAT], [(8, .7, .1, .2, .5, .6)], .2, 1),
    ([CAT, DOG], [CAT], float('inf'), 2),
    ([CAT], [CAT, DOG], float('inf'), 1),
    ([CAT], [(12, *CAT[1:])], float('inf'), 1),
    ([CAT, (8, .09, 0, 0, 1, 1)], [CAT], 0, 1),  # unsure
    ([], [], 0, 0),
])
def test_difference(one, other, largest, count):
    found = export.difference(_found(*one), _found(*other), score_threshold=.01)
    assert found == (pytest.approx(largest), count)


def test_scores_at_the_threshold_do_not_count():
    found = _found(CAT, (12, .51, 0, 0, 1, 1))
    assert export.difference(found, _found(CAT), score_threshold=.5) == (0, 1)


def test_the_last_of_a_full_list_does_not_count():
    full = _found(CAT, (12, .4, 0, 0, 1, 1), padding=0)
    other = _found(CAT, (15, .4, 0, 0, .5, .5), padding=0)
    assert export.difference(full, other, score_threshold=.01) == (0, 1)
    assert export.difference(full, _found(CAT), score_threshold=.01) == (0, 1)
    other = _found((12, .4, 0, 0, 1, 1))
    assert export.difference(full, other, score_threshold=.01) == (float('inf'), 1)


def test_folder_appears_whole_and_replaces_an_earlier_one(tmp_path):
    folder = str(tmp_path / 'exported/detector')
    for classes in (['cat'], ['cat', 'dog']):
        with export.staged(folder, overwrite=True) as stage:
            path = export.write_labels(stage, classes)
            assert not os.path.exists(f'{folder}/labels.txt') or classes == ['cat', 'dog']
        assert not os.path.exists(path)
    assert (tmp_path / 'exported/detector/labels.txt').read_text() == 'cat\ndog\n'
    assert os.listdir(tmp_path / 'exported') == ['detector']


def test_interrupted_export_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt), export.staged(str(tmp_path / 'new'), overwrite=False):
        raise KeyboardInterrupt
    assert not os.listdir(tmp_path)


@pytest.fixture(scope='module')
def small():
    """A detector of one class with random weights."""
    model = ssd.SSD(backbones.get('mobilenet_v1'), 2).build()
    limits = postprocess.Limits(score_threshold=.1, keep_top_k=5)
    return detector.Detector(model, ['cat'], limits, folded=True)


def _write_saved_model(folder, small):
    labels = export.write_labels(folder, small.classes)
    export.write_saved_model(f'{folder}/saved_model', small, labels)


def _write_tflite(folder, small):
    export.write_tflite(f'{folder}/detector.tflite', small, half=False)


@pytest.mark.parametrize('write, text', [
    (_write_saved_model, 'cannot write .*/saved_model: .*; .* GB are free'),
    (_write_tflite, 'is there room in ')])
def test_full_disk_is_one_line(tmp_path, small, write, text):
    # A limit on the size of files fails as a full disk does; the converter meets it in its
    # temporary folder.
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, before[1]))
    try:
        with pytest.raises(export.ExportError, match=text) as error:
            write(str(tmp_path), small)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert '\n' not in str(error.value)


def test_empty_folder_is_taken_and_a_full_one_refused(tmp_path):
    export.check_free(str(tmp_path), overwrite=False)
    (tmp_path / 'letter.txt').write_text('')
    for overwrite in (False, True):
        with pytest.raises(export.ExportError, match='choose another --output'):
            export.check_free(str(tmp_path), overwrite)


def test_a_folder_that_tensorflow_takes_for_a_pattern():
    with pytest.raises(CheckpointError,
                       match=r"TensorFlow reads no file in new\[1\]: '\[' is part of a pattern"):
        export.check_free('new[1]', overwrite=False)
