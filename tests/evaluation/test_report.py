"""The page and its numbers: complete, escaped, of one file."""
import json
import re

import numpy as np
import pytest

from evaluation import errors as error_kinds
from evaluation import report
from evaluation.voc import Detection, GroundTruth
from tests.evaluation.rows import drawn_files
from utils.errors import DataError

CLASSES = ('cat', '<i>dog</i>', 'cow', r'$\frac$ a_b {{ 7*7 }}')
CAT, DOG = [10., 10, 110, 110], [200., 200, 300, 300]
NAME = '"><script>alert(1)</script>'
TRUTHS = {NAME: GroundTruth(np.array([CAT, DOG]), np.array([1, 2]), np.array([False, False])),
          'b': GroundTruth(np.array([CAT]), np.array([1]), np.array([True]))}
FOUND = {NAME: Detection(np.array([CAT, DOG, DOG]), np.array([1, 1, 3]), np.array([.9, .5, .4]))}


@pytest.fixture(scope='module')
def written(tmp_path_factory):
    """-> (text of the page, numbers, ids whose images were asked for)."""
    asked = []

    def images(ids):
        asked.extend(ids)
        return {name: np.zeros([400, 400, 3], np.uint8) for name in ids}

    page, numbers = report.write(
        tmp_path_factory.mktemp('report') / 'new',
        report.evaluate(FOUND, TRUTHS, CLASSES),
        {'checkpoint': '<x>', 'lost': float('nan')},
        images,
    )
    with open(page, encoding='utf-8') as file, open(numbers, encoding='utf-8') as other:
        return file.read(), json.load(other), asked


def test_numbers(written):
    _, numbers, _ = written
    assert (
        numbers['images'], numbers['objects'], numbers['difficult_objects'], numbers['detections']
    ) == (2, 2, 1, 3)
    assert numbers['voc'] == {
        'iou': 0.5,
        'mean_ap_07': 0.5,
        'mean_ap_area': 0.5,
        'mean_ap_07_frequent': None,
        'mean_ap_area_frequent': None,
    }
    cat, dog, cow, _ = numbers['classes'].values()
    assert (cat['ap_07'], cat['ap_area'], cat['coco']['AP'], cat['objects'], cat['detections']) == (
        1, 1, 1, 1, 2
    )
    assert cat['best_f1'] == {'threshold': .9, 'precision': 1, 'recall': 1, 'f1': 1}
    assert dog['best_f1'] == {'threshold': None, 'precision': 0, 'recall': 0, 'f1': 0}
    assert dog['errors']['wrong class'] == {'count': 0, 'ap_lost': 1}
    assert numbers['errors']['kinds']['wrong class'] == {'count': 2, 'ap_lost': .5}
    assert numbers['false_alarms']['images'] == 0
    assert numbers['coco']['AP'] == .5 and numbers['coco']['AP_small'] is None
    assert (
        numbers['about']['checkpoint'] == '<x>'
        and numbers['about']['lost'] is None
        and cow['objects'] == 0
    )


def test_a_class_without_objects_is_absent_everywhere(written):
    page, numbers, _ = written
    cow = numbers['classes']['cow']
    assert [cow['ap_07'], cow['ap_area'], *cow['best_f1'].values(), *cow['coco'].values()] == [
        None
    ] * 18
    assert [cow['errors'][kind]['ap_lost'] for kind in error_kinds.KINDS] == [None] * 5
    rows = [
        re.findall(r'<td>(.*?)</td>', row)
        for row in re.findall(r'<tr><th scope="row">cow</th>(.*?)</tr>', page, re.DOTALL)
    ]
    assert rows == [
        ['-', '0', '-', '-', '-', '-', '-', '-', '-', '-', '1'],
        ['0', '-', '0', '-', '1', '-', '0', '-', '0', '-'],
    ]
    assert 'precision over recall of cat' in page and 'precision over recall of cow' not in page


def test_page_is_one_file_and_escaped(written):
    page, _, asked = written
    assert 'False alarms' not in page  # every image has objects
    assert asked == [NAME]
    assert '<script' not in page and '<i>dog' not in page and '<x>' not in page
    assert r'$\frac$ a_b {{ 7*7 }}' in page
    assert '&lt;script&gt;' in page and '&lt;i&gt;dog&lt;/i&gt;' in page
    sources = re.findall(r'(?:src|href)="([^"]{0,15})', page)
    assert sources == ['data:image/png;'] * 3 + ['data:image/jpeg'] * 2
    assert (
        'http:' not in page
        and 'https:' not in page
        and 'nan' not in re.sub('base64,[^"]*', '', page)
    )


def test_nothing_at_all(tmp_path):
    page, numbers = report.write(tmp_path, report.evaluate({}, {}, ('cat',)), {}, lambda ids: {})
    with open(numbers, encoding='utf-8') as file:
        assert json.load(file)['voc']['mean_ap_07'] is None


def test_images_without_objects_have_false_alarms(tmp_path):
    nothing = GroundTruth(np.zeros([0, 4]), np.zeros(0, int), np.zeros(0, bool))
    evaluation = report.evaluate({NAME: FOUND[NAME]}, {NAME: nothing, 'b': nothing}, CLASSES,
                                 scores={'cat': .6})
    assert not evaluation.has_objects
    page, numbers = report.write(tmp_path, evaluation, {}, lambda ids: {})
    with open(page, encoding='utf-8') as file, open(numbers, encoding='utf-8') as other:
        page, found = file.read(), json.load(other)['false_alarms']
    assert (found['images'], found['count'], found['by_image']) == (2, 1, {NAME: 1})
    assert found['classes']['cat'] == {'threshold': .6, 'count': 1, 'images': 1}
    assert 'False alarms' in page and '1 in 1 of 2 images without' in page and '<script' not in page


def test_folder_that_cannot_be_written(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(
        DataError, match='the report cannot be written to .*file: .*; name another folder: --output'
    ):
        report.write(tmp_path / 'file', report.evaluate({}, {}, ('cat',)), {}, lambda ids: {})


def test_command(tmp_path, capsys):
    arguments = [*drawn_files(tmp_path, 6, shift=40, score=.5), '--images=2']
    report.main([*arguments, '--output', str(tmp_path / 'out')])
    assert (
        f'report: {tmp_path}/out/evaluation.html, {tmp_path}/out/evaluation.json'
        in capsys.readouterr().out
    )
    assert 0 < (tmp_path / 'out/evaluation.html').read_text().count('data:image/jpeg') <= 8
    for image in (tmp_path / 'shapes/JPEGImages').iterdir():
        image.unlink()
    report.main(arguments)  # without the images, into the folder of the detections
    assert 'data:image/jpeg' not in (tmp_path / 'found/evaluation.html').read_text()
    with pytest.raises(DataError, match='^no detections at nowhere'):
        report.main([*arguments[:1], 'nowhere', *arguments[2:]])
