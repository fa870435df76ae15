"""Image files of all kinds, good and bad."""
import io

import cv2
import numpy as np
import pytest
from PIL import Image

from datasets import encoded_image
from utils.errors import DataError


def _file(tmp_path, mode, kind, size=(40, 30), **options):
    path = tmp_path / 'a.jpg'
    Image.new(mode, size, **({'color': 200} if mode in ('L', 'I;16') else {})).save(
        path, kind, **options
    )
    return path


@pytest.mark.parametrize(
    'mode, kind, reencoded',
    [
        ('RGB', 'JPEG', False),
        ('L', 'JPEG', False),
        ('CMYK', 'JPEG', True),
        ('RGB', 'PNG', True),
        ('RGBA', 'PNG', True),
        ('L', 'PNG', True),
        ('I;16', 'PNG', True),
        ('P', 'GIF', True),
        ('RGB', 'BMP', True),
    ],
)
def test_every_kind_becomes_a_plain_jpeg(tmp_path, mode, kind, reencoded):
    path = _file(tmp_path, mode, kind)
    found = encoded_image.read(path)
    assert (found.height, found.width, found.reencoded) == (30, 40, reencoded)
    assert encoded_image.is_plain_jpeg(found.encoded)
    assert reencoded or found.encoded == path.read_bytes()
    assert Image.open(io.BytesIO(found.encoded)).format == 'JPEG'


def test_progressive_jpeg_is_kept(tmp_path):
    assert not encoded_image.read(_file(tmp_path, 'RGB', 'JPEG', progressive=True)).reencoded


def test_exif_orientation_is_not_followed(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    found = encoded_image.read(_file(tmp_path, 'RGB', 'JPEG', exif=exif))
    assert (found.height, found.width) == (30, 40)


def _noise(tmp_path):
    path = tmp_path / 'a.jpg'
    cv2.imwrite(str(path), np.random.RandomState(0).randint(0, 255, (60, 80, 3)).astype(np.uint8))
    return path


def test_truncated_jpeg_is_refused(tmp_path):
    path = _noise(tmp_path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(DataError, match='a.jpg: truncated JPEG'):
        encoded_image.read(path)


@pytest.mark.parametrize(
    'content', [b'', b'hello', b'\xff\xd8\xff', b'\xff\xd8\xff\xd9', b'\x89PNG\r\n\x1a\n']
)
def test_what_is_no_image_is_refused(tmp_path, content):
    path = tmp_path / 'a.jpg'
    path.write_bytes(content)
    with pytest.raises(DataError, match='a.jpg: ') as error:
        encoded_image.read(path)
    assert '\n' not in str(error.value)


def test_missing_file(tmp_path):
    with pytest.raises(DataError, match='image cannot be read: No such file'):
        encoded_image.read(tmp_path / 'a.jpg')


def test_bombs_are_refused_undecoded(tmp_path):
    path = tmp_path / 'a.png'
    Image.new('1', (8193, 8193)).save(path, 'PNG')
    assert path.stat().st_size < 20_000
    with pytest.raises(
        DataError, match='a.png: no image that can be decoded, or one of more than 67108864 pixels'
    ):
        encoded_image.read(path)


@pytest.mark.parametrize('size', [(1, 1), (20_000, 1), (1, 20_000)])
def test_odd_sizes(tmp_path, size):
    found = encoded_image.read(_file(tmp_path, 'RGB', 'JPEG', size))
    assert (found.width, found.height) == size
