"""One error of each kind, with its cost worked out by hand."""
import numpy as np
import pytest

from evaluation import errors as error_kinds
from evaluation.voc import Detection, GroundTruth
from tests.evaluation.rows import drawn_files
from utils.errors import DataError

CLASSES = ('cat', 'dog')
CAT = [10., 10., 50., 50.]


def _truth(boxes, labels, difficult=None):
    return GroundTruth(np.array(boxes, float).reshape(-1, 4), np.array(labels, int),
                       np.zeros(len(labels), bool) if difficult is None else np.array(difficult))


def _found(boxes, labels, scores):
    return Detection(
        np.array(boxes, float).reshape(-1, 4), np.array(labels, int), np.array(scores, float)
    )


def _costs(detections, truths):
    errors = error_kinds.analyse(detections, truths, CLASSES)
    return {kind: cost['cat'] for kind, cost in errors.costs.items()}, {
        kind: sum(count.values()) for kind, count in errors.counts.items()}


@pytest.mark.parametrize('boxes, labels, scores, kind, cost', [
    ([], [], [], 'missed', None),
    # Before the right one: precision 1/2 at every level of recall.
    ([[100, 100, 150, 150], CAT], [1, 1], [.9, .8], 'background', .5),
    # IoU (40 x 20) / (40 x 40): a half, not above it.
    ([[10, 10, 50, 30], CAT], [1, 1], [.9, .8], 'poor box', .5),
    ([[10, 10, 50, 30]], [1], [.9], 'poor box', 1),
])
def test_each_kind_alone(boxes, labels, scores, kind, cost):
    costs, counts = _costs({'a': _found(boxes, labels, scores)}, {'a': _truth([CAT], [1])})
    assert counts == {name: int(name == kind) for name in error_kinds.KINDS}
    if cost is None:  # without the missed object the class has none
        assert np.isnan(costs['missed'])
    else:
        assert costs == pytest.approx(
            {name: cost if name == kind else 0 for name in error_kinds.KINDS}
        )


def test_a_double_counts_where_it_comes_before_another_object():
    truths = {'a': _truth([CAT], [1]), 'b': _truth([CAT], [1])}
    costs, counts = _costs(
        {'a': _found([CAT, CAT], [1, 1], [0.9, 0.8]), 'b': _found([CAT], [1], [0.7])}, truths
    )
    # Recall .5 at precision 1, recall 1 at 2/3: 6 levels of 1 and 5 of 2/3.
    assert counts == dict.fromkeys(error_kinds.KINDS, 0) | {'double': 1}
    assert costs['double'] == pytest.approx(1 - (6 + 5 * 2 / 3) / 11)


def test_wrong_class_costs_the_class_that_is_not_found():
    costs, counts = _costs({'a': _found([CAT], [2], [.9])}, {'a': _truth([CAT], [1])})
    assert counts == dict.fromkeys(error_kinds.KINDS, 0) | {'wrong class': 1}
    assert costs['wrong class'] == 1 and costs['missed'] == 0


def test_difficult_objects_are_no_errors():
    costs, counts = _costs({'a': _found([CAT, CAT], [1, 1], [.9, .8])},
                           {'a': _truth([CAT], [1], [True]), 'b': _truth([CAT], [1])})
    assert counts == dict.fromkeys(error_kinds.KINDS, 0) | {'missed': 1}


def test_each_error_and_each_missed_object_is_told():
    wrong = error_kinds.analyse(
        {'a': _found([CAT, [100, 100, 150, 150]], [2, 1], [0.9, 0.8])},
        {'b': _truth([CAT], [2]), 'a': _truth([CAT], [1])},
        CLASSES,
    ).wrong
    assert wrong.kinds.tolist() == ['wrong class', 'background']
    assert wrong.objects.tolist() == [1, -1] and wrong.missed.tolist() == [0]
    assert [wrong.rows.names[image] for image in wrong.rows.image] == ['a', 'a']


def test_nothing_at_all():
    errors = error_kinds.analyse({}, {'a': _truth([], [])}, CLASSES)
    assert errors.counts['background'] == {'cat': 0, 'dog': 0} and np.isnan(
        errors.mean_cost('missed', CLASSES)
    )


def test_table_shows_a_class_without_objects_as_absent():
    errors = error_kinds.analyse(
        {'a': _found([CAT], [1], [0.9])}, {'a': _truth([CAT], [1])}, CLASSES
    )
    dog = next(
        line
        for line in error_kinds.error_table(errors, CLASSES).splitlines()
        if line.startswith('dog')
    )
    assert dog.split()[1:] == ['0', '-'] * 5


def test_weak_detections_are_not_counted():
    _, counts = _costs({'a': _found([[100, 100, 150, 150]], [1], [.2])}, {'a': _truth([CAT], [1])})
    assert counts['background'] == 0 and counts['missed'] == 1


def test_command(tmp_path, capsys):
    arguments = drawn_files(tmp_path, 8)
    error_kinds.main([*arguments, '--least=1'])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == [
        'class', 'missed', 'background', 'wrong', 'class', 'poor', 'box', 'double'
    ]
    assert set(lines[-2].split()[1:]) == {'0.000'}
    with pytest.raises(DataError, match='no class has 1000 objects in test'):
        error_kinds.main([*arguments, '--least=1000'])
