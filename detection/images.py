"""Images as programs have them: paths, bytes, images of Pillow, arrays."""
import os

import numpy as np

from preprocessing import encoded_image

Image = np.ndarray | str | os.PathLike[str] | bytes | encoded_image.PillowImage


def pixels(image: Image) -> np.ndarray:
    """uint8 RGB [H, W, 3], as people see an image: by EXIF orientation, transparent ones on white.

    Raises:
        DataError: a file, or its bytes, is no image.
        ValueError: an array is not uint8 [H, W, 3], or empty.
    """
    found = _array(image)
    if found.dtype != np.uint8 or found.ndim != 3 or found.shape[2] != 3:
        what = f'{found.dtype} {list(found.shape)}' if found.ndim else type(image).__name__
        raise ValueError('an image is uint8 RGB [H, W, 3], a path, the bytes of a file or an image '
                         f'of Pillow; this one is {what}')
    if not found.size:
        raise ValueError(f'an image has at least one pixel; this one is {list(found.shape)}, such '
                         'as a crop beside the image')
    return found


def _array(image):
    if isinstance(image, str | os.PathLike):
        return encoded_image.read_upright(image)
    if isinstance(image, bytes | bytearray | memoryview):
        return encoded_image.decode_upright(bytes(image), 'image of bytes')
    if isinstance(image, encoded_image.PillowImage):
        return encoded_image.of_pillow(image)
    return np.asarray(image)
