"""Lists of classes as people and programs write them."""
import time

import pytest

from datasets import class_lists
from utils.errors import DataError


def test_class_list(tmp_path):
    path = tmp_path / 'classes.txt'
    path.write_text('# mine\ncat\n\n dog \n')
    assert class_lists.names(path) == ('cat', 'dog')
    path.write_bytes(b'\xef\xbb\xbfcat\r\ndog\r\n')  # as an editor on Windows writes it
    assert class_lists.names(path) == ('cat', 'dog')
    path.write_text('cat\ncat\n')
    with pytest.raises(DataError, match='names cat twice'):
        class_lists.names(path)
    path.write_text('\n')
    with pytest.raises(DataError, match='is empty'):
        class_lists.names(path)
    with pytest.raises(DataError, match='cannot be read'):
        class_lists.names(tmp_path / 'nowhere')


def test_names_are_what_is_written(tmp_path):
    (tmp_path / 'data.yaml').write_text('names: [no, 01, 1e3, ~, 2026-01-02, "a: b"]\n')
    assert class_lists.beside([tmp_path]) == ('no', '01', '1e3', '~', '2026-01-02', 'a: b')


@pytest.mark.parametrize('text, message', [
    ('names: &a [x]\nb: *a\n', 'it repeats a part by an alias'),
    ('a: &a [x, x]\n' + ''.join(f'{new}: &{new} [{f"*{old}, " * 9}]\n' for old, new in zip(
        'abcdefgh', 'bcdefghi', strict=True)) + 'names: *i\n', 'it repeats a part by an alias'),
    ('names: [' + 'x' * (1 << 20) + ']', 'more than 1 MiB are no list of classes'),
    ('names: ' + '[' * 5000, 'maximum recursion depth'), ('names: [\n', 'while parsing'),
    ('names: [cat]\nnames: \xff', 'codec')])
def test_yaml_that_is_refused_at_once(tmp_path, text, message):
    (tmp_path / 'data.yaml').write_bytes(text.encode('latin-1'))
    start = time.process_time()
    with pytest.raises(DataError, match=f'data.yaml cannot be read: .*{message}'):
        class_lists.beside([tmp_path])
    assert time.process_time() - start < 1




def _read(tmp_path, text, name='classes.txt'):
    (tmp_path / name).write_text(text, encoding='utf-8')
    return class_lists.read(tmp_path / name)


def test_several_names_as_one_class(tmp_path):
    found = _read(tmp_path, '# mine\ncat = kitten, tabby cat\ndog\nx=1\n')
    assert found.names == ('cat', 'dog', 'x=1')
    assert found.merged == {'kitten': 'cat', 'tabby cat': 'cat'}
    for text, doubles in (('cat = dog\ndog\n', 'dog'), ('cat = a\ndog = a\n', 'a'),
                          ('cat = a\ncat\n', 'cat')):
        with pytest.raises(DataError, match=f'names {doubles} twice'):
            _read(tmp_path, text)


@pytest.mark.parametrize('text', ['cat,0\nbig dog,1\n', '0: cat\n1: big dog\n',
                                  'big dog, 2\ncat, 1\n', '1,cat\n2,big dog\n'])
def test_numbered_lines(tmp_path, text):
    assert _read(tmp_path, text).names == ('cat', 'big dog')


@pytest.mark.parametrize('text', ['a 1\na 2\n', 'cat,5\ndog,6\n', 'cat,0\ndog\n'])
def test_numbers_that_are_part_of_names(tmp_path, text):
    assert _read(tmp_path, text).names == tuple(text.splitlines())


MAP = "item {\n  id: 2\n  name: 'dog'\n}\nitem {\n  id: 1\n  name: 'cat'\n}\n"


def test_label_maps(tmp_path):
    assert _read(tmp_path, MAP, 'label_map.pbtxt').names == ('cat', 'dog')
    assert _read(tmp_path, '# of a detector\n' + MAP).names == ('cat', 'dog')
    with pytest.raises(DataError, match='class list .*a.pbtxt: line 1'):
        _read(tmp_path, 'item { id', 'a.pbtxt')


def test_names_of_a_data_yaml(tmp_path):
    assert _read(tmp_path, 'names: {1: dog, 0: cat}', 'data.yaml').names == ('cat', 'dog')
    (tmp_path / 'obj.names').write_text('cat\n')
    assert _read(tmp_path, 'names: obj.names', 'data.yaml').names == ('cat',)
    for text in ('names: "cat, dog"', 'names: nowhere.txt', 'names: [[cat]]'):
        with pytest.raises(DataError, match='data.yaml: names is .*, no list of names: write'):
            _read(tmp_path, text, 'data.yaml')
    with pytest.raises(DataError, match='data.yaml has no names'):
        _read(tmp_path, 'nc: 2', 'data.yaml')


def test_default_names():
    assert class_lists.names('') == class_lists.VOC
