"""Where pictures to look at come from: files, a video, a camera. One after the other, decoded by threads ahead of the network.

Picture files are as a user gives them: any format that OpenCV reads, turned upright by its EXIF orientation. No TensorFlow.
"""
import dataclasses
import glob
import itertools
import os
import time
import typing
from collections.abc import Callable, Iterator, Sequence

import cv2
import numpy as np

from datasets import MOST_PIXELS, shapes
from utils import threads
from utils.errors import DataError

# What counts as a picture in a folder. A file that is given by its name may have any ending.
ENDINGS = ('.jpg', '.jpeg', '.png', '.bmp', '.webp', '.tif', '.tiff', '.gif', '.jp2', '.ppm', '.pgm', '.avif')
# EXIF orientation 1, 2, ... 8 -> how the stored picture becomes upright: transposed, then mirrored along (y, x).
_ORIENTATIONS = ((False, (1, 1)), (False, (1, -1)), (False, (-1, -1)), (False, (-1, 1)),
                 (True, (1, 1)), (True, (1, -1)), (True, (-1, -1)), (True, (-1, 1)))
# Frames per second of a video or camera that states none, or one beyond reason: webcams say 90000, and MP4 has none below 0.005.
_USUAL_RATE, _LOWEST_RATE, _HIGHEST_RATE = 25.0, 0.01, 1000.0
_WORKERS = min(8, os.cpu_count() or 1)
# Text has none of these control characters in its first bytes, all formats of videos have, but for one: that of raw pixels.
_START, _CONTROLS, _RAW_PIXELS = 1024, frozenset(range(32)) - frozenset(b'\t\n\f\r'), b'YUV4MPEG2 '
# FFmpeg's fourcc of uncompressed BGR. Where its rows are stored from the bottom up, as is usual in AVI, OpenCV 5.0 corrupts the
# memory of the process, which then ends without a word.
_BGR = int.from_bytes(b'BGR\x18', 'little')
_Prepared = typing.TypeVar('_Prepared')


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
    return 'drawn_scene', shapes.draw(np.random.default_rng(1))[0]


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


@dataclasses.dataclass(frozen=True)
class Item:
    """One picture, or one frame of a video or camera.

    picture: uint8 RGB [H, W, 3].  path: of the picture or video; a camera's name.  stem: unlike that of all other items.
    frame: its number, from 0; None for a picture.  seconds: since the camera's first frame; None for files.
    """
    picture: np.ndarray
    path: str
    stem: str
    frame: int | None = None
    seconds: float | None = None


class Pictures:
    """One picture file or several. Those that cannot be read are skipped, and listed in `refused`."""
    moving = live = False
    workers = _WORKERS
    noun = 'picture'

    def __init__(self, paths: Sequence[str], name: str, stem: str, several: bool,
                 read: Callable[[str], np.ndarray] = read):
        """name: what the user called them.  stem: of the output files.  several: also where there happens to be one alone."""
        self.name, self.stem, self.several, self.total, self._read = name, stem, several, len(paths), read
        self.files = list(zip(paths, unique_stems(paths), strict=True))
        self.refused = []

    def jobs(self) -> list[tuple[str, str]]:
        """(path, stem) of each."""
        return self.files

    def load(self, job: tuple[str, str]) -> Item:
        """One of the jobs; DataError where that is no picture."""
        path, stem = job
        return Item(self._read(path), path, stem)

    def __str__(self):
        return f'{self.name}: {counted(self.total, self.noun)}' if self.several else self.name


class Video:
    """A video file, or a camera, whose frames never end. Turned upright where the file says how."""
    moving = several = True
    workers = 1
    noun = 'frame'

    def __init__(self, name: str, stem: str, path: str | None = None, camera: int | None = None):
        """path or camera, whose number it is. DataError where it cannot be opened or has no frame that can be decoded."""
        self.name, self.stem, self.live, self.refused = name, stem, camera is not None, []
        self.files = [(path, stem)] if path else []
        _silence_opencv()
        self._capture = cv2.VideoCapture(camera) if self.live else _opened(path)
        self._first = self._read()
        if self._first is None:
            raise DataError(f'{name} cannot be opened; cameras are numbered from 0' if self.live else _unreadable(path))
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self.rate = rate if _LOWEST_RATE <= rate <= _HIGHEST_RATE else _USUAL_RATE
        frames = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        # As the file states it, which may be wrong.
        self.total = int(frames) if not self.live and 0 < frames < 2**31 else None
        self._start = time.monotonic()

    def jobs(self) -> Iterator[int]:
        """Frame numbers from 0, without end."""
        return itertools.count()

    def load(self, job: int) -> Item | None:
        """The next frame; None after the last. job: its number."""
        picture = self._first if job == 0 else self._read()
        if picture is None:
            return None
        seconds = time.monotonic() - self._start if self.live else None
        return Item(picture, self.name, f'{self.stem}_{job:06d}', job, seconds)

    def _read(self):
        good, frame = self._capture.read()
        return cv2.cvtColor(frame, cv2.COLOR_BGR2RGB) if good else None

    def __str__(self):
        height, width = self._first.shape[:2]
        frames = f'{counted(self.total, self.noun)} of ' if self.total else ''
        return f'{self.name}: {frames}{width} x {height} pixels, {self.rate:g} frames/s'


