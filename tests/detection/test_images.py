"""Image files: any kind becomes upright RGB, others are named, folders give sorted images."""
import cv2
import numpy as np
import pytest
from PIL import Image

from detection import sources
from utils.errors import DataError


def _save(path, mode='RGB', size=(30, 20), orientation=None, **options):
    image = Image.new(mode, size)
    if orientation:
        options['exif'] = image.getexif()
        options['exif'][0x0112] = orientation
    image.save(path, **options)
    return str(path)


def test_gray_alpha_and_turned_images(tmp_path):
    assert sources.read(_save(tmp_path / 'gray.png', 'L')).shape == (20, 30, 3)
    assert sources.read(_save(tmp_path / 'alpha.png', 'RGBA')).shape == (20, 30, 3)
    assert sources.read(_save(tmp_path / 'cmyk.jpg', 'CMYK')).shape == (20, 30, 3)
    assert sources.read(_save(tmp_path / 'turned.jpg', orientation=6)).shape == (30, 20, 3)


def test_colours_are_rgb(tmp_path):
    Image.new('RGB', (4, 3), (255, 0, 0)).save(tmp_path / 'red.png')
    assert sources.read(tmp_path / 'red.png')[0, 0].tolist() == [255, 0, 0]


def test_what_is_no_image(tmp_path):
    (tmp_path / 'text.jpg').write_text('hello')
    (tmp_path / 'empty.png').touch()
    whole = (tmp_path / 'whole.jpg')
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    cv2.imwrite(str(whole), noise)
    (tmp_path / 'cut.jpg').write_bytes(whole.read_bytes()[:-500])
    for name, reason in (('text.jpg', ' is no image that OpenCV reads, or a damaged one'),
                         ('empty.png', ' is no image that OpenCV reads, or a damaged one'),
                         ('cut.jpg', ': truncated JPEG: its end marker is missing')):
        with pytest.raises(DataError, match=name + reason):
            sources.read(tmp_path / name)
    with pytest.raises(DataError, match='nowhere.jpg: image cannot be read: No such file'):
        sources.read('nowhere.jpg')
    # Phones put a film behind the image.
    whole.write_bytes(whole.read_bytes() + bytes(1000))
    assert sources.read(whole).shape == (64, 64, 3)


@pytest.mark.parametrize('orientation', range(1, 9))
def test_boxes_of_the_stored_image(tmp_path, orientation):
    # A white rectangle in rows 8..24 and columns 8..40 of the 64 x 96 pixels that the file stores.
    stored = np.zeros((64, 96, 3), np.uint8)
    stored[8:24, 8:40] = 255
    exif = Image.new('RGB', (1, 1)).getexif()
    exif[0x0112] = orientation
    Image.fromarray(stored).save(tmp_path / 'a.png', exif=exif)
    upright = sources.read(tmp_path / 'a.png')
    rows, columns = (np.flatnonzero(upright[..., 0].any(axis=axis)) for axis in (1, 0))
    height, width = upright.shape[:2]
    assert (height, width) == ((64, 96) if orientation < 5 else (96, 64))
    box = [rows[0] / height, columns[0] / width, (rows[-1] + 1) / height, (columns[-1] + 1) / width]
    size, boxes = sources.as_stored(tmp_path / 'a.png', upright, np.array([box, [0, 0, 1, 1]]))
    assert size == (64, 96)
    np.testing.assert_allclose(boxes * [64, 96, 64, 96], [[8, 8, 24, 40], [0, 0, 64, 96]],
                               atol=1e-9)
    assert sources.as_stored(tmp_path / 'a.png', upright, np.zeros((0, 4)))[1].shape == (0, 4)


def test_folders_and_patterns(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'in/deep.jpg').mkdir(parents=True)
    (tmp_path / 'none').mkdir()
    (tmp_path / 'texts').mkdir()
    (tmp_path / 'texts/read.me').touch()
    for name in ('b.JPG', 'a.png', '.hidden.jpg', 'notes.txt', 'deep.jpg/c.webp'):
        (tmp_path / 'in' / name).touch()
    for name, paths in (('in', ['in/a.png', 'in/b.JPG']), ('in/*', ['in/a.png', 'in/b.JPG']),
                        ('in/**/[bc].*', ['in/b.JPG', 'in/deep.jpg/c.webp'])):
        assert [path for path, _ in sources.open_source(name).files] == paths
    with pytest.raises(DataError, match='^folder none holds nothing$'):
        sources.open_source('none')
    with pytest.raises(DataError,
                       match=r'^folder texts holds no images \(.*\), only others, such as read'):
        sources.open_source('texts')
    with pytest.raises(DataError, match=r"^pattern 'in/\*.gif' matches nothing$"):
        sources.open_source('in/*.gif')


def test_stems_are_unique():
    paths = ['x/a.jpg', 'x/a.png', 'y/A.jpg', 'x/a_2.jpg', 'b.c.jpg']
    stems = [stem for _, stem in sources.ImageFiles(paths, 'x', 'x', several=True).files]
    assert stems == ['a', 'a_2', 'A_3', 'a_2_2', 'b.c']
    assert sources.ImageFiles([], 'x', 'x', several=True).files == []


def test_sample_is_a_photograph_or_else_a_drawn_scene(monkeypatch, capsys):
    from matplotlib import cbook
    name, image = sources.sample()
    assert name.endswith('grace_hopper.jpg') and image.shape == (600, 512, 3)
    monkeypatch.setattr(cbook, 'get_sample_data', lambda *_, **__: 'nowhere.jpg')
    name, image = sources.sample()
    assert name == 'drawn_scene' and image.ndim == 3 and image.dtype == np.uint8
    assert 'a drawn scene instead' in capsys.readouterr().out
