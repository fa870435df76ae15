"""Lists of images and the purposes of names."""
import pytest

from datasets import lists
from utils.errors import DataError

KNOWN = lists.Known({name: name for name in ('a', 'b c', 'sub/d', 'other/d', 'e')})


@pytest.mark.parametrize('line, expected', [
    ('a', ('a', True)), ('a.jpg', ('a', True)), ('a.xml', ('a', True)), ('A.JPG', ('a', True)),
    ('JPEGImages/a.jpg Annotations/a.xml', ('a', True)), ('a.jpg a.xml', ('a', True)),
    ('./images/all/a.jpg', ('a', True)), ('/home/me/b c.png', ('b c', True)),
    ('C:\\me\\a.jpg', ('a', True)), ('"b c"', ('b c', True)), ('a -1', ('', True)),
    ('a 1', ('a', True)), ('a.jpg 10,20,30,40,0', ('a', True)), ('sub/d.jpg', ('sub/d', True)),
    ('d.jpg', ('d.jpg', False)), ('x.jpg', ('x.jpg', False)), ('x -1', ('', False))])
def test_lines(line, expected):
    assert KNOWN.of_line(line) == expected


def test_a_list(tmp_path):
    path = tmp_path / 'train.txt'
    path.write_bytes(b'\xef\xbb\xbfa.jpg\r\n\r\nx\r\na.jpg\r\ne -1\r\n')
    assert lists.read(path, KNOWN) == (['a'], ['x'])
    assert lists.in_order(path, KNOWN) == ['a', 'x']
    path.write_bytes(b'\xff')
    with pytest.raises(DataError, match='image list .*train.txt cannot be read: '):
        lists.read(path, KNOWN)


@pytest.mark.parametrize('name, strict, loose', [
    ('train', True, True), ('train2017', True, True), ('valid', True, True),
    ('train_labels', False, True), ('Val-Images', False, True), ('images', False, False),
    ('retrained', False, False), ('test_project', False, False), ('', False, False)])
def test_folders_of_a_split(name, strict, loose):
    assert (lists.is_split(name), lists.is_split(name, loose=True)) == (strict, loose)
