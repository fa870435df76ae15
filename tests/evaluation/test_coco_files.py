"""COCO's files of results, and their numbers by the areas and crowds of an annotation file."""
import json

import numpy as np
import pytest

from evaluation import coco_files
from evaluation.voc import Detection
from utils.errors import DataError

# Of `scene(7)` by pycocotools 2.0 (COCOeval, 'bbox').
PYCOCOTOOLS = {
    'AP': 0.277116, 'AP50': 0.511234, 'AP75': 0.245689, 'AP_small': 0.313209,
    'AP_medium': 0.277991, 'AP_large': 0.27417, 'AR1': 0.079167, 'AR10': 0.381944,
    'AR100': 0.388426, 'AR_small': 0.360644, 'AR_medium': 0.391973, 'AR_large': 0.4025}

# Of the same without 'area' in its annotations, by pycocotools with areas of the boxes.
BOX_AREAS = PYCOCOTOOLS | {
    'AP_small': 0.268432, 'AP_medium': 0.278414, 'AP_large': 0.309172, 'AR_small': 0.327778,
    'AR_medium': 0.394104, 'AR_large': 0.390142}


def scene(seed):
    """(annotations, results): areas of masks are a part of their boxes; every tenth is a crowd."""
    random = np.random.default_rng(seed)
    images = [{'id': 100 + 3 * number, 'file_name': f'{number}.jpg', 'height': 300, 'width': 400}
              for number in range(30)]
    objects, results = [], []
    for number in range(240):
        x, y, width, height = (float(value) for value in random.integers([0, 0, 8, 8],
                                                                         [250, 150, 150, 150]))
        row = {'id': number + 1, 'image_id': images[number % 30]['id'],
               'category_id': [1, 3, 18][number % 3], 'bbox': [x, y, width, height],
               'area': round(width * height * random.uniform(.3, .9), 2),
               'iscrowd': int(number % 10 == 9)}
        objects.append(row)
        for _ in range(random.integers(3)):
            dx, dy, dw, dh = random.normal(0, .08, 4) * [width, height, width, height]
            results.append({'image_id': row['image_id'],
                            'category_id': row['category_id'] if random.random() < .85 else 3,
                            'bbox': [x + dx, y + dy, max(2., width + dw), max(2., height + dh)],
                            'score': round(float(random.random()), 4)})
    names = {1: 'person', 3: 'car', 18: 'dog'}
    return {'images': images, 'annotations': objects, 'categories': [
        {'id': key, 'name': name} for key, name in names.items()]}, results


def _write(folder, annotations, results):
    (folder / 'a.json').write_text(json.dumps(annotations))
    (folder / 'r.json').write_text(json.dumps(results))
    return folder / 'r.json', folder / 'a.json'


def test_pycocotools_numbers(tmp_path):
    found = coco_files.evaluate(*_write(tmp_path, *scene(7)))
    assert found == pytest.approx(PYCOCOTOOLS, abs=1e-6)


@pytest.mark.parametrize('area', [{}, {'area': None}, {'area': '12'}])
def test_annotations_without_area_have_that_of_their_box(tmp_path, area):
    truth, results = scene(7)
    for row in truth['annotations']:
        del row['area']
        row |= area
    found = coco_files.evaluate(*_write(tmp_path, truth, results))
    assert found == pytest.approx(BOX_AREAS, abs=1e-6)


def test_ids_as_tables_of_numbers_write_them(tmp_path):
    truth, results = scene(7)
    for row in truth['annotations'][::2] + results[1::2]:
        row |= {'image_id': float(row['image_id']), 'category_id': float(row['category_id'])}
    for row in truth['images'] + truth['categories']:
        row['id'] = float(row['id'])
    found = coco_files.evaluate(*_write(tmp_path, truth, results))
    assert found == pytest.approx(PYCOCOTOOLS, abs=1e-6)


def test_a_part_of_the_images(tmp_path):
    """Annotations of images that the file does not list are none of this part."""
    truth = scene(7)[0]
    truth['images'] = truth['images'][:1]
    here = [row for row in truth['annotations'] if row['image_id'] == 100 and not row['iscrowd']]
    results = [row | {'score': .9} for row in here]
    assert coco_files.evaluate(*_write(tmp_path, truth, results))['AP'] == 1


def test_fractions_of_the_image_are_refused(tmp_path):
    truth, results = scene(7)
    for row in results:
        row['bbox'] = [side / 400 for side in row['bbox']]
    with pytest.raises(DataError, match='r.json: no box reaches beyond .* pixels; boxes have to be '
                       'in pixels, not in fractions'):
        coco_files.evaluate(*_write(tmp_path, truth, results))
    for row in truth['annotations']:
        row['bbox'] = [side / 400 for side in row['bbox']]
    with pytest.raises(DataError, match='a.json: no box reaches beyond .* pixels'):
        coco_files.evaluate(*_write(tmp_path, truth, [GOOD]))


