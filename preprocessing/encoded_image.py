"""Image files: decoded by one rule for training and detection, and as bytes for a record.

Colours are 8-bit RGB. 16-bit values are scaled by the smallest of 10, 12, 14 and 16 bits that holds
the largest value of the image, since cameras store 12 or 14 bits in 16. Transparent pixels are
blended with white. No TensorFlow.
"""
import dataclasses
import io
import os
import re

import cv2
import numpy as np
from PIL import Image, ImageOps

from utils import MOST_PIXELS
from utils.errors import DataError

# EXIF orientation 1, 2, ... 8 -> how the stored image becomes upright: transposed, then mirrored
# along (y, x) where -1.
ORIENTATIONS = ((False, (1, 1)), (False, (1, -1)), (False, (-1, -1)), (False, (-1, 1)),
                (True, (1, 1)), (True, (1, -1)), (True, (-1, -1)), (True, (-1, 1)))
PillowImage = Image.Image
_QUALITY = 95
_JPEG = b'\xff\xd8'


@dataclasses.dataclass(frozen=True)
class EncodedImage:
    """An image as it goes into a record.

    Attributes:
        encoded: JPEG bytes of one or three 8-bit channels.
        height: pixels.
        width: pixels.
        reencoded: whether these are not the bytes of the file.
        rescaled: whether its pixels had 16 bits or were transparent.
    """
    encoded: bytes
    height: int
    width: int
    reencoded: bool
    rescaled: bool = False


