"""Where pictures to look at come from: files, a video, a camera. One after the other, decoded by threads ahead of the network."""
import dataclasses
import itertools
import os
import time
import typing
from collections.abc import Callable, Iterator, Sequence

import cv2
import numpy as np

from datasets import MOST_PIXELS, pictures
from utils import threads
from utils.errors import DataError

# Frames per second of a video or camera that states none, or one beyond reason: webcams say 90000, and MP4 has none below 0.005.
_USUAL_RATE, _LOWEST_RATE, _HIGHEST_RATE = 25.0, 0.01, 1000.0
_WORKERS = min(8, os.cpu_count() or 1)
# Text has none of these control characters in its first bytes, all formats of videos have, but for one: that of raw pixels.
_START, _CONTROLS, _RAW_PIXELS = 1024, frozenset(range(32)) - frozenset(b'\t\n\f\r'), b'YUV4MPEG2 '
# FFmpeg's fourcc of uncompressed BGR. Where its rows are stored from the bottom up, as is usual in AVI, OpenCV 5.0 corrupts the
# memory of the process, which then ends without a word.
_BGR = int.from_bytes(b'BGR\x18', 'little')
_Prepared = typing.TypeVar('_Prepared')


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
                 read: Callable[[str], np.ndarray] = pictures.read):
        """name: what the user called them.  stem: of the output files.  several: also where there happens to be one alone."""
        self.name, self.stem, self.several, self.total, self._read = name, stem, several, len(paths), read
        self.files = list(zip(paths, pictures.unique_stems(paths), strict=True))
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
        name, picture = pictures.sample()
        return Pictures([name], name, _stem(name), several=False, read=lambda path: picture)
    if os.path.isdir(text):
        return Pictures(pictures.in_folder(text), text, os.path.basename(os.path.abspath(text)) or 'pictures', several=True)
    if os.path.isfile(text):
        picture = cv2.haveImageReader(text) or text.lower().endswith(pictures.ENDINGS)
        return Pictures([text], text, _stem(text), several=False) if picture else Video(text, _stem(text), path=text)
    if text.isdecimal():
        return Video(f'camera {int(text)}', f'camera_{int(text)}', camera=int(text))
    if any(character in text for character in '*?['):
        return Pictures(pictures.matching(text), text, 'pictures', several=True)
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
