"""Picture files as a user gives them: any format that OpenCV reads, turned upright by its EXIF orientation. No TensorFlow."""
import glob
import itertools
import os
from collections.abc import Sequence

import cv2
import numpy as np

from datasets import shapes
from utils.errors import DataError

# What counts as a picture in a folder. A file that is given by its name may have any ending.
ENDINGS = ('.jpg', '.jpeg', '.png', '.bmp', '.webp', '.tif', '.tiff', '.gif', '.jp2', '.ppm', '.pgm', '.avif')
# EXIF orientation 1, 2, ... 8 -> how the stored picture becomes upright: transposed, then mirrored along (y, x).
_ORIENTATIONS = ((False, (1, 1)), (False, (1, -1)), (False, (-1, -1)), (False, (-1, 1)),
                 (True, (1, 1)), (True, (1, -1)), (True, (-1, -1)), (True, (-1, 1)))


def read(path: str | os.PathLike) -> np.ndarray:
    """uint8 RGB [H, W, 3], upright. DataError where the file is missing, no picture, or damaged: a part of one is none."""
    return _decode(path, cv2.IMREAD_COLOR_RGB)


def _decode(path, flags):
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        raise DataError(f'{path} cannot be read: {error.strerror}') from None
    try:
        # Not imread: it fills the missing part of a truncated JPEG with gray.
        picture = cv2.imdecode(data, flags)
    except cv2.error:  # an empty file, or more pixels than OpenCV takes
        picture = None
    if picture is None:
        raise DataError(f'{path} is no picture that OpenCV reads, or a damaged one')
    return picture


def sample() -> tuple[str, np.ndarray]:
    """(name, uint8 RGB [H, W, 3]): a photograph of a person that matplotlib brings along, or else a drawn scene."""
    if path := photograph():
        return path, read(path)
    print('no picture given, and no sample photograph in this matplotlib: a drawn scene instead')
    return 'drawn_scene', shapes.picture(np.random.default_rng(1))[0]


def photograph() -> str | None:
    """Path of the photograph that matplotlib brings along; None where it brings none."""
    from matplotlib import cbook
    path = str(cbook.get_sample_data('grace_hopper.jpg', asfileobj=False))
    return path if os.path.isfile(path) else None


def in_folder(folder: str | os.PathLike) -> list[str]:
    """Paths of the pictures that lie directly in a folder, sorted, without hidden files; DataError where there are none."""
    try:
        names = sorted(name for name in os.listdir(folder) if not name.startswith('.'))
    except OSError as error:
        raise DataError(f'{folder} cannot be read: {error.strerror}') from None
    return _pictures([os.path.join(folder, name) for name in names], f'folder {folder} holds')


def matching(pattern: str) -> list[str]:
    """Paths of the pictures that match a pattern (*, ?, [abc], ** for any folders), sorted; DataError where there are none."""
    return _pictures(sorted(glob.glob(pattern, recursive=True)), f"pattern '{pattern}' matches")


def _pictures(paths, subject):
    found = [path for path in paths if path.lower().endswith(ENDINGS) and os.path.isfile(path)]
    if not found:
        kinds = ', '.join(ENDINGS[:3])
        raise DataError(f'{subject} no pictures ({kinds}, ...), only others, such as {os.path.basename(paths[0])}' if paths
                        else f'{subject} nothing')
    return found


def unique_stems(paths: Sequence[str]) -> list[str]:
    """File names without ending; of equal ones, the second becomes name_2, the third name_3, in upper and lower case alike."""
    taken, stems = set(), []
    for path in paths:
        stem = os.path.splitext(os.path.basename(path))[0]
        numbered = itertools.chain([stem], (f'{stem}_{number}' for number in itertools.count(2)))
        stems.append(next(name for name in numbered if name.lower() not in taken))
        taken.add(stems[-1].lower())
    return stems


def as_stored(path: str | os.PathLike, upright: np.ndarray, boxes: np.ndarray) -> tuple[tuple[int, int], np.ndarray]:
    """Boxes of the upright picture -> of the picture as the file stores its pixels, which is what VOC's boxes refer to.

    Args:
        upright: `read(path)`.  boxes: [D, 4] corners in [0, 1].

    Returns:
        (height, width) of the stored picture, and float64 [D, 4] corners in it.
    """
    stored = _decode(path, cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
    transposed, (down, right) = _orientation(stored, upright)
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    ymin, xmin, ymax, xmax = boxes.T
    ymin, ymax = (ymin, ymax) if down > 0 else (1 - ymax, 1 - ymin)
    xmin, xmax = (xmin, xmax) if right > 0 else (1 - xmax, 1 - xmin)
    corners = (xmin, ymin, xmax, ymax) if transposed else (ymin, xmin, ymax, xmax)
    return stored.shape[:2], np.stack(corners, axis=1)


def _orientation(stored, upright):
    """The entry of _ORIENTATIONS that leads from one picture to the other: what OpenCV did, whatever the file says."""
    for transposed, (down, right) in _ORIENTATIONS:
        turned = (stored.transpose(1, 0, 2) if transposed else stored)[::down, ::right]
        if np.array_equal(turned, upright):
            return transposed, (down, right)
    raise ValueError('the two pictures are not of the same file')
