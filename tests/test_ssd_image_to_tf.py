"""The conversion script: what goes where, what is left out, and what an interruption leaves."""
import pathlib
import subprocess
import sys

import pytest

import ssd_image_to_tf
from configs.errors import UserError
from datasets import shapes, tfrecord, voc

ROOT = pathlib.Path(ssd_image_to_tf.__file__).parent


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A VOC folder of drawn shapes: 6 images in train, 3 in test."""
    monkeypatch.chdir(tmp_path)
    shapes.write_voc('VOC2007', train=6, test=3, seed=1)
    return pathlib.Path('VOC2007')


def _convert(output='records', image_set='train', folder='VOC2007'):
    return ssd_image_to_tf.convert(output, [(folder, image_set)], shapes.SHAPES, 4)


def _first(folder):
    return voc.image_ids(folder, 'train')[0]


def test_conversion(folder, capsys):
    assert _convert() == 0
    index = tfrecord.read_index('records')
    assert (index.images, len(index.files), index.image_sets) == (6, 2, ('VOC2007/train',))
    text = capsys.readouterr().out
    assert 'class    images objects difficult' in text and '0 objects and 0 files refused' in text


def test_only_the_list_counts_not_the_folder(folder):
    (folder / 'ImageSets/Main/train.txt').write_text('000002\n000002\n')
    assert _convert() == 0
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


@pytest.mark.parametrize('what, message', [
    ('no image', 'JPEGImages/000001.jpg: image is missing'), ('no xml', 'Annotations/000001.xml: annotation is missing'),
    ('bad xml', 'Annotations/000001.xml: malformed XML'), ('truncated image', 'JPEGImages/000001.jpg: truncated JPEG'),
    ('no number', 'Annotations/000001.xml: malformed XML')])
def test_bad_files_are_left_out_and_listed(folder, capsys, what, message):
    _break(folder, what)
    assert _convert() == 0
    assert tfrecord.read_index('records').images == 5
    text = capsys.readouterr().out
    assert f'refused: VOC2007/{message}' in text and '0 objects and 1 files refused' in text
    assert message in pathlib.Path('records/refused.txt').read_text()


def test_bad_objects_are_left_out_and_listed(folder, capsys):
    path = folder / 'Annotations/000001.xml'
    box = '<bndbox><xmin>{}</xmin><ymin>5</ymin><xmax>{}</xmax><ymax>9</ymax></bndbox>'
    path.write_text('<annotation>' + ''.join(
        f'<object><name>{name}</name>{box.format(*x)}</object>'
        for name, x in (('circle', (5, 5)), ('circel', (5, 9)), ('circle', (5, 9)))) + '</annotation>')
    assert _convert() == 0
    text = capsys.readouterr().out
    assert '000001.xml: object 1 (circle): box xmin 5 ymin 5 xmax 5 ymax 9 has no area' in text
    assert '000001.xml: object 2 (circel): unknown class, nearest: circle' in text
    assert '2 objects and 0 files refused' in text


def test_stated_size_that_is_wrong_is_noted(folder, capsys):
    path = folder / 'Annotations/000001.xml'
    path.write_text('<annotation><size><width>7</width><height>8</height></size></annotation>')
    assert _convert() == 0
    assert 'note: VOC2007/Annotations/000001.xml: size 7 x 8, but the image has' in capsys.readouterr().out


def test_nothing_usable_is_an_error(folder, capsys):
    (folder / 'ImageSets/Main/train.txt').write_text('nowhere\n')
    assert _convert() == 2
    assert 'records: no usable image; nothing written' in capsys.readouterr().out
    assert not pathlib.Path('records').exists()


def test_classes_that_are_none_of_the_list_leave_the_older_one(folder, capsys):
    _convert()
    assert ssd_image_to_tf.convert('records', [('VOC2007', 'test')], ('cat', 'dog'), 4) == 2
    assert 'records: no usable object: name the classes of these annotations with --classes_file' in capsys.readouterr().out
    assert tfrecord.read_index('records').image_sets == ('VOC2007/train',)


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
    with pytest.raises(UserError, match='file/records cannot be written: Not a directory'):
        _convert('file/records')


def test_several_years_and_lists_in_one_call(folder):
    shapes.write_voc('VOC2012', train=2, test=0)
    pathlib.Path('VOC2012/ImageSets/Main/test.txt').unlink()
    found = ssd_image_to_tf.destinations('VOC2007, VOC2012/', 'train,test', '')
    assert found == {'tfrecords_train': [('VOC2007', 'train'), ('VOC2012', 'train')], 'tfrecords_test': [('VOC2007', 'test')]}


def test_one_output_takes_all_lists_of_a_kind(folder):
    assert ssd_image_to_tf.destinations('VOC2007', 'train', 'mine') == {'mine': [('VOC2007', 'train')]}
    with pytest.raises(UserError, match='output mine is one folder, but image_set train,test has lists for'):
        ssd_image_to_tf.destinations('VOC2007', 'train,test', 'mine')


@pytest.mark.parametrize('folders, sets, message', [
    ('nowhere', 'train', 'no VOC folder at nowhere'), ('VOC2007,nowhere', 'train', 'no VOC folder at nowhere'),
    ('VOC2007', 'vall', 'no image list at VOC2007/ImageSets/Main/vall.txt; lists there: test, train'),
    ('VOC2007', 'train,vall', 'no image list at')])
def test_missing_folders_and_lists(folder, folders, sets, message):
    with pytest.raises(UserError, match=message):
        ssd_image_to_tf.destinations(folders, sets, '')


def test_command_line(folder):
    command = [sys.executable, str(ROOT / 'ssd_image_to_tf.py'), '--voc=VOC2007', '--classes_file=VOC2007/classes.txt']
    done = subprocess.run([*command, '--image_set=train,test'], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert tfrecord.read_index('tfrecords_train').images == 6 and tfrecord.read_index('tfrecords_test').images == 3
    done = subprocess.run([*command, '--image_sets=train'], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stderr.startswith("error: unknown key 'image_sets'; nearest: image_set")
    assert done.stderr.count('\n') == 1
