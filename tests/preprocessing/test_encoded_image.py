"""Image files of all kinds, good and bad."""
import io

import cv2
import numpy as np
import pytest
from PIL import Image

from preprocessing import encoded_image
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


def _turned(tmp_path, orientation, size=(40, 30)):
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.new('RGB', size)
    image.paste((255, 0, 0), (0, 0, size[0] // 2, size[1] // 2))  # upper left quarter
    image.save(tmp_path / 'a.jpg', exif=exif, quality=95)
    return tmp_path / 'a.jpg'


def test_the_annotated_size_decides_about_the_exif_orientation(tmp_path):
    path = _turned(tmp_path, 6)
    found = encoded_image.read(path, (40, 30))
    assert (found.height, found.width, found.reencoded) == (40, 30, True)
    red = np.asarray(Image.open(io.BytesIO(found.encoded)))[..., 0]
    assert red[5, 25] > 200 and red[5, 5] < 50 and red[35, 25] < 50  # upper right
    found = encoded_image.read(path, (30, 40))
    assert (found.height, found.width, found.encoded) == (30, 40, path.read_bytes())
    assert encoded_image.read_upright(path)[5, 25, 0] > 200


@pytest.mark.parametrize('orientation, size, annotated', [
    (6, (40, 30), None), (6, (40, 30), (7, 7)), (6, (30, 30), (30, 30)), (3, (40, 30), (30, 40))])
def test_an_exif_orientation_that_nothing_explains(tmp_path, orientation, size, annotated):
    path = _turned(tmp_path, orientation, size)
    with pytest.raises(DataError, match=f'EXIF orientation {orientation} turns it, .* --exif=upri'):
        encoded_image.read(path, annotated)
    assert not encoded_image.read(path, annotated, 'stored').reencoded
    found = encoded_image.read(path, annotated, 'upright')
    assert found.reencoded and (found.width, found.height) == (
        size if orientation == 3 else size[::-1])


def test_orientation_1_is_none(tmp_path):
    assert not encoded_image.read(_turned(tmp_path, 1)).reencoded


@pytest.mark.parametrize('most, expected', [(1000, 250), (4000, 250), (16000, 250), (65535, 255)])
def test_16_bits_are_scaled_by_what_is_used(tmp_path, most, expected):
    pixels = np.full((30, 40), most // 2, np.uint16)
    pixels[0, 0] = most
    cv2.imwrite(str(tmp_path / 'a.png'), pixels)
    found = encoded_image.read_upright(tmp_path / 'a.png')
    assert found.shape == (30, 40, 3) and found[0, 0].tolist() == [expected] * 3
    assert abs(int(found[5, 5, 0]) - expected / 2) <= 1
    assert encoded_image.read(tmp_path / 'a.png').rescaled


def test_transparent_pixels_are_white(tmp_path):
    image = Image.new('RGBA', (40, 30), (200, 0, 100, 0))
    image.paste((200, 0, 100, 255), (0, 0, 20, 30))
    image.save(tmp_path / 'a.png')
    found = encoded_image.read_upright(tmp_path / 'a.png')
    assert found[5, 5].tolist() == [200, 0, 100] and found[5, 30].tolist() == [255] * 3
    assert encoded_image.read(tmp_path / 'a.png').rescaled
    image.putalpha(255)
    image.save(tmp_path / 'a.png')
    assert not encoded_image.read(tmp_path / 'a.png').rescaled


@pytest.mark.parametrize('more', [bytes(4000), b'text' * 1000, b'jpeg'])
def test_data_behind_a_jpeg_does_not_matter(tmp_path, more):
    path = _noise(tmp_path)
    data = path.read_bytes()
    path.write_bytes(data + (data if more == b'jpeg' else more))
    assert (encoded_image.read(path).height, encoded_image.read(path).reencoded) == (60, False)


def test_the_end_of_a_preview_is_not_that_of_the_image(tmp_path):
    path = _noise(tmp_path)
    data = path.read_bytes()
    preview = b'\xff\xe1' + (len(data) + 2).to_bytes(2, 'big') + data
    path.write_bytes(data[:2] + preview + data[2:-900])
    with pytest.raises(DataError, match='truncated JPEG'):
        encoded_image.read(path)


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
    with pytest.raises(DataError, match='a.jpg(: | is )') as error:
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
        DataError, match='a.png has more than 67108864 pixels; .* OPENCV_IO_MAX_IMAGE_PIXELS'
    ):
        encoded_image.read(path)


@pytest.mark.parametrize('size', [(1, 1), (20_000, 1), (1, 20_000)])
def test_odd_sizes(tmp_path, size):
    found = encoded_image.read(_file(tmp_path, 'RGB', 'JPEG', size))
    assert (found.width, found.height) == size


@pytest.mark.parametrize('mode', ['RGB', 'L', 'RGBA', 'LA', 'P', '1', 'I;16', 'CMYK'])
def test_an_image_of_pillow_is_seen_as_its_file(mode):
    random = np.random.default_rng(0)
    if mode == 'I;16':
        image = Image.fromarray(random.integers(0, 4096, (20, 30), np.uint16))
    else:
        image = Image.fromarray(random.integers(0, 256, (20, 30, 4), np.uint8))
        image = image if mode == 'RGBA' else image.convert('RGB' if mode == 'CMYK' else 'RGBA')
        image = image.convert(mode)
    file = io.BytesIO()
    image.save(file, 'tiff' if mode == 'CMYK' else 'png')
    found = encoded_image.of_pillow(Image.open(file))
    assert found.dtype == np.uint8 and found.shape == (20, 30, 3)
    np.testing.assert_array_equal(found, encoded_image.decode_upright(file.getvalue(), 'a.png'))
