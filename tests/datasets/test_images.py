"""Which image an annotation means, by what other machines and programs call it."""
import unicodedata

import pytest

from datasets.images import Images, parts, stem
from utils.errors import DataError


@pytest.fixture
def room(tmp_path):
    """Makes empty files in a folder set/ and returns it."""
    def make(*names):
        for name in names:
            path = tmp_path / 'set' / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b'')
        return tmp_path / 'set'
    return make


@pytest.mark.parametrize('name, expected', [
    ('a.jpg', ('a',)), ('A.JPG', ('a',)), ('a.jpg.xml', ('a',)), ('x.xml.xml', ('x',)),
    ('a.b.jpg', ('a.b',)), ('frame.0001', ('frame.0001',)), ('..\\images\\A.jpg', ('images', 'a')),
    ('C:\\me\\b\\a.jpg', ('me', 'b', 'a')), ('c:a.jpg', ('a',)), ('b/../c/a', ('c', 'a')),
    ('https://host/b/a.jpg?token=1/2', ('host', 'b', 'a')),
    ('/data/local-files/?d=b/a.jpg', ('data', 'local-files', 'b', 'a')), ('', ()), ('..', ()),
    ('cafe\N{COMBINING ACUTE ACCENT}.png', ('caf\xe9',))])
def test_parts(name, expected):
    assert parts(name) == expected
    assert stem('.jpg') == '.jpg'


@pytest.mark.parametrize('name, file', [
    ('images/a.jpg', 'images/a.jpg'), ('..\\set\\images\\a.jpg', 'images/a.jpg'),
    ('/home/me/a.jpg', 'images/a.jpg'), ('a', 'images/a.jpg'), ('A.PNG', 'images/a.jpg'),
    ('b c.jpg', 'images/b c.jpg'), ('b%20c.jpg', 'images/b c.jpg'),
    ('x.psd', 'x.psd')])
def test_names_of_other_machines(room, name, file):
    root = room('images/a.jpg', 'images/b c.jpg', 'x.psd')
    assert Images(root, (), [name]).find([name], 'here') == root / file


def test_accents_as_a_mac_writes_them(room):
    root = room(unicodedata.normalize('NFD', 'caf\xe9.jpg'))
    assert Images(root, (), ['caf\xe9']).find(['caf\xe9'], 'here').parent == root


def test_a_missing_image_names_the_places(room, tmp_path):
    root = room('a.jpg', 'b.psd')
    images = Images(root, (), ['a', 'b'])
    with pytest.raises(DataError) as error:
        images.find(['b', '../b.jpg'], 'b.xml')
    assert str(error.value) == ("b.xml: image is missing: 'b' or '../b.jpg'; searched: "
                                f'{root}, with subfolders; there is b.psd')
    (tmp_path / 'secret.jpg').write_bytes(b'')
    for name in ('../secret.jpg', str(tmp_path / 'secret.jpg')):
        with pytest.raises(DataError, match='image is missing'):
            images.find([name], 'here')


def test_the_folder_whose_path_is_like_that_of_the_annotation(room):
    root = room('train/images/1.jpg', 'val/images/1.jpg', 'flat/2.jpg')
    images = Images(root, (), ['train/labels/1', 'val/labels/1', 'test/labels/1', '2'])
    for part in ('train', 'val'):
        found = images.find([f'{part}/labels/1'], 'here', root / part / 'labels')
        assert found == root / part / 'images/1.jpg'
    with pytest.raises(DataError, match='there are .*train/images/1.jpg, .*val/images/1.jpg'):
        images.find(['test/labels/1'], 'here')
    assert images.find(['2'], 'here') == root / 'flat/2.jpg'


def test_an_image_of_another_annotation_is_not_taken(room):
    root = room('train/1.jpg')
    images = Images(root, (), ['train/1', 'val/1'])
    assert images.find(['train/1'], 'here') == root / 'train/1.jpg'
    with pytest.raises(DataError, match="image is missing: 'val/1'"):
        images.find(['val/1'], 'here')
    # Nor by a name that the file of another annotation has.
    with pytest.raises(DataError, match='image is missing'):
        Images(root, (), ['1', 'copy']).find(['copy', '1.jpg'], 'here')


def test_the_word_of_a_file_chooses_between_folders(room):
    root = room('train/1.jpg', 'validation/1.jpg')
    found = Images(root, (), ['1'], 'validation-annotations-bbox').find(['1'], 'here')
    assert found == root / 'validation/1.jpg'


def test_masks_are_not_the_images(room):
    root = room('images/1.jpg', 'images/2.jpg', 'masks/1.png', 'masks/2.png', 'depth/1.png')
    assert Images(root, (), ['1', '2']).find(['1'], 'here') == root / 'images/1.jpg'


def test_images_beside_the_folder_of_the_annotations(room, tmp_path):
    root = room('1.jpg', '2.jpg')
    (tmp_path / 'annots').mkdir()
    assert Images(tmp_path / 'annots', (), ['1', '2']).find(['1'], 'here') == root / '1.jpg'
    with pytest.raises(DataError, match='searched: .*annots, with'):  # too few have a namesake
        Images(tmp_path / 'annots', (), ['1', '8', '9']).find(['1'], 'here')


def test_folders_that_the_user_names_are_the_only_ones(room):
    root = room('a/1.jpg', 'b/1.jpg', 'b/2.jpg')
    images = Images(root, [root / 'b'], ['1', 'b/2.jpg'])
    assert images.find(['1'], 'here') == root / 'b/1.jpg'
    assert images.find(['b/2.jpg'], 'here') == root / 'b/2.jpg'
    assert images.all() == [root / 'b/1.jpg', root / 'b/2.jpg']
