"""Files of detections and annotations; and with them a published detector, where it is at hand."""
import csv
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from datasets import voc_xml
from datasets.readers import voc
from evaluation import voc as voc_eval
from evaluation import voc_files
from evaluation.voc import Detection
from tests.evaluation.rows import found_of, truth_of
from utils.errors import DataError

REFERENCE = pathlib.Path(__file__).resolve().parents[3] / 'shared/voc_eval_reference'
ROOT = pathlib.Path(__file__).resolve().parents[2]

A, B = (1, 1, 10, 10), (21, 21, 30, 30)


def test_equal_scores_rank_in_the_order_of_the_file(tmp_path):
    # Both images are known from the first file; the second one names them the other way round.
    (tmp_path / 'comp4_det_test_cat.txt').write_text('i .1 1 1 9 9\nj .1 1 1 9 9\n')
    (tmp_path / 'comp4_det_test_dog.txt').write_text('j .5 1 1 10 10\ni .5 21 21 30 30\n')
    found, _ = voc_files.read_detections(tmp_path, 'test', ('cat', 'dog'))
    result = voc_eval.evaluate(
        found, {'i': truth_of(), 'j': truth_of((A, 2, False))}, ('cat', 'dog')
    )
    assert result.classes[1].precision.tolist() == [1, .5]


def test_files_round_trip(tmp_path):
    voc_files.write_detections(
        tmp_path, 'test', ('cat', 'dog'), {'y/i': found_of((A, 1, 0.9), (B, 2, 0.25))}
    )
    assert (
        tmp_path / 'comp4_det_test_dog.txt'
    ).read_text() == 'i 0.250000 21.00 21.00 30.00 30.00\n'
    found, missing = voc_files.read_detections(tmp_path, 'test', ('cat', 'dog', 'cow'))
    assert (
        missing == ['cow']
        and found['i'].labels.tolist() == [1, 2]
        and found['i'].boxes.tolist() == [[0, 0, 10, 10], [20, 20, 30, 30]]
    )


def test_class_name_with_a_slash_is_one_file(tmp_path):
    voc_files.write_detections(tmp_path, 'test', ('moniter/tv',), {'y/i': found_of((A, 1, .9))})
    assert [path.name for path in tmp_path.iterdir()] == ['comp4_det_test_moniter%2Ftv.txt']
    assert voc_files.read_detections(tmp_path, 'test', ('moniter/tv',))[0]['i'].scores.tolist() == [
        0.9
    ]


def test_names_that_collide_or_hold_spaces(tmp_path):
    one = Detection(np.array([[1., 2, 30, 40]]), np.array([1]), np.array([.5]))
    two = Detection(np.array([[5., 6, 7, 8]]), np.array([2]), np.array([.25]))
    voc_files.write_detections(tmp_path, 'val', ('a/b', 'a_b'), {'V/x y %20': one, 'V/z': two})
    found, missing = voc_files.read_detections(tmp_path, 'val', ('a/b', 'a_b'))
    assert missing == [] and sorted(found) == ['x y %20', 'z']
    assert found['x y %20'].labels.tolist() == [1] and found['z'].labels.tolist() == [2]
    voc_files.check_names(['V/x', 'V/y'])
    with pytest.raises(DataError, match='^A/x and B/x have the same name'):
        voc_files.check_names(['A/x', 'A/y', 'B/x'])


@pytest.mark.parametrize(
    'line', ['i .5 1', '', 'i .5 1 1 2 x', 'i nan 1 1 2 2', 'i .5 1 1 2 inf', 'i .5 1 1 2 2 3']
)
def test_bad_line_names_file_and_line(tmp_path, line):
    (tmp_path / 'comp4_det_test_cat.txt').write_text(f'i .5 1 1 2 2\n{line}\n')
    with pytest.raises(DataError, match=f"cat.txt, line 2: '{line}' is not 'image score"):
        voc_files.read_detections(tmp_path, 'test', ('cat',))


@pytest.mark.parametrize('lines', ['i .5 .1 .2 .6 .9', 'i .5 0 0 1 1', 'i .5 0.1 .2 1.01 1.2'])
def test_fractions_of_the_image_are_refused(tmp_path, lines):
    (tmp_path / 'comp4_det_test_cat.txt').write_text(lines + '\n')
    with pytest.raises(DataError, match='comp4_det_test_<class>.txt: no box reaches beyond .* '
                       'pixels; boxes have to be in pixels, not in fractions'):
        voc_files.read_detections(tmp_path, 'test', ('cat',))
    (tmp_path / 'comp4_det_test_dog.txt').write_text('i .5 1 1 2 300\n')
    assert len(voc_files.read_detections(tmp_path, 'test', ('cat', 'dog'))[0]['i'].labels) == 2


