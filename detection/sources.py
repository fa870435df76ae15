"""Sources of images: files, a video or a camera, decoded by threads ahead of the network.

Image files may have any format that OpenCV reads; their EXIF orientation is
followed. Whether a file is an image or a video, its content says. No TensorFlow.
"""
import contextlib
import dataclasses
import glob
import itertools
import mimetypes
import os
import struct
import time
import typing
from collections.abc import Callable, Iterator, Sequence

import cv2
import numpy as np

from datasets import images as image_files
from datasets import shapes
from preprocessing import encoded_image
from utils import MOST_PIXELS, threads
from utils.errors import DataError
from utils.text import counted, is_plain

# Frames per second where the source states none, or an impossible one: webcams say 90000, and MP4
# has none below 0.005.
_USUAL_RATE, _LOWEST_RATE, _HIGHEST_RATE = 25.0, 0.01, 1000.0
# A video that ends earlier is cut. Some files state only a duration, which errs by a few frames.
_WHOLE, _ERROR = 0.98, 2
_PARTS = 1000  # of an MP4, that are looked at
# Text has none of these control characters in its first bytes; all video formats have, except that
# of raw pixels.
_START, _CONTROLS = 1024, frozenset(range(32)) - frozenset(b'\t\n\f\r')
_RAW_PIXELS = b'YUV4MPEG2 '
# FFmpeg's fourcc of uncompressed BGR. Where its rows are stored from the bottom up, as is usual in
# AVI, OpenCV 5.0 corrupts the memory of the process, which then ends without a message.
_BGR = int.from_bytes(b'BGR\x18', 'little')
_Prepared = typing.TypeVar('_Prepared')


def read(path: str | os.PathLike) -> np.ndarray:
    """An image file as uint8 RGB [H, W, 3], upright; DataError where it is missing or damaged."""
    return encoded_image.read_upright(path)


def sample() -> tuple[str, np.ndarray]:
    """(name, uint8 RGB [H, W, 3]): matplotlib's photograph of a person, or a drawn scene."""
    if path := photograph():
        return path, read(path)
    print('no sample photograph in this matplotlib: a drawn scene instead')
    return 'drawn_scene', shapes.draw(np.random.default_rng(1))[0]


def photograph() -> str | None:
    """Path of the photograph of a person that comes with matplotlib; None where it has none."""
    from matplotlib import cbook
    path = str(cbook.get_sample_data('grace_hopper.jpg', asfileobj=False))
    return path if os.path.isfile(path) else None


def _in_folder(folder):
    """Sorted paths of the images directly in a folder, without hidden files."""
    try:
        names = sorted(name for name in os.listdir(folder) if not name.startswith('.'))
    except OSError as error:
        raise DataError(f'{folder} cannot be read: {error.strerror}') from None
    paths = [os.path.join(folder, name) for name in names]
    found = _images(paths, f'folder {folder} holds')
    videos = [path for path in paths if str(mimetypes.guess_type(path)[0]).startswith('video/')
              and path not in found]
    if videos:
        print(f'{counted(len(videos), "video")} left out, first {videos[0]}; name a video by '
              'itself')
    return found


def _images(paths, subject):
    found = [path for path in paths if os.path.isfile(path)
             and (image_files.is_image(path) or _holds_image(path))]
    if not found:
        kinds = ', '.join(image_files.ENDINGS[:3])
        raise DataError(f'{subject} no images ({kinds}, ...), only others, such as '
                        f'{os.path.basename(paths[0])}' if paths else f'{subject} nothing')
    return found


def _holds_image(path):
    """Whether a file begins as one of the images that OpenCV reads."""
    return is_plain(path) and cv2.haveImageReader(path)


def _unique_stems(paths):
    """File names without ending; of equal ones, in any case, the second is name_2, ..."""
    taken, stems = set(), []
    for path in paths:
        stem = _stem(path)
        numbered = itertools.chain([stem], (f'{stem}_{number}' for number in itertools.count(2)))
        stems.append(next(name for name in numbered if name.lower() not in taken))
        taken.add(stems[-1].lower())
    return stems


def as_stored(path: str | os.PathLike, upright: np.ndarray,
              boxes: np.ndarray) -> tuple[tuple[int, ...], np.ndarray]:
    """Boxes of the upright image -> of the image as the file stores it, which VOC's boxes refer to.

    Args:
        path: of the image.
        upright: `read(path)`.
        boxes: [D, 4] corners in [0, 1].

    Returns:
        (height, width) of the stored image, and float64 [D, 4] corners in it.
    """
    transposed, (down, right) = encoded_image.orientation(path)
    ymin, xmin, ymax, xmax = np.asarray(boxes, np.float64).reshape(-1, 4).T
    ymin, ymax = (ymin, ymax) if down > 0 else (1 - ymax, 1 - ymin)
    xmin, xmax = (xmin, xmax) if right > 0 else (1 - xmax, 1 - xmin)
    corners = (xmin, ymin, xmax, ymax) if transposed else (ymin, xmin, ymax, xmax)
    height, width = upright.shape[:2]
    return (width, height) if transposed else (height, width), np.stack(corners, axis=1)


