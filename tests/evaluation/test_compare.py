"""Two evaluations side by side: AP of resampled images, and what chance explains."""
import re
import time

import numpy as np
import pytest

from evaluation import compare
from evaluation import voc as voc_eval
from tests.evaluation.rows import found_of, truth_of
from utils.errors import DataError

A, B, FAR = (0, 0, 10, 10), (20, 20, 40, 40), (60, 60, 90, 90)
CLASSES = ('cat', 'dog', 'cow')


def _random(images, share, seed=0, per_image=6):
    """Rows of images with a cat and sometimes a dog each; a share of the detections is right."""
    random = np.random.default_rng(seed)
    truths, found = {}, {}
    for number in range(images):
        truths[str(number)] = truth_of((A, 1, False), (B, 1 + number % 2, number % 7 == 0))
        found[str(number)] = found_of(*(
            (A if random.random() < share else FAR, 1 + random.integers(2), random.random())
            for _ in range(per_image)))
    return voc_eval.Rows(found, truths)


def test_all_images_once_are_the_average_precision():
    rows = _random(30, .4)
    hits = compare.hits_of(rows, CLASSES)
    expected = [entry.ap for entry in voc_eval.evaluate_rows(rows, CLASSES).classes]
    found = compare.average_precisions(hits, np.ones([1, 30], int))[0]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert np.isnan(found[2]) and 0 < found[0] < 1


def test_an_image_that_counts_twice_is_there_twice():
    truths = {'a': truth_of((A, 1, False)), 'b': truth_of((A, 1, False), (B, 1, False))}
    found = {'a': found_of((A, 1, .9)), 'b': found_of((FAR, 1, .8), (B, 1, .7))}
    doubled = voc_eval.Rows({**found, 'c': found['b']}, {**truths, 'c': truths['b']})
    hits = compare.hits_of(voc_eval.Rows(found, truths), ('cat',))
    np.testing.assert_allclose(compare.average_precisions(hits, np.array([[1, 2]]))[0, 0],
                               voc_eval.evaluate_rows(doubled, ('cat',)).classes[0].ap)
    # Without image a: one right of two, half of the objects found: 6 levels of 1/2.
    assert compare.average_precisions(hits, np.array([[0, 1]]))[0, 0] == pytest.approx(6 / 22)
    assert np.isnan(compare.average_precisions(hits, np.array([[0, 0]]))[0, 0])


def test_better_and_equal():
    first, second = (compare.hits_of(_random(60, share), CLASSES) for share in (.2, .8))
    found = compare.compare(first, second, 200)
    assert found.names == (*CLASSES, 'mean') and found.low[-1] > 0
    assert found.table().endswith('\nmean: second is better')
    assert compare.compare(second, first, 200).table().endswith('\nmean: first is better')
    table = compare.compare(first, first, 50).table()
    assert table.endswith('neither is better by more than the choice of the images explains')
    assert '+0.0000  +0.0000 to +0.0000\n' in table and re.search(r'cow +- +-\n', table)
    assert found.table() == compare.compare(first, second, 200).table()


def test_files(tmp_path):
    hits = compare.hits_of(_random(5, .5), CLASSES)
    compare.save(tmp_path, hits)
    (tmp_path / 'evaluation.json').write_text('{}')
    for path in (tmp_path, tmp_path / compare.FILE, tmp_path / 'evaluation.json'):
        loaded = compare.load(path)
        assert all(np.array_equal(value, getattr(loaded, name))
                   for name, value in vars(hits).items())
    with pytest.raises(DataError, match='/missing does not exist; name a folder of ssd_test.py'):
        compare.load(tmp_path / 'missing')
    (tmp_path / 'empty').mkdir()
    (tmp_path / compare.FILE).write_text('no zip')
    for path in (tmp_path, tmp_path / 'empty'):
        with pytest.raises(DataError, match='is no evaluation that ssd_test.py wrote'):
            compare.load(path)


def test_other_images_are_refused():
    one, other = (compare.hits_of(_random(count, .5), CLASSES) for count in (5, 6))
    with pytest.raises(DataError, match='of other images: their names differ'):
        compare.compare(one, other)


def test_no_images():
    hits = compare.hits_of(voc_eval.Rows({}, {}), CLASSES)
    assert np.isnan(compare.compare(hits, hits, 3).first).all()


def test_it_is_quick():
    hits = compare.hits_of(_random(1000, .3, per_image=30), CLASSES)
    start = time.process_time()
    compare.compare(hits, hits, 100)
    assert time.process_time() - start < 10