def test_detections_that_are_no_text(tmp_path):
    (tmp_path / 'comp4_det_test_cat.txt').write_bytes(b'\xff\xfei')
    with pytest.raises(DataError, match='cat.txt is no text in UTF-8'):
        voc_files.read_detections(tmp_path, 'test', ('cat',))


def test_detections_that_cannot_be_written(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(DataError, match='file/comp4_det_test_cat.txt cannot be written: '):
        voc_files.write_detections(tmp_path / 'file', 'test', ('cat',), {})


@pytest.mark.parametrize('side', ['nan', 'inf'])
def test_objects_of_no_finite_box_are_refused(tmp_path, side):
    for part in ('Annotations', 'ImageSets/Main'):
        (tmp_path / part).mkdir(parents=True)
    (tmp_path / 'ImageSets/Main/test.txt').write_text('a\n')
    (tmp_path / 'Annotations/a.xml').write_text(
        voc_xml.annotation('a.jpg', 50, 100, [('cat', (1, 1, 9, float(side)), False)])
    )
    with pytest.raises(
        DataError,
        match=f'Annotations/a.xml: cat: box xmin 1 ymin 1 xmax {side} ymax 9 is not finite',
    ):
        voc_files.read_ground_truths(tmp_path, 'test', ('cat',))
    assert voc_files.read_ground_truths(tmp_path, 'test', ('dog',))['a'].boxes.shape == (0, 4)


def test_objects_in_fractions_of_the_image_are_refused(tmp_path):
    for part in ('Annotations', 'ImageSets/Main'):
        (tmp_path / part).mkdir(parents=True)
    (tmp_path / 'ImageSets/Main/test.txt').write_text('a\n')
    (tmp_path / 'Annotations/a.xml').write_text(
        voc_xml.annotation('a.jpg', 50, 100, [('cat', (.1, .2, .9, 1.), False)]))
    with pytest.raises(DataError, match=f'{tmp_path}: no box reaches beyond 1 pixels; boxes have'):
        voc_files.read_ground_truths(tmp_path, 'test', ('cat',))


def test_command_line(tmp_path):
    from datasets import shapes
    shapes.write_voc(tmp_path / 'VOCdevkit/VOC2007', train=0, test=4)
    folder = tmp_path / 'VOCdevkit/VOC2007'
    truths = voc_files.read_ground_truths(folder, 'test', shapes.SHAPES)
    perfect = {
        image: Detection(t.boxes, t.labels, np.ones(len(t.labels))) for image, t in truths.items()
    }
    voc_files.write_detections(tmp_path / 'found', 'test', shapes.SHAPES, perfect)
    command = [
        sys.executable,
        '-m',
        'datasets.voc_eval',
        '--detections',
        str(tmp_path / 'found'),
        '--voc',
        str(tmp_path / 'VOCdevkit'),
        '--image_set',
        'test',
        '--classes',
        str(folder / 'classes.txt'),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (
        0, 'mAP 07 1.000000, over classes with 20+ objects -')
    done = subprocess.run(
        [*command[:4], 'nowhere', *command[5:]],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2 and done.stderr.startswith('error: no detections at nowhere')


@pytest.mark.skipif(not REFERENCE.is_dir(), reason='the reference detections are not at hand')
def test_equals_a_published_detector():
    truths = voc_files.read_ground_truths(REFERENCE / 'VOCdevkit/VOC2007', 'test', voc.CLASSES)
    detections, _ = voc_files.read_detections(REFERENCE / 'detections', 'test', voc.CLASSES)
    points, area = (
        voc_eval.evaluate(detections, truths, voc.CLASSES, metric) for metric in voc_eval.METRICS
    )
    with open(REFERENCE / 'expected_ap.tsv', encoding='utf-8') as file:
        rows = {row['class']: row for row in csv.DictReader(file, delimiter='\t')}
    for one, other in zip(points.classes, area.classes, strict=True):
        assert one.ap == pytest.approx(float(rows[one.name]['stored_ap_07metric']), abs=1e-9)
        assert other.ap == pytest.approx(float(rows[one.name]['ap_allpoint']), abs=1e-6)