@dataclasses.dataclass(frozen=True)
class Item:
    """One image, or one frame of a video or camera.

    Attributes:
        image: uint8 RGB [H, W, 3].
        path: of the image or video; a camera's name.
        stem: for names of output files; no two items have the same.
        frame: its number, from 0; None for an image.
        seconds: since the first frame; None for an image.
    """
    image: np.ndarray
    path: str
    stem: str
    frame: int | None = None
    seconds: float | None = None


class ImageFiles:
    """One image file or several. Those that cannot be read are skipped, and listed in `refused`.

    Args:
        paths: of the files.
        name: what the user called them.
        stem: of the output files.
        several: whether the user named several; also where only one is found.
    """
    moving = live = False
    workers = min(8, os.cpu_count() or 1)
    noun = 'image'

    def __init__(self, paths: Sequence[str], name: str, stem: str, several: bool):
        self.name, self.stem, self.several, self.total = name, stem, several, len(paths)
        self.files = list(zip(paths, _unique_stems(paths), strict=True))
        self.refused: list[str] = []

    def jobs(self) -> list[tuple[str, str]]:
        """(path, stem) of each file."""
        return self.files

    def load(self, job: tuple[str, str]) -> Item:
        """One of the jobs; DataError where that is no image."""
        path, stem = job
        return Item(read(path), path, stem)

    def cut(self) -> str:
        """See Video.cut; files that cannot be read are in `refused`."""
        return ''

    def __str__(self):
        return f'{self.name}: {counted(self.total, self.noun)}' if self.several else self.name


class Sample(ImageFiles):
    """The sample image, which need not be a file."""

    def __init__(self):
        name, self._image = sample()
        super().__init__([name], name, _stem(name), several=False)

    def load(self, job: tuple[str, str]) -> Item:
        """The image."""
        return Item(self._image, *job)