def read(path: str | os.PathLike, size: tuple[int, int] | None = None,
         exif: str = 'refuse', data: bytes = b'') -> EncodedImage:
    """Reads and checks an image file, as its annotation means it.

    An image with an EXIF orientation is turned where only the upright image has the annotated size,
    and stays as it is stored, as VOC's do, where only that has it.

    Args:
        path: of the file.
        size: (height, width) that the annotation states, or None.
        exif: what holds where the sizes do not tell: 'upright', 'stored', or 'refuse'.
        data: what would stand in the file, where it is known already.

    Raises:
        DataError: it cannot be decoded as a whole, or nothing tells how its boxes are meant.
    """
    data = data or _bytes(path)
    turn = _orientation(data)
    stored, rescaled = _decoded(data, path)
    height, width = stored.shape[:2]
    turned = ORIENTATIONS[turn - 1][0]
    sizes = {'stored': (height, width), 'upright': (width, height) if turned else (height, width)}
    meant = [name for name, its_size in sizes.items() if its_size == size] if turn > 1 \
        else ['stored']
    how = meant[0] if len(meant) == 1 else exif
    if how == 'refuse':
        raise DataError(f'{path}: its EXIF orientation {turn} turns it, and the size in the '
                        'annotation does not tell whether the boxes are of the turned image; say '
                        'it with --exif=upright or --exif=stored')
    plain = is_plain_jpeg(data)
    if how == 'upright' and turn > 1:
        stored, plain = upright(stored, turn), False
    if not plain:
        bgr = cv2.cvtColor(np.ascontiguousarray(stored), cv2.COLOR_RGB2BGR)
        encoded = cv2.imencode('.jpg', bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()
    height, width = stored.shape[:2]
    return EncodedImage(data if plain else encoded, height, width, not plain, rescaled)


def read_upright(path: str | os.PathLike) -> np.ndarray:
    """An image file as people see it, uint8 RGB [H, W, 3]; DataError as for `decode`."""
    return decode_upright(_bytes(path), path)


def decode_upright(data: bytes, name: str | os.PathLike) -> np.ndarray:
    """The bytes of an image file as `read_upright` reads a file; messages call it `name`."""
    return upright(decode(data, name), _orientation(data))


def of_pillow(image: PillowImage) -> np.ndarray:
    """An image of Pillow as `read_upright` would read its file."""
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith('I'):  # gray, 16 bits, which Pillow may hold in 32
        return _eight_bits(np.asarray(image).astype(np.uint16))[0]
    if image.has_transparency_data:
        return _eight_bits(cv2.cvtColor(np.asarray(image.convert('RGBA')), cv2.COLOR_RGBA2BGRA))[0]
    return np.asarray(image.convert('RGB'))


def orientation(path: str | os.PathLike) -> tuple[bool, tuple[int, int]]:
    """The entry of ORIENTATIONS by which `read_upright` turns a file."""
    return ORIENTATIONS[_orientation(_bytes(path)) - 1]


def upright(image: np.ndarray, number: int) -> np.ndarray:
    """A stored image [H, W, 3], turned by EXIF orientation `number`, 1..8."""
    transposed, (down, right) = ORIENTATIONS[number - 1]
    return np.ascontiguousarray((image.transpose(1, 0, 2) if transposed else image)
                                [::down, ::right])


def decode(data: bytes, path: str | os.PathLike) -> np.ndarray:
    """The bytes of an image file as it is stored, uint8 RGB [H, W, 3].

    Raises:
        DataError: `path` is no image, is cut, or has more pixels than MOST_PIXELS.
    """
    return _decoded(data, path)[0]


def _decoded(data, path):
    """The image, and whether it had 16 bits or transparent pixels."""
    # OpenCV and TensorFlow fill what is missing of a JPEG with gray.
    if data[:2] == _JPEG and b'\xff\xd9' not in data[max(_scan(data), 0):]:
        raise DataError(f'{path}: truncated JPEG: its end marker is missing')
    flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        array = np.frombuffer(data, np.uint8)
        if data[:2] not in (_JPEG, b'BM', b''):  # other kinds may be deep
            image = cv2.imdecode(array, cv2.IMREAD_UNCHANGED)
            if image is not None and image.dtype in (np.uint8, np.uint16):
                return _eight_bits(image)
        image = cv2.imdecode(array, flags) if data else None
    except cv2.error as error:
        if 'PIXELS' not in str(error):
            raise DataError(f'{path} is no image that OpenCV reads, or a damaged one') from None
        limit = os.environ.get('OPENCV_IO_MAX_IMAGE_PIXELS', MOST_PIXELS)
        raise DataError(f'{path} has more than {limit} pixels; make it smaller, or set the '
                        'environment variable OPENCV_IO_MAX_IMAGE_PIXELS to more') from None
    if image is None:
        raise DataError(f'{path} is no image that OpenCV reads, or a damaged one')
    return image, False


def _bytes(path):
    try:
        with open(path, 'rb') as file:
            return file.read()
    except OSError as error:
        raise DataError(f'{path}: image cannot be read: {error.strerror}') from None


def _eight_bits(image):
    """[H, W] or [H, W, 3 or 4] in OpenCV's order -> uint8 RGB [H, W, 3], and whether it changed."""
    image = image[..., None] if image.ndim == 2 else image
    colours, alpha = image[..., :3], image[..., 3:]
    deep = image.dtype == np.uint16
    if deep:
        bits = int(colours.max()).bit_length()
        colours, alpha = colours >> max(2, bits + bits % 2 - 8), alpha >> 8
    seen_through = bool(alpha.size and alpha.min() < 255)
    if seen_through:
        alpha = alpha.astype(np.uint16)
        colours = (colours * alpha + 255 * (255 - alpha) + 127) // 255
    rgb = np.broadcast_to(colours[..., ::-1], (*image.shape[:2], 3)).astype(np.uint8)
    return np.ascontiguousarray(rgb), deep or seen_through


def _orientation(data) -> int:
    """The EXIF orientation, 1..8; 1 where there is none, and for TIFFs, which OpenCV turns."""
    if not re.search(rb'(?i)exif', data):
        return 1
    try:
        with Image.open(io.BytesIO(data)) as image:
            found = image.getexif().get(0x0112, 1) if image.format != 'TIFF' else 1
    except Exception:  # Pillow's many exceptions on damaged files; decoding says what is wrong
        return 1
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def is_plain_jpeg(data: bytes) -> bool:
    """Whether bytes are a JPEG of one (gray) or three 8-bit components; CMYK has four."""
    for marker, position in _segments(data):
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # start of frame
            bits, components = data[position + 4], data[position + 9]
            return bits == 8 and components in (1, 3) and marker in (0xC0, 0xC1, 0xC2)
    return False


def _scan(data) -> int:
    """Where the compressed pixels of a JPEG begin; behind an embedded preview. -1: nowhere."""
    return next((position for marker, position in _segments(data) if marker == 0xDA), -1)


def _segments(data):
    """Yields (marker, its position) of a JPEG, as far as the first scan."""
    position = 2
    while data[:2] == _JPEG and position + 9 < len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF:  # padding
            position += 1
            continue
        yield marker, position
        if marker == 0xDA:
            return
        position += 2 + int.from_bytes(data[position + 2:position + 4], 'big')
