"""Annotations in VOC layout: coordinates, flags, and everything that can be wrong with a file."""
import re

import numpy as np
import pytest

from datasets import annotations
from datasets.readers import voc
from datasets.readers.voc import voc_object
from utils.errors import DataError

OBJECT = (
    '<object><name>{name}</name>{more}<bndbox><xmin>{box[0]}</xmin><ymin>{box[1]}</ymin>'
    '<xmax>{box[2]}</xmax>'
    '<ymax>{box[3]}</ymax></bndbox></object>'
)


@pytest.fixture
def folder(tmp_path):
    for part in ('Annotations', 'ImageSets/Main', 'JPEGImages'):
        (tmp_path / part).mkdir(parents=True)
    return tmp_path


def _xml(folder, *objects, size='<size><width>100</width><height>50</height></size>'):
    (folder / 'Annotations/a.xml').write_text(f'<annotation>{size}{"".join(objects)}</annotation>')


def test_twenty_classes():
    assert (
        len(voc.CLASSES) == 20 and voc.CLASSES[0] == 'aeroplane' and voc.CLASSES[-1] == 'tvmonitor'
    )


def test_pixels_are_one_based_and_inclusive():
    # A box over a whole 100 x 50 image is 1..100, 1..50.
    assert voc.from_voc_pixels(np.array([1., 1, 50, 100])).tolist() == [0, 0, 50, 100]
    one_pixel = voc.from_voc_pixels(np.array([11., 21, 11, 21]))
    assert one_pixel.tolist() == [10, 20, 11, 21]
    assert voc.to_voc_pixels(one_pixel).tolist() == [11, 21, 11, 21]
    assert voc.voc_object('cat', (1, 1, 50, 100)).edges == (0, 0, 50, 100)


def test_read_xml(folder):
    _xml(
        folder,
        OBJECT.format(
            name='cat', box=(1, 2, 30, 40), more='<difficult>1</difficult><truncated>0</truncated>'
        ),
        OBJECT.format(name=' dog ', box=(5.5, 6, 7, 8), more='<difficult>0</difficult>'),
    )
    found = voc.read_xml(folder, 'a')
    assert found.size == (50, 100)
    assert found.objects == [
        voc_object('cat', (2, 1, 40, 30), True, False),
        voc_object('dog', (6, 5.5, 8, 7), False, False),
    ]


def test_boxes_of_parts_are_not_the_objects(folder):
    box = '<xmin>9</xmin><ymin>9</ymin><xmax>9</xmax><ymax>9</ymax>'
    part = f'<part><name>head</name><bndbox>{box}</bndbox></part>'
    _xml(folder, OBJECT.format(name='person', box=(1, 2, 30, 40), more=part))
    assert voc.read_xml(folder, 'a').objects == [voc_object('person', (2, 1, 40, 30))]


def test_size_may_be_missing(folder):
    for size in ('', '<size><width>a</width><height>50</height></size>'):
        _xml(folder, OBJECT.format(name='cat', box=(1, 2, 30, 40), more=''), size=size)
        found = voc.read_xml(folder, 'a')
        assert (len(found.objects), found.size, found.refused) == (1, None, ())


def test_an_image_without_objects(folder):
    _xml(folder)
    found = voc.read_xml(folder, 'a')
    assert (found.objects, found.size, found.image.name) == ([], (50, 100), 'a.jpg')


BOX = '<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox>'


@pytest.mark.parametrize('text, reason', [
    ('<object><name>cat</name></object>', r'\(cat\): it has no <bndbox>'),
    ('<object><name>cat</name><robndbox/></object>', r'it has no <bndbox>, but <robndbox>'),
    (f'<object>{BOX}</object>', r'\(nameless\): it has no name'),
    ('<object><name>cat</name><bndbox><ymin>x</ymin></bndbox></object>', "its ymin is 'x'"),
    ('<object><name>cat</name><bndbox><ymin>1</ymin></bndbox></object>', 'its xmin is missing')])
