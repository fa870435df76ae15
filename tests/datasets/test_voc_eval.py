"""Average precision by hand, against Caffe's and chainercv's tests, and against a published detector where it is at hand."""
import csv
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from datasets import voc, voc_eval, voc_xml
from datasets.voc_eval import Detection
from tests.datasets.rows import found_of, truth_of
from utils.errors import DataError

REFERENCE = pathlib.Path(__file__).resolve().parents[3] / 'shared/voc_eval_reference'
ROOT = pathlib.Path(__file__).resolve().parents[2]


A, B = (1, 1, 10, 10), (21, 21, 30, 30)


def test_average_precision_equals_caffe():
    # test_bbox_util.cpp TestComputeAP: 11 detections, 5 objects.
    hits = np.array([0, 1, 1, 0, 1, 0, 1, 0, 0, 0, 1])
    precision, recall = np.cumsum(hits) / np.arange(1, 12), np.cumsum(hits) / 5
    # Caffe's .598662 takes 3 of 5 for recall .6; in steps of .1 the level is .6000000000000001: one level less at 3/5, precision
    # 4/7 instead.
    assert voc_eval.average_precision(precision, recall, '07') == pytest.approx(.598662 - (3 / 5 - 4 / 7) / 11, abs=1e-6)
    assert voc_eval.average_precision(precision, recall, 'area') == pytest.approx(.591861, abs=1e-6)


def test_average_precision_equals_chainercv():
    # test_eval_detection_voc.py: precision 0, 1/2, 1/3 at recall 0, 1/2, 1/2.
    assert voc_eval.average_precision([0, .5, 1 / 3], [0, .5, .5], '07') == pytest.approx(.2727272727)
    assert voc_eval.average_precision([0, .5, 1 / 3], [0, .5, .5], 'area') == pytest.approx(.25)


@pytest.mark.parametrize('metric', voc_eval.METRICS)
def test_average_precision_of_nothing_is_zero(metric):
    assert voc_eval.average_precision([], [], metric) == 0


def test_unknown_metric():
    with pytest.raises(ValueError, match="unknown metric '12'; known: 07, area"):
        voc_eval.average_precision([], [], '12')


def test_overlap_counts_inclusive_pixels():
    # 10 x 10 pixels against the same moved by 5: 5 * 10 of 150 shared.
    assert voc_eval.overlaps(np.array(A), np.array([[1, 6, 10, 15], A, B])) == pytest.approx([1 / 3, 1, 0])


def _curve(detections, truths):
    result = voc_eval.evaluate(detections, truths, ('cat', 'dog'))
    return result.classes[0]


def test_duplicates_are_wrong():
    entry = _curve({'i': found_of((A, 1, .9), (A, 1, .8), (B, 1, .7))}, {'i': truth_of((A, 1, False), (B, 1, False))})
    assert entry.precision.tolist() == [1, .5, pytest.approx(2 / 3)] and entry.recall.tolist() == [.5, .5, 1]


def test_difficult_objects_are_neither_right_nor_wrong():
    entry = _curve({'i': found_of((A, 1, .9), (A, 1, .8), (B, 1, .7))}, {'i': truth_of((A, 1, True), (B, 1, False))})
    assert entry.ground_truths == 1 and entry.ap == 1
    assert entry.recall.tolist() == [0, 0, 1]


def test_overlap_of_half_is_not_enough():
    # 10 of 20 pixels: IoU exactly .5.
    entry = _curve({'i': found_of(((1, 1, 1, 10), 1, .9))}, {'i': truth_of(((1, 1, 1, 20), 1, False))})
    assert entry.ap == 0


def test_order_is_by_score_over_all_images():
    truths = {'i': truth_of((A, 1, False)), 'j': truth_of((A, 1, False))}
    entry = _curve({'i': found_of((B, 1, .5), (A, 1, .3)), 'j': found_of((A, 1, .4))}, truths)
    assert entry.precision.tolist() == [0, .5, pytest.approx(2 / 3)]