def test_malformed_annotations(tmp_path):
    truth = scene(7)[0]
    for changed, message in (({'bbox': [1, 2, 3]}, 'its bbox is not four finite numbers'),
                             ({'bbox': None}, 'its bbox is not four'), (3, 'it lacks one of')):
        row = truth['annotations'][0]
        rows = [row, row | changed if isinstance(changed, dict) else changed]
        with pytest.raises(DataError, match=f'a.json, annotation 2: {message}'):
            coco_files.evaluate(*_write(tmp_path, truth | {'annotations': rows}, [GOOD]))


def test_ids_of_the_annotations(tmp_path):
    _, path = _write(tmp_path, scene(7)[0], [])
    found = {'val/103': Detection(np.array([[10., 20, 40, 80.004]]), np.array([2]),
                                  np.array([.25])),
             'val/100': Detection(np.zeros([0, 4]), np.zeros(0, int), np.zeros(0))}
    coco_files.write_results(tmp_path / 'new/out.json', ('person', 'car', 'dog'), found, str(path))
    assert json.loads((tmp_path / 'new/out.json').read_text()) == [
        {'image_id': 103, 'category_id': 3, 'bbox': [20, 10, 60, 30], 'score': .25}]
    coco_files.write_results(tmp_path / 'same.json', ('Person', 'CAR', 'dog'), found, str(path))
    assert (tmp_path / 'same.json').read_text() == (tmp_path / 'new/out.json').read_text()
    for classes, name, message in ((('person', 'cat'), 'val/103', 'has no category cat'),
                                   (('person', 'car'), 'val/9', 'has no image 9')):
        with pytest.raises(DataError, match=message):
            coco_files.write_results(tmp_path / 'x.json', classes, {name: found['val/103']},
                                     str(path))


def test_ids_without_annotations(tmp_path):
    one = Detection(np.array([[0., 0, 1, 1]]), np.array([2]), np.array([.5]))
    coco_files.write_results(tmp_path / 'x.json', ('a', 'b'), {'s/000012': one, 's/cat_1': one})
    rows = json.loads((tmp_path / 'x.json').read_text())
    assert [(row['image_id'], row['category_id']) for row in rows] == [(12, 2), ('cat_1', 2)]


GOOD = {'image_id': 103, 'category_id': 3, 'bbox': [1, 2, 3, 4], 'score': .5}


@pytest.mark.parametrize('changed, message', [
    ({'bbox': []}, 'its bbox is not four finite'), ({'bbox': None}, 'its bbox is not four finite'),
    ({'score': '.5'}, 'its score is no finite'), ({'score': float('nan')}, 'its score is no'),
    ({'bbox': [1, 2, 3, 10**400]}, 'its bbox is not four finite'),
    ({'image_id': 1}, 'image 1 is not in'), ({'category_id': 2}, 'category 2 is not in')])
def test_bad_results(tmp_path, changed, message):
    with pytest.raises(DataError, match=f'r.json, result 2: .*{message}'):
        coco_files.evaluate(*_write(tmp_path, scene(7)[0], [GOOD, GOOD | changed]))


def test_bad_files(tmp_path):
    without = {key: value for key, value in scene(7)[0].items() if key != 'annotations'}
    for annotations, results, message in (
            ({}, [], "a.json is no file of annotations: it lacks one of"),
            (without, [], "it lacks one of"), (scene(7)[0], {}, 'r.json is no list of results'),
            (scene(7)[0], [{'image_id': 1}], 'result 1: it lacks one of image_id')):
        with pytest.raises(DataError, match=message):
            coco_files.evaluate(*_write(tmp_path, annotations, results))


def test_an_id_as_text_is_the_same_image(tmp_path):
    found = [coco_files.evaluate(*_write(tmp_path, scene(7)[0], [GOOD | {'image_id': name}]))
             for name in (103, '103')]
    assert found[0] == found[1]


def test_no_results(tmp_path):
    assert set(coco_files.evaluate(*_write(tmp_path, scene(7)[0], [])).values()) == {0}
    medium = scene(7)[0]
    medium['annotations'] = [row | {'area': 2000.} for row in medium['annotations']]
    found = coco_files.evaluate(*_write(tmp_path, medium, []))
    assert found['AP'] == found['AP_medium'] == found['AR_medium'] == 0
    assert np.isnan([found['AP_small'], found['AP_large'], found['AR_large']]).all()
    (tmp_path / 'r.json').write_text('{')
    with pytest.raises(DataError, match='malformed JSON'):
        coco_files.evaluate(tmp_path / 'r.json', tmp_path / 'a.json')