class Video:
    """A video file, or a camera, whose frames never end. Turned upright where the file says how.

    Args:
        name: what the user called it.
        stem: of the output files.
        path: of the file; None for a camera.
        camera: its number; None for a file.
        step: every so many frames, one is read; the others are skipped.

    Attributes:
        rate: of the frames that are read, per second.
        total: number of these frames, as the file states it, which may be wrong; or None.

    Raises:
        DataError: it cannot be opened, or has no frame that can be decoded.
    """
    moving = several = True
    workers = 1
    noun = 'frame'

    def __init__(self, name: str, stem: str, path: str | None = None, camera: int | None = None,
                 step: int = 1):
        self.name, self.stem, self.live, self._step = name, stem, camera is not None, step
        self._count, self._ended = 0, False  # frames that came so far, and whether no more come
        self.files = [(path, stem)] if path else []
        self.refused: list[str] = []
        # Our own line says what is wrong with a video. FFmpeg reads the variable only once.
        os.environ.setdefault('OPENCV_FFMPEG_LOGLEVEL', '-8')
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
        self._capture = cv2.VideoCapture(camera) if self.live else _opened(path)
        self._first = self._next()
        if self._first is None:
            raise DataError(f'{name} cannot be opened; cameras are numbered from 0' if self.live
                            else _unreadable(path))
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self._own_rate = rate if _LOWEST_RATE <= rate <= _HIGHEST_RATE else _USUAL_RATE
        self.rate = max(_LOWEST_RATE, self._own_rate / step)
        frames = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self._stated = int(frames) if not self.live and 0 < frames < 2**31 else None
        self.total = self._stated and -(-self._stated // step)
        self._start, self._seconds = self._clock(), 0.

    def jobs(self) -> Iterator[int]:
        """Numbers of the frames that are read, from 0, without end."""
        return itertools.count(0, self._step)

    def load(self, job: int) -> Item | None:
        """The frame of number job, the jobs in their order; None after the last."""
        image = self._first if job == 0 else self._next(self._step - 1)
        if image is None:
            return None
        self._seconds = self._time(job)
        return Item(image, self.name, f'{self.stem}_{job:06d}', job, self._seconds)

    def cut(self) -> str:
        """Says that the file has ended long before the end that it states; else ''."""
        if not self._ended or self._count >= _WHOLE * (self._stated or 0) - _ERROR:
            return ''
        return (f'{self.name} ends after {self._count} of {self._stated} frames: it is cut or '
                'damaged; what was found until there is written')

    def _next(self, skipped=0):
        """The next frame but for the skipped ones; None where there is none."""
        for _ in range(skipped):
            self._count += self._capture.grab()
        good, frame = self._capture.read()
        self._count, self._ended = self._count + good, not good
        return cv2.cvtColor(frame, cv2.COLOR_BGR2RGB) if good else None

    def _clock(self):
        """Seconds: of a camera the time, of a file the time of the last frame, as it states it."""
        return time.monotonic() if self.live else \
            self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000

    def _time(self, number):
        """Seconds from the first frame to the last one, `number`; by the rate if they are false."""
        if number == 0 or self.live:
            return self._clock() - self._start if number else 0.
        seconds = self._clock() - self._start
        last = (self._stated or 0) / self._own_rate
        return seconds if self._seconds < seconds <= last else number / self._own_rate

    def __str__(self):
        height, width = self._first.shape[:2]
        frames = f'{counted(self._stated, self.noun)} of ' if self._stated else ''
        every = f', one of {self._step} is looked at' if self._step > 1 else ''
        return f'{self.name}: {frames}{width} x {height} pixels, {self._own_rate:g} frames/s{every}'


def open_source(text: str, step: int = 1) -> ImageFiles | Video:
    """Opens what a user names.

    Args:
        text: an image, a folder, a video, a camera's number or a pattern; what exists under that
            name goes first. Empty: the sample image.
        step: of a video or camera, every so many frames one is read.

    Raises:
        DataError: there is no such thing, or it cannot be read.
    """
    if not text:
        return Sample()
    if os.path.isdir(text):
        stem = os.path.basename(os.path.abspath(text)) or 'images'
        return ImageFiles(_in_folder(text), text, stem, several=True)
    if os.path.isfile(text):
        return _open_file(text, step)
    if text.isdecimal():
        return Video(f'camera {int(text)}', f'camera_{int(text)}', camera=int(text), step=step)
    if any(character in text for character in '*?['):
        paths = _images(sorted(glob.glob(text, recursive=True)), f"pattern '{text}' matches")
        return ImageFiles(paths, text, 'images', several=True)
    raise DataError(f'no image at {text}, nor a folder or video')


def _open_file(path, step):
    """An image or a video; by its ending only where its content is neither."""
    if not _holds_image(path):
        if not image_files.is_image(path):
            return Video(path, _stem(path), path=path, step=step)
        with contextlib.suppress(DataError):
            video = Video(path, _stem(path), path=path, step=step)
            if (video.total or 0) * step > 1:  # FFmpeg opens a damaged image as a single frame
                return video
    return ImageFiles([path], path, _stem(path), several=False)


def batches(source: ImageFiles | Video, prepare: Callable[[np.ndarray], _Prepared],
            batch_size: int) -> Iterator[tuple[list[Item], list[_Prepared]]]:
    """Reads and prepares images in threads, ahead of the consumer.

    Args:
        source: the reasons for skipped images go to its `refused`.
        prepare: called with each image.
        batch_size: items at once; a camera's come one by one.

    Yields:
        ([Item, ...], [prepare(item.image), ...]); the last time perhaps fewer than batch_size.
    """
    ahead = 1 if source.live else batch_size + 2 * source.workers

    def load(job):
        try:
            item = source.load(job)
        except DataError as error:
            return error
        return item and (item, prepare(item.image))

    loaded = threads.in_order(load, source.jobs(), ahead, source.workers)
    readable = _readable(loaded, source.refused)
    while batch := list(itertools.islice(readable, 1 if source.live else batch_size)):
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


def _stem(path):
    return os.path.splitext(os.path.basename(path))[0]


def _opened(path):
    """cv2.VideoCapture of a file; DataError for text, huge frames and an unsafe pixel format."""
    try:
        with open(path, 'rb') as file:
            start = file.read(_START)
    except OSError as error:
        raise DataError(f'{path} cannot be read: {error.strerror}') from None
    # FFmpeg draws some texts as videos, and takes others for lists of further files.
    if _CONTROLS.isdisjoint(start) and not start.startswith(_RAW_PIXELS):
        raise DataError(_unreadable(path))
    if not is_plain(path):
        raise DataError(f'{path} is no image; OpenCV opens no video whose path is no valid '
                        'UTF-8: rename it')
    capture = cv2.VideoCapture(path)
    width, height = (int(capture.get(key))
                     for key in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
    if width * height > MOST_PIXELS:
        raise DataError(f'{path} has frames of {width} x {height} pixels; those of more than '
                        f'{MOST_PIXELS} are not read')
    if int(capture.get(cv2.CAP_PROP_CODEC_PIXEL_FORMAT)) == _BGR:
        raise DataError(f'{path} holds uncompressed BGR pixels, which OpenCV does not read safely; '
                        'convert it to MP4 first')
    return capture


def _unreadable(path):
    if _lacks_index(path):
        return (f'{path} is an MP4 whose index (moov) is not whole, which often stands at the end: '
                'the file is cut, or its recording did not end')
    return f'{path} is no image and no video that OpenCV reads, or a damaged one'


def _lacks_index(path):
    """Whether a file is an MP4 without a whole moov. Each part begins with its size and name."""
    names, place, end = [], 0, os.path.getsize(path)
    with open(path, 'rb') as file:
        while place < end and len(names) < _PARTS:
            file.seek(place)
            size, name, larger = struct.unpack('>I4sQ', file.read(16).ljust(16, b'\0'))
            names.append(name)
            size = {0: end - place, 1: larger}.get(size, size)
            if size < 8 or name == b'moov':
                break
            place += size
    return names[:1] == [b'ftyp'] and (names[-1] != b'moov' or place + size > end)
