"""The conversion script: what goes where, what is left out, and what an interruption leaves."""
import json
import pathlib
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import ssd_image_to_tf
from datasets import annotations, class_lists, shapes, tfrecord
from datasets.readers import sources, voc
from utils.errors import DataError, UserError

ROOT = pathlib.Path(ssd_image_to_tf.__file__).parent


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A VOC folder of drawn shapes: 6 images in train, 3 in test."""
    monkeypatch.chdir(tmp_path)
    shapes.write_voc('VOC2007', train=6, test=3, seed=1)
    return pathlib.Path('VOC2007')


def _convert(output='records', image_set='train', folder='VOC2007', classes=shapes.SHAPES):
    parts, _ = sources.listed([voc.Folder(folder)], [image_set])
    ssd_image_to_tf.convert({output: parts}, classes, 4)


def _main(monkeypatch, *arguments):
    monkeypatch.setattr(sys, 'argv', ['ssd_image_to_tf.py', *arguments])
    ssd_image_to_tf.main()


def _ids(folder):
    return [tfrecord.parse(item)['id'].numpy().decode()
            for item in tf.data.TFRecordDataset(list(tfrecord.read_index(folder).files))]


def _first(folder):
    return voc.image_ids(folder, 'train')[0]


def test_conversion(folder, capsys):
    _convert()
    index = tfrecord.read_index('records')
    assert (index.images, len(index.files), index.image_sets) == (6, 2, ('VOC2007/train',))
    text = capsys.readouterr().out
    assert 'class    images objects difficult' in text and '0 objects and 0 files refused' in text


def test_only_the_list_counts_not_the_folder(folder):
    (folder / 'ImageSets/Main/train.txt').write_text('000002\n000002\n')
    _convert()
    assert tfrecord.read_index('records').images == 1


def _break(folder, what):
    xml, image = (folder / part / _first(folder) for part in ('Annotations', 'JPEGImages'))
    xml, image = xml.with_suffix('.xml'), image.with_suffix('.jpg')
    if what == 'no image':
        image.unlink()
    elif what == 'no xml':
        xml.unlink()
    elif what == 'bad xml':
        xml.write_text('<annotation>')
    elif what == 'truncated image':
        image.write_bytes(image.read_bytes()[:3000])
    elif what == 'no number':
        xml.write_text('<annotation><object><name>circle</name><bndbox/></object></annotation>')


@pytest.mark.parametrize(
    'what, message',
    [
        ('no image', 'Annotations/000001.xml: image is missing'),
        ('no xml', 'Annotations/000001.xml: annotation is missing'),
        ('bad xml', 'Annotations/000001.xml: malformed XML'),
        ('truncated image', 'JPEGImages/000001.jpg: truncated JPEG'),
        ('no number', 'Annotations/000001.xml: object 1 (circle): its ymin is missing'),
    ],
)
def test_bad_files_are_left_out_and_listed(folder, capsys, what, message):
    _break(folder, what)
    _convert()
    assert tfrecord.read_index('records').images == 5
    text = capsys.readouterr().out
    assert f'refused: VOC2007/{message}' in text and '0 objects and 1 files refused' in text
    assert message in pathlib.Path('records/refused.txt').read_text()


def test_bad_objects_are_left_out_and_listed(folder, capsys):
    path = folder / 'Annotations/000001.xml'
    box = '<bndbox><xmin>{}</xmin><ymin>5</ymin><xmax>{}</xmax><ymax>9</ymax></bndbox>'
    path.write_text(
        '<annotation>'
        + ''.join(
            f'<object><name>{name}</name>{box.format(*x)}</object>'
            for name, x in (('circle', (5, 5)), ('circel', (5, 9)), ('circle', (5, 9)))
        )
        + '</annotation>'
    )
    _convert()
    text = capsys.readouterr().out
    assert '000001.xml: object 1 (circle): box xmin 5 ymin 5 xmax 5 ymax 9 has no area' in text
    assert '000001.xml: object 2 (circel): unknown class, nearest: circle' in text
    assert '2 objects and 0 files refused' in text


def test_stated_size_that_is_wrong_is_noted(folder, capsys):
    path = folder / 'Annotations/000001.xml'
    path.write_text('<annotation><size><width>7</width><height>8</height></size></annotation>')
    _convert()
    assert (
        'note: VOC2007/Annotations/000001.xml: size 7 x 8, but the image has'
        in capsys.readouterr().out
    )


def test_a_box_outside_an_image_of_another_size_is_refused(folder, capsys):
    path = folder / 'Annotations/000001.xml'
    text = ('<annotation><size><width>{0}</width><height>{0}</height></size><object>'
            '<name>circle</name><bndbox><xmin>5</xmin><ymin>5</ymin><xmax>{1}</xmax>'
            '<ymax>90</ymax></bndbox></object></annotation>')
    path.write_text(text.format(4000, 3000))
    _convert()
    found = capsys.readouterr().out
    assert '0 objects and 1 files refused' in found
    assert 'refused: VOC2007/Annotations/000001.xml: size 4000 x 4000, but the image has' in found
    assert 'beyond which a box reaches: was it resized or turned after it was annotated?' in found
    path.write_text(text.format(4000, 90))
    _convert('other')
    assert '0 objects and 0 files refused' in capsys.readouterr().out


def test_nothing_usable_is_an_error(folder, capsys):
    (folder / 'ImageSets/Main/train.txt').write_text('nowhere\n')
    with pytest.raises(UserError, match='records: no usable image; nothing written'):
        _convert()
    assert capsys.readouterr().out.endswith(
        'refused: VOC2007/Annotations/nowhere.xml: annotation is missing\n'
    )
    assert not pathlib.Path('records').exists()


def test_classes_that_are_none_of_the_list_leave_the_older_one(folder):
    _convert()
    message = (
        r'records: no usable object: the annotations name circle \(\d+\), .*triangle \(\d+\); '
        'take these with '
        '--classes_file=found, or list the classes in --classes_file=FILE'
    )
    with pytest.raises(UserError, match=message):
        _convert(image_set='test', classes=('cat', 'dog'))
    assert tfrecord.read_index('records').image_sets == ('VOC2007/train',)


def test_objects_that_are_all_bad_are_an_error(folder):
    (folder / 'ImageSets/Main/train.txt').write_text('000001\n')
    box = '<bndbox><xmin>5</xmin><ymin>5</ymin><xmax>5</xmax><ymax>9</ymax></bndbox>'
    (folder / 'Annotations/000001.xml').write_text(
        f'<annotation><object><name>circle</name>{box}</object></annotation>'
    )
    with pytest.raises(UserError, match='^records: no usable object; nothing written$'):
        _convert()


def test_names_outside_the_class_list_are_counted(folder, capsys):
    _convert(classes=('square', 'triangle'))
    assert re.search(
        r'^names that are not in the class list: circle \(\d+\)$',
        capsys.readouterr().out,
        re.MULTILINE,
    )


def test_names_with_line_breaks_stay_on_one_line(folder, capsys):
    box = '<bndbox><xmin>5</xmin><ymin>5</ymin><xmax>9</xmax><ymax>9</ymax></bndbox>'
    (folder / 'Annotations/000001.xml').write_text(
        f'<annotation><object><name>a\nb</name>{box}</object></annotation>'
    )
    _convert()
    assert (
        'refused: VOC2007/Annotations/000001.xml: object 1 (a b): unknown class\n'
        in capsys.readouterr().out
    )
    assert pathlib.Path('records/refused.txt').read_text().count('\n') == 1


def test_interrupted_conversion_leaves_the_older_one(folder, monkeypatch):
    _convert()
    calls = []

    def interrupted(*arguments):
        calls.append(arguments)
        if len(calls) > 2:
            raise KeyboardInterrupt
        return example(*arguments)
    example = ssd_image_to_tf._example
    monkeypatch.setattr(ssd_image_to_tf, '_example', interrupted)
    with pytest.raises(KeyboardInterrupt):
        _convert(image_set='test')
    assert tfrecord.read_index('records').image_sets == ('VOC2007/train',)
    assert sorted(path.name for path in pathlib.Path().iterdir()) == ['VOC2007', 'records']


def test_unwritable_output_is_one_line(folder):
    pathlib.Path('file').write_text('')
    with pytest.raises(UserError, match='folder file/records cannot be used: Not a directory'):
        _convert('file/records')


def test_several_years_and_lists_in_one_call(folder, monkeypatch, capsys):
    shutil.copytree('VOC2007', 'VOC2012')
    pathlib.Path('VOC2012/ImageSets/Main/test.txt').unlink()
    _main(
        monkeypatch,
        '--voc=VOC2007, VOC2012/',
        '--image_set=train,test',
        '--classes_file=VOC2007/classes.txt',
    )
    assert tfrecord.read_index('tfrecords_train').image_sets == ('VOC2007/train', 'VOC2012/train')
    assert tfrecord.read_index('tfrecords_train').images == 12
    assert tfrecord.read_index('tfrecords_test').image_sets == ('VOC2007/test',)
    assert 'left out: no image list at VOC2012/ImageSets/Main/test.txt' in capsys.readouterr().out


def test_one_output_takes_all_lists_of_a_kind(folder):
    train = sources.listed([voc.Folder('VOC2007')], ['train'])[0]
    both = sources.listed([voc.Folder('VOC2007')], ['train', 'test'])[0]
    assert ssd_image_to_tf.destinations(train, 'mine') == {'mine': train}
    assert ssd_image_to_tf.destinations(both, '') == {
        'tfrecords_train': both[:1], 'tfrecords_test': both[1:]
    }
    with pytest.raises(
        UserError,
        match=r'output mine is one folder, .*\(VOC2007/train, VOC2007/test\); leave output empty',
    ):
        ssd_image_to_tf.destinations(both, 'mine')


@pytest.mark.parametrize(
    'folders, sets, message',
    [
        ('nowhere', 'train', 'no VOC folder at nowhere'),
        ('VOC2007,nowhere', 'train', 'no VOC folder at nowhere'),
        (
            'VOC2007',
            'vall',
            'no image list at VOC2007/ImageSets/Main/vall.txt; lists there: test, train. Without '
            'lists: --split',
        ),
        ('VOC2007', 'train,vall', 'no image list at'),
    ],
)
def test_missing_folders_and_lists(folder, monkeypatch, folders, sets, message):
    with pytest.raises(DataError, match=message):
        _main(monkeypatch, '--voc=' + folders, '--image_set=' + sets)


def test_folders_of_one_name_are_refused(folder, monkeypatch):
    shutil.copytree('VOC2007', 'other/VOC2007')
    with pytest.raises(UserError, match='two sources are called VOC2007, .*; rename one'):
        _main(
            monkeypatch, '--voc=VOC2007,other/VOC2007', '--image_set=train', '--classes_file=found'
        )


@pytest.fixture
def images(folder):
    """Nine images with an XML file beside each."""
    shapes.write_images('images', 9, seed=1)
    return pathlib.Path('images')


def test_pictures_are_split_and_classes_found(images, monkeypatch, capsys):
    _main(monkeypatch, '--voc=images', '--split=0.7', '--classes_file=found')
    text = capsys.readouterr().out
    assert 'images: 6 images for training and 3 for test, split by seed 1\n' in text
    assert re.search(
        r'^3 classes in the annotations: circle \(\d+\), square \(\d+\), triangle \(\d+\)$',
        text,
        re.MULTILINE,
    )
    train, test = _ids('tfrecords_train'), _ids('tfrecords_test')
    assert (
        sorted(train + test) == [f'images/00000{number}' for number in range(1, 10)]
        and len(train) == 6
    )
    for records in ('tfrecords_train', 'tfrecords_test'):
        assert tfrecord.read_index(records).classes == ('circle', 'square', 'triangle')
        assert class_lists.names(f'{records}/classes.txt') == ('circle', 'square', 'triangle')


def test_found_classes_are_those_of_training_and_test(images, monkeypatch):
    # One object of a class of its own: in one of the two sets, and in the class list of both.
    box = '<bndbox><xmin>5</xmin><ymin>5</ymin><xmax>9</xmax><ymax>9</ymax></bndbox>'
    (images / '000001.xml').write_text(
        f'<annotation><object><name>arch</name>{box}</object></annotation>'
    )
    _main(monkeypatch, '--voc=images', '--split=0.5', '--classes_file=found')
    classes = tfrecord.read_index('tfrecords_train').classes
    assert (
        classes
        == tfrecord.read_index('tfrecords_test').classes
        == ('arch', 'circle', 'square', 'triangle')
    )


def test_no_class_to_be_found(images, monkeypatch):
    for path in images.glob('*.xml'):
        path.write_text('<annotation/>')
    with pytest.raises(UserError, match='the annotations name no class'):
        _main(monkeypatch, '--voc=images', '--split=0.5', '--classes_file=found')


def test_both_folders_are_replaced_or_none(images, monkeypatch, capsys):
    _main(monkeypatch, '--voc=images', '--split=0.5', '--classes_file=found')
    before = {name: _ids(name) for name in ('tfrecords_train', 'tfrecords_test')}
    # All objects of the later training half become cats, so that the test half has none.
    training, _ = sources.divide(sorted(path.stem for path in images.glob('*.xml')), 0.5, 9)
    for name in training:
        path = images / f'{name}.xml'
        path.write_text(re.sub('<name>[a-z]*', '<name>cat', path.read_text()))
    pathlib.Path('cats.txt').write_text('cat\n')
    again = '--voc=images', '--split=0.5', '--split_seed=9', '--classes_file=cats.txt'
    with pytest.raises(UserError, match='tfrecords_test: no usable object: .*; nothing written$'):
        _main(monkeypatch, *again)
    assert re.search('^all +4 ', capsys.readouterr().out, re.MULTILINE)  # of the training half
    assert {name: _ids(name) for name in before} == before
    for name in before:
        shutil.rmtree(name)
    with pytest.raises(UserError, match='nothing written$'):
        _main(monkeypatch, *again)
    assert not any(pathlib.Path(name).exists() for name in before)


def _emptied(images):
    for path in images.glob('*.xml'):
        path.write_text(re.sub('<object>.*</object>', '', path.read_text(), flags=re.DOTALL))


def test_images_without_objects_as_test_records(images, monkeypatch, capsys):
    pathlib.Path('classes.txt').write_text('cat\n')
    keys = '--data=images', '--output=normal'
    _emptied(images)
    with pytest.raises(UserError, match='the annotations name no class'):
        _main(monkeypatch, *keys)
    _main(monkeypatch, *keys, '--classes_file=classes.txt')
    index = tfrecord.read_index('normal')
    assert (index.images, index.objects, index.classes) == (9, 0, ('cat',))
    assert '9 images without objects' in capsys.readouterr().out
    with pytest.raises(DataError, match='no image has an object'):
        tfrecord.check_objects(index)
    with pytest.raises(UserError, match='tfrecords_train: no usable object; images without objects '
                                        'can only be for test'):
        _main(monkeypatch, '--data=images', '--split=0.5', '--classes_file=classes.txt')


def test_several_names_become_one_class(images, monkeypatch):
    pathlib.Path('classes.txt').write_text('round = circle\nedged = square, triangle\n')
    _main(monkeypatch, '--data=images', '--output=records', '--classes_file=classes.txt')
    index = tfrecord.read_index('records')
    assert index.classes == ('round', 'edged')
    assert pathlib.Path('records/refused.txt').read_text() == ''
    labels = [label for found in tfrecord.objects(index) for label in found['labels'].tolist()]
    names = [item.name for path in sorted(images.glob('*.xml'))
             for item in voc.read_file(path)[0].objects]
    assert sorted(labels) == sorted(1 if name == 'circle' else 2 for name in names)


@pytest.mark.parametrize('changed, message', [
    ({'iscrowd': 1}, 'objects are crowd regions'),
    ({'category_id': 1}, 'category_id is 1, ..., and none of these is there'),
    ({'bbox': [.1, .1, .2, .2]}, 'boxes have to be in pixels, not in fractions'),
    ({'bbox': [190, 190, 390, 390]}, 'boxes of annotations reach beyond their images')])
def test_sets_that_are_wrong_as_a_whole_write_nothing(folder, monkeypatch, changed, message):
    shapes.write_coco('mine', 6, seed=1)
    content = json.loads(pathlib.Path('mine/annotations.json').read_text())
    for row in content['annotations']:
        row.update(changed)
    pathlib.Path('mine/annotations.json').write_text(json.dumps(content))
    with pytest.raises(UserError, match=message):
        _main(monkeypatch, '--data=mine', '--split=0.5')
    assert not pathlib.Path('tfrecords_train').exists()


def test_crowds_are_no_objects_to_learn(tmp_path):
    objects = annotations.Objects(np.float32([[0, 0, 1, 1]]), np.int64([1]), np.array([True]),
                                  np.array([False]), np.array([True]))
    with tfrecord.Writer(tmp_path / 'records', ('cat',)) as writer:
        writer.add(tfrecord.example(b'', 9, 9, 'a', 'a', objects, ('cat',)))
    with pytest.raises(DataError, match='no image has an object, so there is nothing to learn'):
        tfrecord.check_objects(tfrecord.read_index(tmp_path / 'records'))


def _write_coco(path, folder, image_set):
    pathlib.Path(path).write_text(
        json.dumps(shapes.coco_content(folder, voc.image_ids(folder, image_set)))
    )


def test_coco_gives_the_records_that_voc_gives(folder, monkeypatch):
    for image_set in ('train', 'test'):
        _write_coco(f'instances_{image_set}.json', folder, image_set)
    _convert('from_voc')
    _main(
        monkeypatch,
        '--coco=instances_train.json,instances_test.json',
        '--images=VOC2007/JPEGImages',
    )
    assert tfrecord.read_index('tfrecords_train').classes == shapes.SHAPES
    assert tfrecord.read_index('tfrecords_test').image_sets == ('instances_test/test',)
    assert _ids('tfrecords_train') == [f'instances_train/{number}' for number in range(1, 7)]
    pairs = [
        [
            tfrecord.parse(item)
            for item in tf.data.TFRecordDataset(list(tfrecord.read_index(records).files))
        ]
        for records in ('from_voc', 'tfrecords_train')
    ]
    for first, second in zip(*pairs, strict=True):
        for key in ('image', 'labels', 'difficult', 'height', 'width'):
            np.testing.assert_array_equal(first[key], second[key])
        np.testing.assert_allclose(first['boxes'], second['boxes'], atol=1e-6)
        np.testing.assert_array_equal(second['crowd'], second['difficult'])  # as shapes write it
        assert not first['crowd'].numpy().any()


def test_coco_file_is_split(folder, monkeypatch):
    shapes.write_coco('mine', 6, seed=1)
    arguments = ['--coco=mine/annotations.json', '--images=mine/images']
    with pytest.raises(
        UserError,
        match='nothing in the name mine/annotations.json or in that of its folder says train, '
        'val or test',
    ):
        _main(monkeypatch, *arguments)
    _main(monkeypatch, *arguments, '--split=0.5')
    assert (
        tfrecord.read_index('tfrecords_train').images, tfrecord.read_index('tfrecords_test').images
    ) == (3, 3)
    _main(monkeypatch, *arguments, '--output=all')
    assert tfrecord.read_index('all').image_sets == ('annotations/all',)


def test_coco_files_of_different_categories_are_refused(folder, monkeypatch):
    for image_set in ('train', 'test'):
        _write_coco(f'{image_set}.json', folder, image_set)
    content = json.loads(pathlib.Path('test.json').read_text())
    content['categories'].append({'id': 1, 'name': 'arch'})
    pathlib.Path('test.json').write_text(json.dumps(content))
    arguments = ['--coco=train.json,test.json', '--images=VOC2007/JPEGImages']
    with pytest.raises(
        UserError,
        match='train and test have different categories; name the classes with --classes_file',
    ):
        _main(monkeypatch, *arguments)
    _main(monkeypatch, *arguments, '--classes_file=found')
    assert tfrecord.read_index('tfrecords_test').classes == shapes.SHAPES


def test_command_line(folder):
    command = [
        sys.executable,
        str(ROOT / 'ssd_image_to_tf.py'),
        '--voc=VOC2007',
        '--classes_file=VOC2007/classes.txt',
    ]
    done = subprocess.run(
        [*command, '--image_set=train,test'], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (
        tfrecord.read_index('tfrecords_train').images == 6
        and tfrecord.read_index('tfrecords_test').images == 3
    )
    done = subprocess.run(
        [*command, '--image_sets=train'], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and done.stderr.startswith(
        "error: unknown key 'image_sets'; nearest: image_set"
    )
    assert done.stderr.count('\n') == 1
