"""COCO's JSON: coordinates, ids with gaps, crowds, and everything that can be wrong with a file."""
import json

import numpy as np
import pytest

from datasets import annotations
from datasets.readers import coco
from utils.errors import DataError

IMAGE = {'id': 7, 'file_name': 'a.jpg', 'height': 50, 'width': 100}
CATEGORIES = [{'id': 90, 'name': 'toothbrush'}, {'id': 3, 'name': 'car'}, {'id': 17, 'name': 'cat'}]


@pytest.fixture
def load(tmp_path):
    """Writes a COCO file of the given tables and reads it."""
    (tmp_path / 'a.jpg').write_bytes(b'')

    def write(images=(IMAGE,), rows=(), categories=CATEGORIES):
        path = tmp_path / 'train.json'
        path.write_text(
            json.dumps(
                {'images': list(images), 'annotations': list(rows), 'categories': categories}
            )
        )
        return coco.Instances(path)
    return write


def _row(**more):
    return {'id': 5, 'image_id': 7, 'category_id': 3, 'bbox': [10, 5, 20, 10], 'iscrowd': 0} | more


def test_classes_follow_the_ids_with_gaps(load):
    assert load().classes == ('car', 'cat', 'toothbrush')


@pytest.mark.parametrize('ids, order', [
    (['10', 9, '-1'], 'cba'), (['b', '--5', 7], 'cba'), (['9' * 5000, '²', 7], 'cab')])
def test_classes_follow_numbers_then_other_ids(load, ids, order):
    # '--5' and '²' are no numbers, and one of 5,000 digits is none that Python reads.
    categories = [{'id': key, 'name': name} for key, name in zip(ids, 'abc', strict=True)]
    assert load(categories=categories).classes == tuple(order)


def test_box_of_the_whole_image():
    assert coco.coco_object('cat', (0, 0, 100, 50)).edges == (0, 0, 50, 100)
    assert coco.coco_object('cat', (12.5, 5, 25, 10)).edges == (5, 12.5, 15, 37.5)


def test_objects(load, tmp_path):
    source = load(
        rows=[
            _row(segmentation=[[1, 2, 3, 4]]),
            _row(id=6, category_id=90, bbox=[0.5, 0.5, 1, 1], iscrowd=1),
        ]
    )
    found = source.read('7')
    assert (found.image, found.size) == (tmp_path / 'a.jpg', (50, 100))
    assert found.where == f'{tmp_path}/train.json: image 7 (a.jpg)'
    objects = annotations.usable(found.objects, 50, 100, source.classes, found.where)
    np.testing.assert_allclose(objects.boxes, [[.1, .1, .3, .3], [.01, .005, .03, .015]], rtol=1e-6)
    assert (objects.labels.tolist(), objects.difficult.tolist()) == ([1, 3], [False, True])
    assert objects.crowd.tolist() == [False, True]
    assert not objects.truncated.any() and objects.refused == ()


def test_images_without_annotations_are_background(load):
    source = load(images=[IMAGE, {'id': 'b', 'file_name': './sub/b.jpg'}])
    assert (source.image_ids(), source.read('7').objects, source.notes()) == (['7', 'b'], [], [])
    with pytest.raises(DataError, match=r'image b: image is missing: .*/sub/b.jpg.; sea'):
        source.read('b')


@pytest.mark.parametrize(
    'row, reason',
    [
        (
            _row(bbox=[10, 5, 0, 10]),
            'annotation 5 (car): box x 10 y 5 width 0 height 10 has no area',
        ),
        (
            _row(bbox=[10, 5, 3, -1]),
            'annotation 5 (car): box x 10 y 5 width 3 height -1 has no area',
        ),
        (
            _row(bbox=[float('nan'), 5, 3, 1]),
            'annotation 5 (car): box x nan y 5 width 3 height 1 is not finite',
        ),
        (
            _row(bbox=[0, 0, float('inf'), 1]),
            'annotation 5 (car): box x 0 y 0 width inf height 1 is not finite',
        ),
        (
            _row(bbox=[100, 5, 3, 1]),
            'annotation 5 (car): box x 100 y 5 width 3 height 1 lies outside the 100 x 50 image',
        ),
        (
            _row(bbox=[1, 5, 1e-12, 1]),
            'annotation 5 (car): box x 1 y 5 width 1e-12 height 1 lies outside',
        ),
        (_row(bbox=[1, 2, 3]), 'annotation 5 (car): bbox is not four numbers'),
        (_row(bbox=['x', 2, 3, 4]), 'annotation 5 (car): bbox is not four numbers'),
        (_row(bbox=[True, 2, 3, 4]), 'annotation 5 (car): bbox is not four numbers'),
        (_row(bbox=[10**400, 2, 3, 4]), 'annotation 5 (car): bbox is not four numbers'),
        ({'image_id': 7, 'category_id': 3}, 'annotation number 1 (car): bbox is not four numbers'),
        (_row(category_id=4), 'annotation 5: there is no category 4'),
        (_row(category_id=[4]), 'annotation 5: there is no category [4]'),
    ],
)
def test_bad_objects_are_refused_with_file_image_and_annotation(load, row, reason):
    source = load(rows=[row, _row(id=6)])
    found = source.read('7')
    objects = annotations.usable(found.objects, 50, 100, source.classes, found.where)
    refused = found.refused + objects.refused
    assert len(refused) == 1 and refused[0].startswith(f'{found.where}: {reason}')
    assert objects.labels.tolist() == [1]