def test_equal_scores_rank_in_the_order_of_the_file(tmp_path):
    # Both images are known from the first file; the second one names them the other way round.
    (tmp_path / 'comp4_det_test_cat.txt').write_text('i .1 1 1 9 9\nj .1 1 1 9 9\n')
    (tmp_path / 'comp4_det_test_dog.txt').write_text('j .5 1 1 10 10\ni .5 21 21 30 30\n')
    found, _ = voc_eval.read_detections(tmp_path, 'test', ('cat', 'dog'))
    result = voc_eval.evaluate(found, {'i': truth_of(), 'j': truth_of((A, 2, False))}, ('cat', 'dog'))
    assert result.classes[1].precision.tolist() == [1, .5]


def test_best_f1():
    # Right, wrong, right, right of 4 objects: F1 .4, .33, .57, .75.
    boxes = [(20 * i + 1, 1, 20 * i + 10, 10) for i in range(4)]
    truths = {'i': truth_of(*((box, 1, False) for box in boxes))}
    found = found_of((boxes[0], 1, .9), ((1, 101, 10, 110), 1, .8), (boxes[1], 1, .7), (boxes[2], 1, .6))
    assert _curve({'i': found}, truths).best_f1() == pytest.approx((.6, .75, .75, .75))
    # A threshold keeps all of equal scores or none: after the first alone F1 would be 1.
    tied = found_of((boxes[0], 1, .5), (B, 1, .5), (B, 1, .5))
    assert _curve({'i': tied}, {'i': truth_of((boxes[0], 1, False))}).best_f1() == pytest.approx((.5, 1 / 3, 1, .5))


def test_best_f1_where_nothing_is_found_or_nothing_is_there():
    nothing = _curve({'i': found_of((B, 1, .9))}, {'i': truth_of((A, 1, False))}).best_f1()
    assert np.isnan(nothing.threshold) and nothing[1:] == (0, 0, 0)
    assert _curve({}, {'i': truth_of((A, 1, False))}).best_f1()[1:] == (0, 0, 0)
    assert np.isnan(_curve({'i': found_of((A, 1, .9))}, {'i': truth_of((A, 2, False))}).best_f1()).all()


def test_the_same_curves_by_another_metric():
    detections, truths = {'i': found_of((A, 1, .9), (A, 1, .8), (B, 1, .7))}, {'i': truth_of((A, 1, False), (B, 1, False))}
    area = voc_eval.evaluate(detections, truths, ('cat', 'dog'), '07').by('area')
    assert area.metric == 'area' and area.classes[0].ap == pytest.approx((1 + 2 / 3) / 2)
    assert np.isnan(area.classes[1].ap)


def test_class_without_objects_is_not_in_the_mean():
    result = voc_eval.evaluate({'i': found_of((A, 1, .9), (A, 2, .9))}, {'i': truth_of((A, 1, False))}, ('cat', 'dog'))
    assert np.isnan(result.classes[1].ap) and result.mean_ap == 1
    assert 'no objects, not in the mean: dog' in voc_eval.table(result)


def test_no_detections():
    result = voc_eval.evaluate({}, {'i': truth_of((A, 1, False))}, ('cat', 'dog'))
    assert result.classes[0].ap == 0 and result.mean_ap == 0


def test_no_objects_at_all():
    assert np.isnan(voc_eval.evaluate({}, {'i': truth_of()}, ('cat',)).mean_ap)


def test_detections_of_strange_images_are_refused():
    with pytest.raises(DataError, match='detections of 1 images that are not in the image set, first x'):
        voc_eval.evaluate({'x': found_of()}, {}, ('cat',))


def test_files_round_trip(tmp_path):
    voc_eval.write_detections(tmp_path, 'test', ('cat', 'dog'), {'y/i': found_of((A, 1, .9), (B, 2, .25))})
    assert (tmp_path / 'comp4_det_test_dog.txt').read_text() == 'i 0.250000 21.00 21.00 30.00 30.00\n'
    found, missing = voc_eval.read_detections(tmp_path, 'test', ('cat', 'dog', 'cow'))
    assert missing == ['cow'] and found['i'].labels.tolist() == [1, 2] and found['i'].boxes.tolist() == [list(A), list(B)]


