"""The log of evaluations."""
import datetime
import json

import numpy as np
import pytest

from datasets import evaluation, voc_eval
from datasets.voc_eval import Detection, GroundTruth

BOX = np.array([[1., 1, 10, 10]])


def _result():
    truth = GroundTruth(BOX, np.array([1]), np.array([False]))
    return voc_eval.evaluate({'i': Detection(BOX, np.array([1]), np.array([.9]))}, {'i': truth}, ('cat', 'dog'))


def test_every_evaluation_adds_one_line(tmp_path):
    for step in (10, 20):
        evaluation.append_to_log(tmp_path / 'ssd', _result(), checkpoint=None, step=step, records='test', images=1)
    lines = [json.loads(line) for line in (tmp_path / 'ssd/evaluations.jsonl').read_text().splitlines()]
    assert [line['step'] for line in lines] == [10, 20]
    assert datetime.datetime.fromisoformat(lines[0].pop('time')).tzinfo
    assert lines[0] == {'checkpoint': None, 'step': 10, 'records': 'test', 'images': 1, 'mean_ap_07': 1, 'mean_ap_area': 1,
                        'ap_07': {'cat': 1, 'dog': None}, 'ap_area': {'cat': 1, 'dog': None}}


def test_a_log_that_cannot_be_written(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(OSError, match='file'):
        evaluation.append_to_log(tmp_path / 'file', _result())


def test_nan_becomes_null():
    assert evaluation.without_nan({'a': [1, float('nan'), 'b'], 'c': {'d': np.float64('nan')}}) == {
        'a': [1, None, 'b'], 'c': {'d': None}}