def test_an_object_that_cannot_be_read_costs_itself_alone(folder, text, reason):
    _xml(folder, f'<object><name>dog</name>{BOX}</object>', text)
    found = voc.read_xml(folder, 'a')
    assert [item.name for item in found.objects] == ['dog']
    assert len(found.refused) == 1
    assert re.search(f'^{folder}/Annotations/a.xml: object 2 .*{reason}$', found.refused[0])


@pytest.mark.parametrize('text, expected', [
    ('1', True), ('0', False), ('Unspecified', False), ('', False), ('0.0597', False),
    ('1.0', True), ('inf', False), ('True', True), ('yes', True)])
def test_flags(folder, text, expected):
    _xml(folder, f'<object><name>dog</name><difficult>{text}</difficult>{BOX}</object>')
    assert [item.difficult for item in voc.read_xml(folder, 'a').objects] == [expected]


@pytest.mark.parametrize('text, message', [
    ('<annotations><image/></annotations>', 'its root is <annotations>, not <annotation>'),
    ('<annotation><objects><object/></objects></annotation>', 'no <object> in <annotation>, but'),
    ('<annotation><filename>a</filename><HRSC_Objects/></annotation>', '.* but <HRSC_Objects>'),
    ('<annotation><OBJECT/></annotation>', '.* but <OBJECT>'),
    ('<annotation/>', 'neither <object> nor <size> nor <filename>')])
def test_xml_of_other_tools_is_no_image_without_objects(folder, text, message):
    (folder / 'Annotations/a.xml').write_text(text)
    with pytest.raises(DataError, match=f'a.xml: no VOC annotation: {message}'):
        voc.read_xml(folder, 'a')


@pytest.mark.parametrize('encoding', ['gb2312', 'GBK', 'shift_jis', 'utf8', 'utf-16', 'iso-8859-1'])
def test_encodings(folder, encoding):
    name = '\xe9' if encoding == 'iso-8859-1' else '\u4e2d'
    text = (f'<?xml version="1.0" encoding="{encoding}"?><annotation>'
            f'<object><name>{name}</name>{BOX}</object></annotation>')
    (folder / 'Annotations/a.xml').write_bytes(text.encode(encoding))
    assert [item.name for item in voc.read_xml(folder, 'a').objects] == [name]
    (folder / 'Annotations/a.xml').write_bytes(text.split('?>')[1].encode('gbk' if name > '\xff'
                                                                         else 'latin-1'))
    with pytest.raises(DataError, match='its text is not in the encoding utf-8; declare'):
        voc.read_xml(folder, 'a')


@pytest.mark.parametrize(
    'text, message',
    [
        ('<annotation><object>', 'malformed XML'),
        ('', 'malformed XML'),
        ('<?xml version="1.0" encoding="utf-99"?><annotation/>', 'malformed XML: unknown encoding'),
    ],
)
def test_malformed_xml_names_the_file(folder, text, message):
    (folder / 'Annotations/a.xml').write_text(text)
    with pytest.raises(DataError, match=f'a.xml: .*{message}') as error:
        voc.read_xml(folder, 'a')
    assert '\n' not in str(error.value)


def test_missing_files(folder):
    with pytest.raises(DataError, match='Annotations/a.xml: annotation is missing'):
        voc.read_xml(folder, 'a')
    with pytest.raises(DataError, match='JPEGImages/a: image is missing: .a.'):
        voc.image_path(folder, 'a')


def test_image_ids(folder):
    for name in ('x y (1)', 'n 1'):
        (folder / f'Annotations/{name}.xml').write_text('')
    (folder / 'ImageSets/Main/train.txt').write_text(
        'b 1\na -1\n\nb 1\nc 0\nx y (1)\nx y (1) -1\n"q r"\nn 1\nz\n')
    assert voc.image_ids(folder, 'train') == ['b', 'c', 'x y (1)', 'q r', 'n 1', 'z']


@pytest.mark.parametrize('images, annotation', [
    ('images', 'annotations'), ('Images', 'Annotations'), ('JPEGImages', 'xmls')])
