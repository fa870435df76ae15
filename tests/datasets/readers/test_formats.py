"""YOLO, LabelMe and CSV, and the format that a folder's files tell."""
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
    _text(tmp_path / 'data.yaml', 'names: [cat]\n')
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
    with pytest.raises(DataError, match="b.json: image is missing: '../a.png or b'; searched: "):
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