def find(text: str) -> Pictures | Video:
    """The source that a user names: '' (the sample photograph), a picture, a folder, a video, a camera's number or a pattern.

    What exists under that name goes before numbers and patterns. DataError says in one line what is missing.
    """
    if not text:
        name, picture = sample()
        return Pictures([name], name, _stem(name), several=False, read=lambda path: picture)
    if os.path.isdir(text):
        return Pictures(in_folder(text), text, os.path.basename(os.path.abspath(text)) or 'pictures', several=True)
    if os.path.isfile(text):
        picture = cv2.haveImageReader(text) or text.lower().endswith(ENDINGS)
        return Pictures([text], text, _stem(text), several=False) if picture else Video(text, _stem(text), path=text)
    if text.isdecimal():
        return Video(f'camera {int(text)}', f'camera_{int(text)}', camera=int(text))
    if any(character in text for character in '*?['):
        return Pictures(matching(text), text, 'pictures', several=True)
    raise DataError(f'no picture at {text}, nor a folder or video')


def batches(source: Pictures | Video, prepare: Callable[[np.ndarray], _Prepared],
            batch_size: int) -> Iterator[tuple[list[Item], list[_Prepared]]]:
    """Yields ([Item, ...], [prepare(item.picture), ...]), batch_size of each, the last time perhaps fewer; a camera's one by one.

    Reading and prepare run in threads, ahead of the consumer. The reasons for skipped pictures go to source.refused.
    """
    batch_size = 1 if source.live else batch_size

    def load(job):
        try:
            item = source.load(job)
        except DataError as error:
            return error
        return item and (item, prepare(item.picture))

    loaded = threads.in_order(load, source.jobs(), 1 if source.live else batch_size + 2 * source.workers, source.workers)
    readable = _readable(loaded, source.refused)
    while batch := list(itertools.islice(readable, batch_size)):
        items, prepared = zip(*batch, strict=True)
        yield list(items), list(prepared)


def _readable(loaded, refused):
    for found in loaded:
        if found is None:
            return
        if isinstance(found, DataError):
            refused.append(str(found))
        else:
            yield found


def counted(number: int, noun: str) -> str:
    """'1 picture', '2 pictures'."""
    return f'{number} {noun}' + 's' * (number != 1)


def _stem(path):
    return os.path.splitext(os.path.basename(path))[0]


def _opened(path):
    """cv2.VideoCapture of a file; DataError where that is text, or has frames beyond reason or of a kind that is not safe."""
    if _is_text(path):  # FFmpeg draws some texts, and follows others to further files
        raise DataError(_unreadable(path))
    capture = cv2.VideoCapture(path)
    width, height = (int(capture.get(key)) for key in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
    if width * height > MOST_PIXELS:
        raise DataError(f'{path} has frames of {width} x {height} pixels; those of more than {MOST_PIXELS} are not read')
    if int(capture.get(cv2.CAP_PROP_CODEC_PIXEL_FORMAT)) == _BGR:
        raise DataError(f'{path} holds uncompressed BGR pixels, which OpenCV does not read safely; convert it to MP4 first')
    return capture


def _is_text(path) -> bool:
    try:
        with open(path, 'rb') as file:
            start = file.read(_START)
    except OSError as error:
        raise DataError(f'{path} cannot be read: {error.strerror}') from None
    return _CONTROLS.isdisjoint(start) and not start.startswith(_RAW_PIXELS)


def _unreadable(path):
    return f'{path} is no picture and no video that OpenCV reads, or a damaged one'


def _silence_opencv():
    """One line of ours says what is wrong with a video; FFmpeg reads the variable when the first one is opened."""
    os.environ.setdefault('OPENCV_FFMPEG_LOGLEVEL', '-8')
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
