"""Image files as bytes for a record: checked, and re-encoded if not plain JPEG. No TensorFlow."""
import dataclasses
import os

import cv2
import numpy as np

from datasets import MOST_PIXELS
from utils.errors import DataError

_QUALITY = 95


@dataclasses.dataclass(frozen=True)
class EncodedImage:
    """An image as it goes into a record.

    Attributes:
        encoded: JPEG bytes of one or three 8-bit channels.
        height: pixels.
        width: pixels.
        reencoded: whether these are not the bytes of the file.
    """
    encoded: bytes
    height: int
    width: int
    reencoded: bool


def read(path: str | os.PathLike) -> EncodedImage:
    """Reads and checks an image file; DataError if it cannot be decoded as a whole.

    The EXIF orientation is ignored: VOC's boxes refer to the pixels as they are stored, and
    tf.io.decode_jpeg reads them in the same way.
    """
    try:
        with open(path, 'rb') as file:
            data = file.read()
    except OSError as error:
        raise DataError(f'{path}: image cannot be read: {error.strerror}') from None
    plain = is_plain_jpeg(data)
    if data[:2] == b'\xff\xd8' and b'\xff\xd9' not in data[-64:]:
        raise DataError(f'{path}: truncated JPEG: its end marker is missing')
    try:
        flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags) if data else None
    except cv2.error:
        raise DataError(f'{path}: no image that can be decoded, or one of more than {MOST_PIXELS} '
                        'pixels') from None
    if image is None:
        raise DataError(f'{path}: no image that can be decoded')
    if not plain:
        data = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()
    return EncodedImage(data, image.shape[0], image.shape[1], not plain)


def is_plain_jpeg(data: bytes) -> bool:
    """Whether bytes are a JPEG of one (gray) or three 8-bit components; CMYK has four."""
    if data[:3] != b'\xff\xd8\xff':
        return False
    position = 2
    while position + 9 < len(data):
        if data[position] != 0xFF:
            return False
        marker = data[position + 1]
        if marker == 0xFF:  # padding
            position += 1
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # start of frame
            bits, components = data[position + 4], data[position + 9]
            return bits == 8 and components in (1, 3) and marker in (0xC0, 0xC1, 0xC2)
        else:
            position += 2 + int.from_bytes(data[position + 2:position + 4], 'big')
    return False