def test_usual_names_of_the_parts(tmp_path, images, annotation):
    for part in (images, annotation):
        (tmp_path / part).mkdir()
    (tmp_path / images / 'a.png').write_bytes(b'')
    (tmp_path / annotation / 'a.xml').write_text(
        f'<annotation><object><name>cat</name>{BOX}</object></annotation>')
    source = voc.Folder(tmp_path)
    assert source.image_ids() == ['a'] and source.read('a').image == tmp_path / images / 'a.png'


def test_which_of_several_images(folder):
    for name in ('a.jpg', 'a.PNG', 'b.Webp', 'c.psd'):
        (folder / 'JPEGImages' / name).write_bytes(b'')
    assert voc.image_path(folder, 'a').name == 'a.jpg'
    assert voc.image_path(folder, 'a', 'a.PNG').name == 'a.PNG'
    assert voc.image_path(folder, 'b', 'elsewhere.jpg').name == 'b.Webp'
    with pytest.raises(DataError, match="a: the annotation means 'x.jpg', and there are .*/a.PNG"):
        voc.image_path(folder, 'a', 'x.jpg')
    with pytest.raises(DataError, match='c: image is missing: .*; there is c.psd'):
        voc.image_path(folder, 'c')
    (folder / 'ImageSets/Main/train.txt').write_bytes(
        b'\xef\xbb\xbfb\r\na\r\n'
    )  # as an editor on Windows writes it
    assert voc.image_ids(folder, 'train') == ['b', 'a']
    with pytest.raises(
        DataError, match='no image list at .*ImageSets/Main/val.txt; lists there: train'
    ):
        voc.image_ids(folder, 'val')
    with pytest.raises(DataError, match='no VOC folder at nowhere; python3 -m datasets.fetch'):
        voc.image_ids('nowhere', 'val')


@pytest.mark.parametrize('box, reason', [
    ((10, 10, 10, 20), 'has no area'),
    ((20, 10, 10, 20), 'has no area'),
    ((60, 10, 70, 20), 'lies outside the 100 x 50 image'),
    ((10, 101, 20, 120), 'lies outside'),
    ((float('nan'), 1, 5, 5), 'is not finite'),
])
def test_bad_boxes_are_refused_with_file_and_object(box, reason):
    found = annotations.usable(
        [voc_object('cat', (1, 1, 9, 9)), voc_object('cat', box)], 50, 100, ('cat',), 'a.xml'
    )
    assert len(found.labels) == 1 and len(found.refused) == 1
    assert found.refused[0].startswith('a.xml: object 2 (cat): box') and reason in found.refused[0]


def test_boxes_are_clipped_and_counted():
    found = annotations.usable(
        [voc_object('cat', (-5, 1, 25, 120)), voc_object('dog', (1, 1, 50, 100), True, True)],
        50,
        100,
        ('dog', 'cat'),
        'a.xml',
    )
    np.testing.assert_allclose(found.boxes, [[0, 0, .5, 1], [0, 0, 1, 1]])
    assert (found.clipped, found.labels.tolist(), found.difficult.tolist()) == (
        1, [2, 1], [False, True]
    )


def test_unknown_class_names_the_nearest():
    found = annotations.usable([voc_object('catt', (1, 1, 9, 9))], 50, 100, ('dog', 'cat'), 'a.xml')
    assert found.refused == ('a.xml: object 1 (catt): unknown class, nearest: cat',)
    assert found.boxes.shape == (0, 4) and found.labels.shape == (0,) and found.unknown == ('catt',)


def test_folder_in_voc_layout(folder):
    _xml(folder, OBJECT.format(name='cat', box=(1, 2, 30, 40), more=''))
    (folder / 'JPEGImages/a.png').write_bytes(b'')
    (folder / 'JPEGImages/b.jpg').write_bytes(b'')
    source = voc.Folder(folder)
    assert (source.name, source.classes, source.image_ids()) == (folder.name, voc.CLASSES, ['a'])
    found = source.read('a')
    assert found.image == folder / 'JPEGImages/a.png' and found.where == str(
        folder / 'Annotations/a.xml'
    )
    assert (found.objects, found.size) == ([voc_object('cat', (2, 1, 40, 30))], (50, 100))
    assert source.notes() == [
        f'{folder}/JPEGImages: images without an XML file, which are left out: 1, first '
        'b.jpg. An image without objects needs an XML file without <object>'
    ]


