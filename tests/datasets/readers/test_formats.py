"""YOLO, LabelMe and CSV, and the format that a folder's files tell."""
import base64
import json

import numpy as np
import pytest
from PIL import Image

from datasets.readers import boxes_csv, formats, labelme, sources, yolo
from utils.errors import DataError

XML = ('<annotation><object><name>cat</name><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>30</xmax>'
       '<ymax>40</ymax></bndbox></object></annotation>')
COCO = {'images': [{'id': 1, 'file_name': 'a.jpg', 'height': 50, 'width': 100}],
        'annotations': [{'id': 1, 'image_id': 1, 'category_id': 1, 'bbox': [1, 2, 3, 4]}],
        'categories': [{'id': 1, 'name': 'cat'}]}
TABLE = 'filename,width,height,class,xmin,ymin,xmax,ymax\na.jpg,100,50,cat,10,5,30,25\n'


def _image(path, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new('RGB', (100, 50)).save(path, **options)


def _text(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding='utf-8')


def _found(path):
    """(format, {source: its images}, its lists of classes) of a folder."""
    kind, origins, _ = formats.recognise(path)
    return kind, {origin.name: origin.image_ids() for origin in origins}, {
        origin.classes for origin in origins}


def test_yolo(tmp_path):
    _text(tmp_path / 'data.yaml', 'nc: 2\nnames: {0: cat, 1: big dog}\n')
    for name in ('a b', 'empty', 'bad', 'without'):
        _image(tmp_path / f'images/{name}.jpg')
    _text(tmp_path / 'labels/a b.txt', '1 .5 .5 .2 .4\n\n0 0 0 .5 0 .5 1 0 1\n')
    _text(tmp_path / 'labels/empty.txt', '')
    _text(tmp_path / 'labels/bad.txt', '2 .5 .5 .1 .1\n0 .5 .5\nx\n-1 .5 .5 .1 .1\n'
                                     '0 .5 .5 .1 nan\n')
    kind, images, classes = _found(tmp_path)
    assert (kind, classes) == ('YOLO', {('cat', 'big dog')})
    assert images == {tmp_path.name: ['a b', 'bad', 'empty']}
    [source] = formats.recognise(tmp_path)[1]
    found = source.read('a b')
    assert (found.size, [item.name for item in found.objects]) == ((50, 100), ['big dog', 'cat'])
    np.testing.assert_allclose([item.edges for item in found.objects],
                               [(15, 40, 35, 60), (0, 0, 50, 50)])
    assert source.read('empty').objects == [] and source.read('empty').refused == ()
    assert [line.split('bad.txt, ')[1] for line in source.read('bad').refused] == [
        'line 1: class 2, but the last of the 2 names is 1',
        "line 2: '0 .5 .5' is not 'class cx cy width height', nor a polygon",
        "line 3: 'x' has words that are no numbers",
        "line 4: '-1 .5 .5 .1 .1' has no class number, or a number that is not finite",
        "line 5: '0 .5 .5 .1 nan' has no class number, or a number that is not finite"]
    assert source.notes() == [
        f'{tmp_path}: images without a text file, which are left out: 1, first images/without.jpg. '
        'An image without objects has an empty one']


def test_yolo_counts_in_the_upright_image(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    _image(tmp_path / 'a.jpg', exif=exif)
    assert yolo.upright_size(tmp_path / 'a.jpg') == (100, 50)


@pytest.mark.parametrize('order', ['{}/images', 'images/{}'])
def test_yolo_in_three_folders(tmp_path, order):
    _text(tmp_path / 'data.yaml', 'train: ../train/images\nval: ../valid/images\n'
                                  'test: ../test/images\nnc: 1\nnames: [cat]\n')  # Roboflow's
    for part in ('train', 'valid', 'test'):
        _image(tmp_path / order.format(part) / 'a.jpg')
        _text(tmp_path / order.replace('images', 'labels').format(part) / 'a.txt', '0 .5 .5 .1 .1')
    assert _found(tmp_path) == (
        'YOLO', {'train': ['a'], 'valid': ['a'], 'test': ['a']}, {('cat',)})
    assert _found(tmp_path / 'data.yaml')[0] == 'YOLO'
    subsets, _ = sources.by_name(formats.recognise(tmp_path)[1])
    assert sorted((one.purpose, one.image_set) for one in subsets) == [
        ('test', 'test'), ('test', 'valid'), ('train', 'train')]
    subsets, _ = sources.by_name(formats.recognise(tmp_path)[1], ['valid', 'train'])
    assert sorted(one.image_set for one in subsets) == ['train', 'valid']
    with pytest.raises(DataError, match='there are no images called val; there are: '):
        sources.by_name(formats.recognise(tmp_path)[1], ['val'])


def test_yolo_in_folders_with_a_year(tmp_path):
    for part in ('train2017', 'val2017'):
        _image(tmp_path / f'coco/images/{part}/a.jpg')
        _text(tmp_path / f'coco/labels/{part}/a.txt', '0 .5 .5 .1 .1')
    _text(tmp_path / 'coco/classes.txt', 'cat\n')
    assert _found(tmp_path) == ('YOLO', {'train2017': ['a'], 'val2017': ['a']}, {('cat',)})
    subsets, _ = sources.by_name(formats.recognise(tmp_path)[1])
    assert [one.purpose for one in subsets] == ['train', 'test']


def test_yolo_without_names(tmp_path):
    _image(tmp_path / 'a.jpg')
    _text(tmp_path / 'a.txt', '0 .5 .5 .1 .1')
    with pytest.raises(DataError, match='has text files of boxes, but no data.yaml, classes'):
        formats.recognise(tmp_path)
    _text(tmp_path / 'classes.txt', 'cat\n')
    assert _found(tmp_path)[0] == 'YOLO'
    _text(tmp_path / 'data.yaml', 'names: [')
    with pytest.raises(DataError, match='data.yaml cannot be read: '):
        formats.recognise(tmp_path)


def test_numbers_of_yolo_s_classes(tmp_path):
    _image(tmp_path / 'a.jpg')
    _text(tmp_path / 'a.txt', '1 .5 .5 .1 .1')
    _text(tmp_path / 'data.yaml', 'names: {"1": dog, "0": cat}\n')
    assert _found(tmp_path)[2] == {('cat', 'dog')}
    _text(tmp_path / 'data.yaml', 'names: {0: cat, 2: dog}\n')
    with pytest.raises(DataError, match='data.yaml: names lacks the number 1'):
        formats.recognise(tmp_path)


def test_names_of_classes_beside_yolo_s_text_files(tmp_path):
    _image(tmp_path / 'images/train/a.jpg')
    _text(tmp_path / 'labels/train/a.txt', '0 .5 .5 .1 .1')
    _text(tmp_path / 'labels/train/classes.txt', 'cat\n')
    assert _found(tmp_path) == ('YOLO', {'train': ['a']}, {('cat',)})


def test_labelme(tmp_path):
    def shape(kind, *points, label='cat'):
        return {'label': label, 'points': points, 'shape_type': kind}
    _image(tmp_path / 'a.jpg')
    shapes = [shape('rectangle', [30, 25], [10, 5]), shape('polygon', [1, 2], [9, 3], [4, 8]),
              shape('circle', [50, 20], [53, 24], label='dog'), shape('point', [1, 1]),
              shape('rectangle', [1, 1], [2, 2], label=' '), shape('polygon', 'x'),
              shape('mask', [1, 2], [3, 4]), shape('rotation', [5, 0], [9, 4], [5, 8], [1, 4])]
    _text(tmp_path / 'a.json', json.dumps(
        {'shapes': shapes, 'imagePath': '..\\x\\a.jpg', 'imageHeight': 50, 'imageWidth': 100}))
    assert _found(tmp_path) == ('LabelMe', {tmp_path.name: ['a']}, {()})
    found = labelme.Shapes(tmp_path, 'x').read('a')
    assert [(item.name, item.edges) for item in found.objects] == [
        ('cat', (5, 10, 25, 30)), ('cat', (2, 1, 8, 9)), ('dog', (15, 45, 25, 55)),
        ('cat', (2, 1, 4, 3)), ('cat', (0, 1, 8, 9))]
    assert [line.split('a.json: ')[1] for line in found.refused[:2]] == [
        'shape 4: a point of 1 points is no area', 'shape 5: it has no label']
    assert len(found.refused) == 3 and found.size == (50, 100)
    _text(tmp_path / 'b.json', json.dumps({'shapes': [], 'imagePath': '../a.png'}))
    with pytest.raises(DataError, match="b.json: image is missing: '../a.png' or 'b'; searched: "):
        labelme.Shapes(tmp_path, 'x').read('b')


def test_csv(tmp_path):
    _image(tmp_path / 'images/a.jpg')
    _text(tmp_path / 'boxes.csv', TABLE + 'a.jpg,100,50,dog,1,x,3,4\n\nb.jpg,100,50,dog,1,2,3,4\n')
    assert _found(tmp_path) == ('CSV', {tmp_path.name: ['a.jpg', 'b.jpg']}, {()})
    source = boxes_csv.Table(tmp_path / 'boxes.csv', 'x')
    found = source.read('a.jpg')
    assert [(item.name, item.edges) for item in found.objects] == [('cat', (5, 10, 25, 30))]
    assert found.refused == (f'{tmp_path}/boxes.csv, line 3: a box or a class is missing',)
    with pytest.raises(DataError, match=r'boxes.csv, line 5: image is missing: .b.jpg.'):
        source.read('b.jpg')


def test_csv_without_names_of_columns(tmp_path):
    _text(tmp_path / 'boxes.csv', 'a.jpg,10,5,30,25,cat\n')
    assert boxes_csv.Table(tmp_path / 'boxes.csv', 'x').image_ids() == ['a.jpg']
    _text(tmp_path / 'boxes.csv', 'a,b\n1,2\n')
    with pytest.raises(DataError, match='has no columns for image, xmin, ymin, xmax, ymax; it has: '
                                        'a, b. What is read: filename,class,xmin,ymin,xmax,ymax'):
        boxes_csv.Table(tmp_path / 'boxes.csv', 'x')
    _text(tmp_path / 'boxes.csv', '')
    with pytest.raises(DataError, match='its first row has no columns'):
        formats.recognise(tmp_path / 'boxes.csv')


@pytest.mark.parametrize('separator', ',;\t')
def test_csv_separators_and_images_without_objects(tmp_path, separator):
    _image(tmp_path / 'a.jpg')
    _image(tmp_path / 'b.jpg')
    for text in ('filename,class,xmin,ymin,xmax,ymax\na.jpg,,,,,\nb.jpg,"c, d; e",1,2,3,4\n',
                 'a.jpg,,,,,\nb.jpg,1,2,3,4,"c, d; e"\n'):
        _text(tmp_path / 'boxes.csv', text.replace('c, d', '@').replace('; e', '#').replace(
            ',', separator).replace('@', 'c, d').replace('#', '; e'))
        [source] = formats.recognise(tmp_path)[1]
        empty, found = source.read('a.jpg'), source.read('b.jpg')
        assert (empty.objects, empty.refused) == ([], ())
        assert [(item.name, item.edges) for item in found.objects] == [('c, d; e', (2, 1, 4, 3))]


@pytest.mark.parametrize('kind, name, text', [
    ('VOC', 'a.xml', XML), ('COCO', '_annotations.coco.json', json.dumps(COCO)),
    ('CSV', '_annotations.csv', TABLE)])
def test_exports_in_three_folders(tmp_path, kind, name, text):
    for part in ('train', 'valid', 'test'):
        _image(tmp_path / part / 'a.jpg')
        _text(tmp_path / part / name, text)
    found = _found(tmp_path)
    assert found[0] == kind and set(found[1]) == {'train', 'valid', 'test'}


def test_lists_of_voc(tmp_path):
    for name in ('train', 'val', 'trainval', 'cat_train', 'mine'):
        _text(tmp_path / f'ImageSets/Main/{name}.txt', 'a\n')
    _text(tmp_path / 'Annotations/a.xml', XML)
    subsets, _ = sources.by_name(formats.recognise(tmp_path)[1])
    assert [(one.image_set, one.ids) for one in subsets] == [('train', ['a']), ('val', ['a'])]


def test_a_folder_of_voc_folders(tmp_path):
    for name in ('VOC2007', 'VOC2012'):
        _text(tmp_path / f'VOCdevkit/{name}/ImageSets/Main/train.txt', 'a\n')
        _text(tmp_path / f'VOCdevkit/{name}/Annotations/a.xml', XML)
        _image(tmp_path / f'VOCdevkit/{name}/JPEGImages/a.jpg')
    for path in (tmp_path, tmp_path / 'VOCdevkit'):
        assert _found(path) == ('VOC', {'VOC2007': ['a'], 'VOC2012': ['a']}, {()})
        assert all(origin.notes() == [] for origin in formats.recognise(path)[1])
    found = sources.voc_folders([f'{tmp_path}/VOCdevkit', f'{tmp_path}/VOCdevkit/VOC2007/'])
    assert [folder.name for folder in found] == ['VOC2007', 'VOC2012']


@pytest.mark.parametrize('kind, files', [
    ('VOC', {'Annotations/a.xml': XML}), ('VOC', {'train/a.xml': XML}),
    ('COCO', {'annotations/instances_train.json': json.dumps(COCO)}),
    ('YOLO', {'data.yaml': 'names: [cat]', 'train/labels/a.txt': '0 .5 .5 .1 .1'})])
def test_an_archive_s_folder_in_a_folder(tmp_path, kind, files):
    for name, text in files.items():
        _text(tmp_path / 'set/set' / name, text)
    for place in ('JPEGImages', 'train', 'train/images'):
        _image(tmp_path / 'set/set' / place / 'a.jpg')
    _text(tmp_path / 'README.txt', 'From ...')
    (tmp_path / '__MACOSX/set').mkdir(parents=True)
    found, origins, _ = formats.recognise(tmp_path)
    assert found == kind
    assert [origin.read(origin.image_ids()[0]).image.name for origin in origins] == ['a.jpg']


def test_a_folder_beside_others_is_not_the_data(tmp_path):
    _text(tmp_path / 'boxes.csv', TABLE.replace('a.jpg', 'set/images/a.jpg'))
    _image(tmp_path / 'set/images/a.jpg')
    assert _found(tmp_path)[0] == 'CSV'
    _text(tmp_path / 'boxes.csv', '')
    _text(tmp_path / 'first/images/a.xml', XML)
    _text(tmp_path / 'second/a.xml', XML)
    assert _found(tmp_path)[1] == {tmp_path.name: ['first/images/a', 'second/a']}


def test_a_table_of_cocos_folders(tmp_path):
    _image(tmp_path / 'train2017/a.jpg')
    _text(tmp_path / 'annotations/instances_train2017.json', json.dumps(COCO))
    # Captions have no categories, keypoints are of the same images.
    captions = COCO | {'annotations': [{'id': 1, 'image_id': 1, 'caption': 'a cat'}]}
    del captions['categories']
    _text(tmp_path / 'annotations/captions_train2017.json', json.dumps(captions))
    _text(tmp_path / 'annotations/person_keypoints_train2017.json', json.dumps(COCO))
    for path in (tmp_path, tmp_path / 'annotations',
                 tmp_path / 'annotations/instances_train2017.json'):
        [source] = formats.recognise(path)[1]
        assert source.name == 'instances_train2017'
        assert source.read('1').image == tmp_path / 'train2017/a.jpg'
    [file] = sources.coco_files([f'{tmp_path}/annotations/instances_train2017.json'], [])
    assert file.read('1').image == tmp_path / 'train2017/a.jpg'


def test_coco_files_of_windows(tmp_path):
    _image(tmp_path / 'mine/a.jpg')
    row = {'id': 1, 'file_name': 'mine\\a.jpg', 'height': 50, 'width': 100}
    _text(tmp_path / 'annotations/all.json', json.dumps(COCO | {'images': [row]}))
    [source] = formats.recognise(tmp_path)[1]
    assert source.read('1').image == tmp_path / 'mine/a.jpg'


def test_coco_files_beside_the_folders_of_their_images(tmp_path):
    for part in ('train', 'val'):
        _image(tmp_path / part / 'a.jpg')
        _text(tmp_path / f'annotations/{part}.json', json.dumps(COCO))
    assert [source.read('1').image for source in formats.recognise(tmp_path)[1]] == [
        tmp_path / 'train/a.jpg', tmp_path / 'val/a.jpg']


def test_what_is_not_read_is_told(tmp_path):
    with pytest.raises(DataError, match='nothing at .*nowhere'):
        formats.recognise(tmp_path / 'nowhere')
    _text(tmp_path / 'data.mat', 'x')
    with pytest.raises(DataError, match='no annotations that are read; it holds 1 .mat. What is '
                                        r'read: VOC \(XML files\), COCO'):
        formats.recognise(tmp_path)
    _text(tmp_path / 'a.csv', 'x,y\n')
    _text(tmp_path / 'b.json', '[')
    _text(tmp_path / 'notes.txt', 'hello')
    with pytest.raises(DataError, match='b.json: malformed JSON: Expecting value: line 1 column 2 '
                                        r'\(char 1\); .*a.csv: its first row has no columns for '
                                        'image, xmin, ymin, xmax, ymax; it has: x, y. What is'):
        formats.recognise(tmp_path)
    _text(tmp_path / 'b.json', json.dumps(COCO | {'annotations': None}))
    with pytest.raises(DataError, match="b.json: no list 'annotations'; COCO's format"):
        formats.recognise(tmp_path)
    (tmp_path / 'b.json').unlink()
    with pytest.raises(DataError, match='notes.txt is no file of annotations that is read: VOC'):
        formats.recognise(tmp_path / 'notes.txt')
    _text(tmp_path / 'a.xml', XML)
    assert formats.recognise(tmp_path).notes == [
        f'not read: {tmp_path}/a.csv: its first row has no columns for image, xmin, ymin, xmax, '
        'ymax; it has: x, y. What is read: filename,class,xmin,ymin,xmax,ymax, or '
        'x,y,width,height']
    _text(tmp_path / '_annotations.csv', TABLE)
    with pytest.raises(DataError, match='holds CSV and VOC; name the file or folder of one, or'):
        formats.recognise(tmp_path)


def test_images_in_subfolders(tmp_path):
    for name in ('a/1', 'b/1', 'b/c/2'):
        _image(tmp_path / f'voc/{name}.jpg')
        _text(tmp_path / f'voc/{name}.xml', XML)
        _image(tmp_path / f'labelme/{name}.jpg')
        _text(tmp_path / f'labelme/{name}.json', json.dumps(
            {'shapes': [{'label': 'cat', 'points': [[1, 2], [3, 4]], 'shape_type': 'rectangle'}],
             'imagePath': f'{name[-1]}.jpg'}))
    for kind, folder in (('VOC', 'voc'), ('LabelMe', 'labelme')):
        assert _found(tmp_path / folder)[:2] == (kind, {folder: ['a/1', 'b/1', 'b/c/2']})
        [source] = formats.recognise(tmp_path / folder)[1]
        found = source.read('b/c/2')
        assert found.image == tmp_path / folder / 'b/c/2.jpg'
        assert [item.name for item in found.objects] == ['cat']


def test_annotations_in_a_folder_of_their_folder(tmp_path):
    _image(tmp_path / 'images/1.jpg')
    _text(tmp_path / 'annotations/xmls/1.xml', XML)
    assert _found(tmp_path)[:2] == ('VOC', {tmp_path.name: ['1']})
    [source] = formats.recognise(tmp_path)[1]
    assert source.read('1').image == tmp_path / 'images/1.jpg'


# ---- what other programs write


def _edges(source, image_id):
    found = source.read(image_id)
    assert found.refused == ()
    return [(item.name, tuple(np.round(item.edges, 3))) for item in found.objects]


def test_annotations_in_a_folder_of_any_name(tmp_path):
    for name in ('a', 'b'):
        _image(tmp_path / f'pictures/{name}.jpg')
        _text(tmp_path / f'annots/{name}.xml', XML)
    assert _found(tmp_path)[:2] == ('VOC', {tmp_path.name: ['a', 'b']})
    assert _found(tmp_path / 'annots')[:2] == ('VOC', {'annots': ['a', 'b']})
    for folder in (tmp_path, tmp_path / 'annots'):
        [source] = formats.recognise(folder)[1]
        assert source.read('b').image == tmp_path / 'pictures/b.jpg'


def test_names_of_xml_files(tmp_path):
    for image, name in (('dbl.jpg', 'dbl.jpg'), ('x.jpg', 'x.xml'), ('img_1.jpg', 'IMG_1')):
        _image(tmp_path / image)
        _text(tmp_path / f'{name}.xml', XML)
    [source] = formats.recognise(tmp_path)[1]
    assert {i: source.read(i).image.name for i in source.image_ids()} == {
        'IMG_1': 'img_1.jpg', 'dbl.jpg': 'dbl.jpg', 'x.xml': 'x.jpg'}
    assert source.notes() == []


def test_xml_of_another_program(tmp_path):
    _image(tmp_path / 'images/a.jpg')
    _text(tmp_path / 'annotations.xml', '<annotations><image name="a.jpg"/></annotations>')
    for path in (tmp_path, tmp_path / 'annotations.xml'):
        with pytest.raises(DataError, match='annotations.xml: no VOC annotation: its root is '
                                            '<annotations>, not <annotation>: it is of CVAT; exp'):
            formats.recognise(path)


def test_coco_with_its_images_in_a_folder(tmp_path):
    _image(tmp_path / 'data/a.jpg')
    _text(tmp_path / 'labels.json', json.dumps(COCO))
    [source] = formats.recognise(tmp_path)[1]
    assert source.read('1').image == tmp_path / 'data/a.jpg'


def test_json_of_other_programs(tmp_path):
    for content, said in (
            ({'a.jpg1': {'filename': 'a.jpg', 'regions': []}}, "looks like VIA's, but neither"),
            ([{'image': 'a.jpg', 'annotations': [{'coordinates': {}}]}], "looks like CreateML's"),
            ({'info': {}, 'x': 1}, 'b.json has info, x, but neither images, annotations')):
        _text(tmp_path / 'b.json', json.dumps(content))
        with pytest.raises(DataError, match=f'no annotations that are read; .*{said}'):
            formats.recognise(tmp_path)


@pytest.mark.parametrize('line, expected', [
    ('0 .5 .5 .2 .4 .91', ('cat', (15, 40, 35, 60))), ('0\t.5\t.5\t.2\t.4', (
        'cat', (15, 40, 35, 60)))])
def test_lines_of_yolo(tmp_path, line, expected):
    _image(tmp_path / 'a.jpg')
    _text(tmp_path / 'a.txt', line)
    _text(tmp_path / 'classes.txt', 'cat\n')
    assert _edges(formats.recognise(tmp_path)[1][0], 'a') == [expected]


@pytest.mark.parametrize('line, said', [
    ('0 0,5 0,5 0,2 0,4', "a.txt, line 1: '0,5' is no number: a decimal point is needed"),
    ('0,0.5,0.5,0.2,0.4', "'0,0.5,0.5,0.2,0.4' has commas between its numbers: spaces are needed"),
    ('cat .5 .5 .2 .4', "'cat .5 .5 .2 .4' has words that are no numbers"),
    ('inf .5 .5 .2 .4', 'has no class number, or a number that is not finite'),
    ('0 .5 .5 .2 .4 1 1 2', 'nor a polygon; of key points[?] data.yaml lacks kpt_shape')])
def test_lines_that_are_nearly_yolo(tmp_path, line, said):
    _image(tmp_path / 'a.jpg')
    _text(tmp_path / 'a.txt', line)
    _text(tmp_path / 'classes.txt', 'cat\n')
    with pytest.raises(DataError, match=f'no annotations that are read; .*{said}'):
        formats.recognise(tmp_path)
    _text(tmp_path / 'b.xml', XML)  # beside another format it is a note
    assert 'not read: ' in formats.recognise(tmp_path).notes[0]


def test_key_points(tmp_path):
    _image(tmp_path / 'a.jpg')
    _text(tmp_path / 'a.txt', '0 .5 .5 .2 .4 .1 .1 2 .3 .3 1')
    _text(tmp_path / 'data.yaml', 'names: [cat]\nkpt_shape: [2, 3]\n')
    assert _edges(formats.recognise(tmp_path)[1][0], 'a') == [('cat', (15, 40, 35, 60))]


def test_lists_of_a_data_yaml(tmp_path):
    for name in '123456':
        _image(tmp_path / f'images/all/{name}.jpg')
        _text(tmp_path / f'labels/all/{name}.txt', '0 .5 .5 .1 .1')
    _text(tmp_path / 'train.txt', ''.join(f'./images/all/{n}.jpg\n' for n in '1234'))
    _text(tmp_path / 'val.txt', '/home/me/images/all/5.jpg\n/home/me/images/all/9.jpg\n')
    _text(tmp_path / 'data.yaml', 'path: .\ntrain: train.txt\nval: data/val.txt\nnames: [cat]\n'
                                  'test: nowhere.txt\n')
    expected = [('train', ['1', '2', '3', '4']), ('val', ['5'])]
    subsets, notes = sources.by_name(formats.recognise(tmp_path)[1])
    assert [(one.image_set, one.ids) for one in subsets] == expected
    assert [line.split(': ', 1)[1] for line in notes] == [
        f'{tmp_path.name}/val: names of no annotated image, which are left out: 1, first '
        '/home/me/images/all/9.jpg', f'{tmp_path}/data.yaml: test: nowhere.txt is not there']
    # Darknet's file says the same; and without any such file, the lists themselves do.
    (tmp_path / 'data.yaml').unlink()
    _text(tmp_path / 'obj.names', 'cat\n')
    for _ in range(2):
        subsets, _ = sources.by_name(formats.recognise(tmp_path)[1])
        assert [(one.image_set, one.ids) for one in subsets] == expected
        _text(tmp_path / 'obj.data', 'classes = 1\ntrain = train.txt\nvalid = val.txt\n'
                                     'names = data/obj.names\n')
        expected[1] = ('valid', ['5'])


def test_lists_that_name_nothing(tmp_path):
    _image(tmp_path / 'a.jpg')
    _text(tmp_path / 'a.txt', '0 .5 .5 .1 .1')
    _text(tmp_path / 'data.yaml', 'train: train.txt\nnames: [cat]\n')
    _text(tmp_path / 'train.txt', 'b.jpg\n')
    with pytest.raises(DataError, match='no list names an annotated image; --split=0.8 divides'):
        sources.by_name(formats.recognise(tmp_path)[1])


def test_folders_of_a_data_yaml(tmp_path):
    for part, name in (('one', '1'), ('two', '2')):
        _image(tmp_path / f'images/{part}/{name}.jpg')
        _text(tmp_path / f'labels/{part}/{name}.txt', '0 .5 .5 .1 .1')
    _text(tmp_path / 'data.yaml', 'train: images/one\nval: [images/two]\nnames: [cat]\n')
    subsets, _ = sources.by_name(formats.recognise(tmp_path)[1])
    assert [(one.image_set, one.ids) for one in subsets] == [('train', ['one/1']), (
        'val', ['two/2'])]
    _text(tmp_path / 'data.yaml', 'train: images/one\nval: images/one\nnames: [cat]\n')
    _, notes = sources.by_name(formats.recognise(tmp_path)[1])
    assert 'data.yaml: train and val are the same images' in notes[0]


def test_images_of_labelme_elsewhere(tmp_path):
    shape = {'label': 'cat', 'points': [[1, 2], [3, 4]], 'shape_type': 'rectangle'}
    _image(tmp_path / 'images/a.jpg')
    _text(tmp_path / 'json/a.json', json.dumps({'shapes': [shape],
                                                'imagePath': '..\\images\\a.jpg'}))
    data = base64.b64encode((tmp_path / 'images/a.jpg').read_bytes()).decode()
    _text(tmp_path / 'json/b.json', json.dumps({'shapes': [shape], 'imagePath': 'b.jpg',
                                                'imageData': data, 'imageHeight': 50.0,
                                                'imageWidth': '100'}))
    _text(tmp_path / 'json/c.json', json.dumps({'shapes': [], 'imagePath': '', 'imageData': '!'}))
    [source] = formats.recognise(tmp_path)[1]
    assert source.image_ids() == ['a', 'b', 'c']
    assert source.read('a').image == tmp_path / 'images/a.jpg' and source.read('a').encoded == b''
    found = source.read('b')
    assert found.encoded == (tmp_path / 'images/a.jpg').read_bytes() and found.size == (50, 100)
    with pytest.raises(DataError, match="c.json: its image '' is missing, and imageData is no im"):
        source.read('c')


OPEN = 'ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf\n'


@pytest.mark.parametrize('text, name', [
    ('label_name,bbox_x,bbox_y,bbox_width,bbox_height,image_name,image_width,image_height\n'
     'cat,10,5,20,20,a.jpg,100,50\n', 'cat'),
    ('image,x,y,width,height,class\na.jpg,10,5,20,20,cat\n', 'cat'),
    ('image;left;top;width;height;class\na.jpg;10,0;5,0;20,0;20,0;cat\n', 'cat'),
    ('image,cx,cy,w,h,label\na,20,15,20,20,cat\n', 'cat'),
    ('image_id,width,height,bbox,source\na,100,50,"[10.0, 5.0, 20.0, 20.0]",usask_1\n', 'object'),
    ('location , x1, y1, x2, y2, class_name\na.jpg, 10, 5, 30, 25, cat\n', 'cat'),
    (OPEN + 'a,xclick,/m/1,1,0.1,0.3,0.1,0.5,0,0,0\n', 'Big cat'),
    ('a.jpg,10,5,30,25,cat,100,50\n', 'cat'), ('cat,10,5,20,20,a.jpg,100,50\n', 'cat')])
def test_columns(tmp_path, text, name):
    _image(tmp_path / 'images/a.jpg')
    _text(tmp_path / 'boxes.csv', text)
    _text(tmp_path / 'class-descriptions-boxable.csv', '/m/1,Big cat\n')
    [source] = formats.recognise(tmp_path)[1]
    assert len(source.image_ids()) == 1
    assert _edges(source, source.image_ids()[0]) == [(name, (5, 10, 25, 30))]
    assert ('no column of classes' in ''.join(source.notes())) == (name == 'object')


def test_groups_of_open_images(tmp_path):
    _image(tmp_path / 'a.jpg')
    _text(tmp_path / 'b.csv', OPEN + 'a,x,Cat,1,0.1,0.3,0.1,0.5,0,1,1\n')
    [item] = formats.recognise(tmp_path)[1][0].read('a').objects
    assert (item.crowd, item.difficult, item.truncated) == (True, True, True)


@pytest.mark.parametrize('text, said', [
    ('a.jpg,1,2,3,4,cat,5,6,7,8,dog\n', 'line 1: 11 columns are several boxes in a row; write'),
    ('filename,width,height,class,xmin,ymin\na.jpg,9,9,cat,1,2\n',
     'no columns for xmax, ymax; it has: filename, width, height, class, xmin, ymin. What'),
    ('filename,class\na.jpg,cat\n', 'no columns for xmin, ymin, xmax, ymax; it has: filename, c')])
def test_columns_that_are_missing(tmp_path, text, said):
    _image(tmp_path / 'a.jpg')
    _text(tmp_path / 'boxes.csv', text)
    with pytest.raises(DataError, match=f'no annotations that are read; .*boxes.csv.*{said}'):
        formats.recognise(tmp_path)


def test_folders_of_images_that_the_user_names(tmp_path):
    _image(tmp_path / 'far/a.jpg')
    _text(tmp_path / 'set/boxes.csv', TABLE)
    [source] = formats.recognise(tmp_path / 'set', [tmp_path / 'far'])[1]
    assert source.read('a.jpg').image == tmp_path / 'far/a.jpg'


def test_folders_of_training_and_test_within_the_annotations(tmp_path):
    for part, name in (('train', 'a'), ('val', 'b')):
        _image(tmp_path / f'images/{part}/{name}.jpg')
        _text(tmp_path / f'annots/{part}/{name}.xml', XML)
    subsets, _ = sources.by_name(formats.recognise(tmp_path)[1])
    assert [(one.purpose, one.ids) for one in subsets] == [('train', ['train/a']), (
        'test', ['val/b'])]


def test_yolo_s_folders_called_otherwise(tmp_path):
    for part in ('train', 'val'):
        _image(tmp_path / f'images/{part}/a.jpg')
        _text(tmp_path / f'labels/{part}_labels/a.txt', '0 .5 .5 .1 .1')
    _text(tmp_path / 'classes.txt', 'cat\n')
    subsets, _ = sources.by_name(formats.recognise(tmp_path)[1])
    assert [(one.purpose, one.source.read('a').image.parent.name) for one in subsets] == [
        ('train', 'train'), ('test', 'val')]


def test_images_that_no_table_names(tmp_path):
    for name in ('a', 'b'):
        _image(tmp_path / f'{name}.jpg')
    _text(tmp_path / 'boxes.csv', TABLE)
    assert formats.recognise(tmp_path).notes == [
        f'{tmp_path}: images without an annotation, which are left out: 1, first b.jpg']


def test_a_folder_beside_train_that_is_not_read(tmp_path):
    for part in ('train', 'more'):
        _image(tmp_path / part / 'a.jpg')
        _text(tmp_path / part / 'a.xml', XML)
    (tmp_path / 'test').mkdir()
    assert formats.recognise(tmp_path).notes == [
        f'not read: {tmp_path}/test: no annotations', f'not read: {tmp_path}/more has annotations '
        'too, but is not called train, valid or test']
