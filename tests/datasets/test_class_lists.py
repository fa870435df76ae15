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