def test_folder_of_images_with_xml_beside_them(tmp_path):
    text = f'<annotation>{OBJECT.format(name="cat", box=(1, 2, 30, 40), more="")}</annotation>'
    for name in ('b.xml', 'a.xml', '._a.xml'):  # the last as macOS leaves it
        (tmp_path / name).write_text(text)
    for name in ('a.JPG', 'b.png', 'classes.txt'):
        (tmp_path / name).write_bytes(b'')
    source = voc.Folder(tmp_path)
    assert (source.image_ids(), source.notes()) == (['a', 'b'], [])
    found = source.read('b')
    assert (found.image, found.where, found.size) == (
        tmp_path / 'b.png', str(tmp_path / 'b.xml'), None
    )
    assert voc.read_xml(tmp_path, 'a').objects == found.objects == [
        voc_object('cat', (2, 1, 40, 30))]


def test_folder_that_is_none_or_empty(tmp_path):
    with pytest.raises(DataError, match='no VOC folder at nowhere'):
        voc.Folder('nowhere')
    with pytest.raises(DataError, match=r'no annotation \(\*.xml\) in'):
        voc.Folder(tmp_path).image_ids()


@pytest.mark.parametrize(
    'head',
    [
        '<!DOCTYPE a [<!ENTITY n "cat">]>',
        '<!DOCTYPE a [<!ENTITY n SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE a SYSTEM "a.dtd">',
    ],
)
def test_entities_are_not_read(tmp_path, head):
    (tmp_path / 'Annotations').mkdir()
    (tmp_path / 'Annotations/1.xml').write_text(
        head + '<annotation><object><name>&n;</name></object></annotation>'
    )
    with pytest.raises(DataError, match='1.xml: malformed XML: a document type'):
        voc.read_xml(tmp_path, '1')


def test_huge_annotations_are_not_read(tmp_path):
    (tmp_path / 'Annotations').mkdir()
    with open(tmp_path / 'Annotations/1.xml', 'wb') as file:
        file.truncate(17 << 20)
    with pytest.raises(DataError, match='1.xml: more than 16 MiB is no annotation'):
        voc.read_xml(tmp_path, '1')


@pytest.mark.parametrize('line', [
    'a b.jpg', '"a b.JPG" 1', 'JPEGImages/a b.png', '/home/me/VOC/JPEGImages/a b.jpg',
    'C:\\VOC\\a b.jpg', 'a b.jpg.jpg', 'sub/c.jpg'])
def test_lists_with_the_names_of_images(tmp_path, line):
    (tmp_path / 'ImageSets/Main').mkdir(parents=True)
    (tmp_path / 'Annotations/sub').mkdir(parents=True)
    for name in ('a b', 'a b.jpg', 'sub/c'):
        if name != 'a b.jpg' or line == 'a b.jpg.jpg':
            (tmp_path / f'Annotations/{name}.xml').write_text('<annotation/>')
    (tmp_path / 'ImageSets/Main/train.txt').write_text(f'{line}\n')
    expected = {'a b.jpg.jpg': 'a b.jpg', 'sub/c.jpg': 'sub/c'}.get(line, 'a b')
    assert voc.image_ids(tmp_path, 'train') == [expected]


@pytest.mark.parametrize('image_id', ['../1', '/etc/passwd', 'a/../../b', 'C:1'])
def test_lists_stay_in_their_folder(tmp_path, image_id):
    (tmp_path / 'ImageSets/Main').mkdir(parents=True)
    (tmp_path / 'ImageSets/Main/train.txt').write_text(f'1\n{image_id}\n')
    with pytest.raises(DataError, match='train.txt: .* reaches outside the folder'):
        voc.image_ids(tmp_path, 'train')