def test_class_name_with_a_slash_is_one_file(tmp_path):
    voc_eval.write_detections(tmp_path, 'test', ('moniter/tv',), {'y/i': found_of((A, 1, .9))})
    assert [path.name for path in tmp_path.iterdir()] == ['comp4_det_test_moniter_tv.txt']
    assert voc_eval.read_detections(tmp_path, 'test', ('moniter/tv',))[0]['i'].scores.tolist() == [.9]


@pytest.mark.parametrize('line', ['i .5 1', '', 'i .5 1 1 2 x', 'i nan 1 1 2 2', 'i .5 1 1 2 inf', 'i .5 1 1 2 2 3'])
def test_bad_line_names_file_and_line(tmp_path, line):
    (tmp_path / 'comp4_det_test_cat.txt').write_text(f'i .5 1 1 2 2\n{line}\n')
    with pytest.raises(DataError, match=f"cat.txt, line 2: '{line}' is not 'image score"):
        voc_eval.read_detections(tmp_path, 'test', ('cat',))


def test_detections_that_are_no_text(tmp_path):
    (tmp_path / 'comp4_det_test_cat.txt').write_bytes(b'\xff\xfei')
    with pytest.raises(DataError, match='cat.txt is no text in UTF-8'):
        voc_eval.read_detections(tmp_path, 'test', ('cat',))


def test_detections_that_cannot_be_written(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(DataError, match='file/comp4_det_test_cat.txt cannot be written: '):
        voc_eval.write_detections(tmp_path / 'file', 'test', ('cat',), {})


@pytest.mark.parametrize('side', ['nan', 'inf'])
def test_objects_of_no_finite_box_are_refused(tmp_path, side):
    for part in ('Annotations', 'ImageSets/Main'):
        (tmp_path / part).mkdir(parents=True)
    (tmp_path / 'ImageSets/Main/test.txt').write_text('a\n')
    (tmp_path / 'Annotations/a.xml').write_text(voc_xml.annotation('a.jpg', 50, 100, [('cat', (1, 1, 9, float(side)), False)]))
    with pytest.raises(DataError, match=f'Annotations/a.xml: cat: box xmin 1 ymin 1 xmax {side} ymax 9 is not finite'):
        voc_eval.read_ground_truths(tmp_path, 'test', ('cat',))
    assert voc_eval.read_ground_truths(tmp_path, 'test', ('dog',))['a'].boxes.shape == (0, 4)


def test_command_line(tmp_path):
    from datasets import shapes
    shapes.write_voc(tmp_path / 'VOCdevkit/VOC2007', train=0, test=4)
    folder = tmp_path / 'VOCdevkit/VOC2007'
    truths = voc_eval.read_ground_truths(folder, 'test', shapes.SHAPES)
    perfect = {image: Detection(t.boxes, t.labels, np.ones(len(t.labels))) for image, t in truths.items()}
    voc_eval.write_detections(tmp_path / 'found', 'test', shapes.SHAPES, perfect)
    command = [sys.executable, '-m', 'datasets.voc_eval', '--detections', str(tmp_path / 'found'), '--voc',
               str(tmp_path / 'VOCdevkit'), '--image_set', 'test', '--classes', str(folder / 'classes.txt')]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stdout.splitlines()[-1] == 'mAP 07 1.000000'
    done = subprocess.run([*command[:4], 'nowhere', *command[5:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stderr.startswith('error: no detections at nowhere')


@pytest.mark.skipif(not REFERENCE.is_dir(), reason='the reference detections are not at hand')
def test_equals_a_published_detector():
    truths = voc_eval.read_ground_truths(REFERENCE / 'VOCdevkit/VOC2007', 'test', voc.CLASSES)
    detections, _ = voc_eval.read_detections(REFERENCE / 'detections', 'test', voc.CLASSES)
    points, area = (voc_eval.evaluate(detections, truths, voc.CLASSES, metric) for metric in voc_eval.METRICS)
    with open(REFERENCE / 'expected_ap.tsv', encoding='utf-8') as file:
        rows = {row['class']: row for row in csv.DictReader(file, delimiter='\t')}
    for one, other in zip(points.classes, area.classes, strict=True):
        assert one.ap == pytest.approx(float(rows[one.name]['stored_ap_07metric']), abs=1e-9)
        assert other.ap == pytest.approx(float(rows[one.name]['ap_allpoint']), abs=1e-6)