def test_boxes_are_clipped_and_counted(load):
    found = annotations.usable(
        load(rows=[_row(bbox=[-10, -10, 200, 35])]).read('7').objects, 50, 100, ('car',), ''
    )
    assert found.boxes.tolist() == [[0, 0, .5, 1]] and found.clipped == 1


def test_annotation_that_stands_twice_counts_once(load):
    found = load(rows=[_row(), _row()]).read('7')
    assert len(found.objects) == 1 and found.refused[0].endswith(
        '(a.jpg): annotation 5: its id stands twice'
    )


def test_annotations_of_images_that_are_not_listed(load):
    source = load(rows=[_row(image_id=8), _row(id=9, image_id=[7]), _row(id=10)])
    assert len(source.read('7').objects) == 1
    assert source.notes() == [
        f'{source.path}: annotations of images that it does not list, which are left out: 2, first '
        'annotation 5 of image 8'
    ]


@pytest.mark.parametrize(
    'name',
    [
        '../a.jpg',
        '/etc/passwd',
        'sub/../../a.jpg',
        'C:\\a.jpg',
        'c:a.jpg',
        '\\\\host\\a.jpg',
        'sub\\..\\..\\a.jpg',
        '\\a.jpg',
    ],
)
def test_file_names_of_other_machines_mean_the_file_here(load, tmp_path, name):
    (tmp_path.parent / 'a.jpg').write_bytes(b'')  # outside of the folder: is never read
    if name == '/etc/passwd':
        with pytest.raises(DataError, match='image 7: image is missing: ./etc/passwd.; searched'):
            load(images=[IMAGE | {'file_name': name}]).read('7')
    else:
        assert load(images=[IMAGE | {'file_name': name}]).read('7').image == tmp_path / 'a.jpg'


@pytest.mark.parametrize('name', [None, 5, '', 'a\0.jpg', 'a\nb.jpg', '\ud800.jpg', ['a.jpg']])
def test_file_names_that_are_none(load, name):
    with pytest.raises(DataError, match='train.json: image 7: file name .* is none') as error:
        load(images=[IMAGE | {'file_name': name}]).read('7')
    assert '\n' not in str(error.value)


def test_file_name_that_is_too_long(load):
    with pytest.raises(DataError, match='image is missing'):
        load(images=[IMAGE | {'file_name': 'a' * 5000}]).read('7')


@pytest.mark.parametrize(
    'size', [{}, {'height': None, 'width': 3}, {'height': '5x', 'width': '100'}, {'height': 5}]
)
def test_size_may_be_missing(load, size):
    assert load(images=[{'id': 7, 'file_name': 'a.jpg'} | size]).read('7').size is None


@pytest.mark.parametrize(
    'tables, message',
    [
        ({'images': [IMAGE, IMAGE | {'file_name': 'b.jpg'}]}, "id 7 stands twice in 'images'"),
        ({'images': [IMAGE, IMAGE | {'id': '7'}]}, "id 7 stands twice in 'images'"),
        (
            {'images': [IMAGE, {'id': 8, 'file_name': './a.jpg'}]},
            'images 7 and 8 are the same file ./a.jpg',
        ),
        ({'images': [{'file_name': 'a.jpg'}]}, "number 1 of 'images' has no id"),
        (
            {'images': ['a.jpg']},
            "no list 'images'; COCO's format for instances has images, annotations and categories",
        ),
        (
            {'categories': [{'id': 1, 'name': 'cat'}, {'id': 1, 'name': 'dog'}]},
            "id 1 stands twice in 'categories'",
        ),
        (
            {'categories': [{'id': 1, 'name': 'cat'}, {'id': 2, 'name': 'cat'}]},
            'categories names cat twice',
        ),
        ({'categories': [{'id': 1}]}, "categories has the class name ''"),
        ({'categories': [{'id': 1, 'name': 'a\nb'}]}, 'categories has the class name'),
        ({'categories': []}, 'categories is empty'),
        ({'categories': {}}, "no list 'categories'"),
        ({'rows': [3]}, "no list 'annotations'"),
    ],
)
def test_ambiguous_files_are_refused(load, tables, message):
    with pytest.raises(DataError, match=f'train.json: {message}') as error:
        load(**tables)
    assert '\n' not in str(error.value)


@pytest.mark.parametrize(
    'data, message',
    [
        (b'', 'malformed JSON'),
        (b'{"images": [', 'malformed JSON'),
        (b'\xff\xfe', 'malformed JSON'),
        (b'[' * 100000, 'malformed JSON'),
        (b'[]', "no list 'categories'"),
        (b'null', "no list 'categories'"),
        (b'{"images": [], "categories": []}', 'categories is empty'),
    ],
)
def test_files_that_are_no_coco(tmp_path, data, message):
    (tmp_path / 'train.json').write_bytes(data)
    with pytest.raises(DataError, match=f'train.json: {message}') as error:
        coco.Instances(tmp_path / 'train.json')
    assert '\n' not in str(error.value)


def test_missing_files(tmp_path, load):
    with pytest.raises(DataError, match='no COCO file at .*nowhere.json'):
        coco.Instances(tmp_path / 'nowhere.json')
    with pytest.raises(DataError, match='no image folder at nowhere'):
        coco.Instances(tmp_path / 'train.json', ['nowhere'])
    with pytest.raises(DataError, match='cannot be read: Is a directory'):
        coco.Instances(tmp_path, [tmp_path])
    with pytest.raises(DataError, match='train.json: no images'):
        load(images=[]).image_ids()


def test_file_with_a_byte_order_mark(tmp_path):
    text = json.dumps({'images': [IMAGE], 'annotations': [], 'categories': CATEGORIES})
    (tmp_path / 'train.json').write_text(text, encoding='utf-8-sig')
    assert coco.Instances(tmp_path / 'train.json').image_ids() == ['7']


def test_a_made_up_root_category_is_left_out(load):
    root = {'id': 0, 'name': 'fish-tank', 'supercategory': 'none'}
    fish = {'id': 1, 'name': 'fish', 'supercategory': 'fish-tank'}
    found = load(rows=[_row(category_id=1)], categories=[root, fish])
    assert found.classes == ('fish',)
    assert [line.split(': ')[1] for line in found.notes()] == [
        'category fish-tank, which no annotation has, is left out']
    # Of one name twice, the one that is used; and an unused class of its own stays.
    assert load(rows=[_row(category_id=1)], categories=[root | {'name': 'fish'}, fish]
                ).classes == ('fish',)
    assert load(rows=[_row(category_id=1)], categories=[root, fish | {'supercategory': 'none'}]
                ).classes == ('fish-tank', 'fish')


def test_files_of_one_name_are_called_by_their_folder(load, tmp_path):
    load()
    (tmp_path / 'valid').mkdir()
    (tmp_path / 'train.json').rename(tmp_path / 'valid/_annotations.coco.json')
    assert coco.Instances(tmp_path / 'valid/_annotations.coco.json').name == 'valid'


@pytest.mark.parametrize('images, image_id, category_id', [
    (7, 7.0, 3.0), (7.0, 7, 3), ('7', 7, '3'), (7, '7', '3.0'), ('000007', 7, '003'),
    (7, '007', 3)])
def test_ids_as_other_programs_write_them(load, images, image_id, category_id):
    row = _row(image_id=image_id, category_id=category_id, iscrowd='0', id=5.0)
    source = load(images=[IMAGE | {'id': images}], rows=[row])
    [key] = source.image_ids()
    assert key == ('000007' if images == '000007' else '7')
    assert [item.name for item in source.read(key).objects] == ['car'] and source.notes() == []


def test_numbers_as_text(load):
    rows = [_row(bbox=['10', '5', 20, 10.0], iscrowd=1.0), _row(id=6, bbox='[10, 5, 20, 10]')]
    found = load(images=[IMAGE | {'height': '50', 'width': 100.0}], rows=rows).read('7')
    assert found.size == (50, 100)
    assert [(item.edges, item.crowd) for item in found.objects] == [
        ((5, 10, 15, 30), True), ((5, 10, 15, 30), False)]


def test_polygons_where_there_is_no_box(load):
    square = [[10, 5, 30, 5, 30, 15], [12, 5, 13, 9]]
    rows = [_row(id=n, bbox=box, segmentation=outline) for n, (box, outline) in enumerate([
        ([], square), (None, square), ([1, 2, 3, 4], square), ([], {'counts': 'x'})])]
    found = load(rows=rows).read('7')
    assert [item.edges for item in found.objects] == [
        (5, 10, 15, 30), (5, 10, 15, 30), (2, 1, 6, 4)]
    assert found.refused[0].endswith('bbox is not four numbers, and there is no polygon')


def test_the_background_is_no_category(load):
    names = [{'id': 0, 'name': 'background'}, {'id': 3, 'name': 'car'}]
    found = load(rows=[_row()], categories=names)
    assert found.classes == ('car',) and 'category background, which no' in found.notes()[0]
    assert load(rows=[_row(category_id=0)], categories=names).classes == ('background', 'car')


def test_numberings(load):
    source = load(rows=[_row(category_id=90, image_id=8.0)])
    assert [(one.used, one.known) for one in source.numberings()] == [
        ({'90'}, {'3', '17', '90'}), ({'8'}, {'7'})]
