"""Files of detections: drawn images, MP4, JSON lines, VOC XML.

Boxes of JSON lines are [xmin, ymin, xmax, ymax] in pixels of the upright image: its left edge is 0,
its right edge is its width. VOC XML has VOC's whole pixels, from 1 and inclusive, of the image as
its file stores it (see sources.as_stored), so that one can train on it; it has no place for scores.
"""
import collections
import dataclasses
import functools
import itertools
import json
import os
import shlex
import time
from collections.abc import Callable, Sequence

import cv2
import numpy as np

from datasets import voc_xml
from datasets.readers import voc
from detection import drawing, sources
from detection.objects import DetectedObject
from utils import files
from utils.command_line import words
from utils.errors import DataError
from utils.text import counted, is_plain, plain

# Endings of an output file. Others that OpenCV writes are images.
_FORMAT_OF = {'.mp4': 'video', '.json': 'json', '.jsonl': 'json', '.xml': 'xml'}
# Of MP4: H.264 plays everywhere, but most builds of OpenCV cannot write it; all can MPEG-4. VP9
# would take 28 times as long as that (51 ms of a core for 640 x 480 pixels).
_CODECS = 'avc1', 'mp4v'
_ENDING_OF = {'image': '.png', 'video': '.mp4', 'json': '.jsonl', 'xml': '.xml'}


@dataclasses.dataclass(frozen=True)
class DetectedImage:
    """An image or frame, and the objects found in it, best first."""
    item: sources.Item
    objects: Sequence[DetectedObject]

    @functools.cached_property
    def drawn(self) -> np.ndarray:
        """uint8 RGB [H, W, 3]."""
        return drawing.draw_detections(self.item.image, self.objects)

    def text(self) -> str:
        """The number of objects, and one line per object."""
        lines = [counted(len(self.objects), 'object')]
        if self.objects:
            lines.append(f'{"class":<16} score  xmin  ymin  xmax  ymax')
        for found in self.objects:
            lines.append(f'{found.name:<16} {found.score:5.2f} '
                         + ' '.join(f'{round(edge):5d}' for edge in found.box))
        return '\n'.join(lines)


class Tally:
    """Counts what was found, and the pace.

    Args:
        warm_up: number of first results that do not count for the pace: they wait for TensorFlow's
            tracing.
    """

    def __init__(self, warm_up: int):
        self.results, self._classes, self._warm_up = 0, collections.Counter(), warm_up
        self._start = self._end = 0.

    def add(self, result: DetectedImage) -> None:
        """Counts one result, as of now."""
        self.results += 1
        self._classes.update(found.name for found in result.objects)
        self._end = time.monotonic()
        if self.results == self._warm_up:
            self._start = self._end

    @property
    def detections(self) -> int:
        """Number of all objects found."""
        return self._classes.total()

    def summary(self, noun: str) -> str:
        """E.g. '100 frames, 130 detections: 100 person, 30 dog; 20.1 frames/s'; noun: 'frame'."""
        found = ', '.join(f'{count} {name}' for name, count in self._classes.most_common())
        text = (f'{counted(self.results, noun)}, '
                f'{counted(self.detections, "detection")}')
        text += f': {found}' if found else ''
        timed = self.results - self._warm_up
        return f'{text}; {timed / (self._end - self._start):.1f} {noun}s/s' if timed > 0 else text


def choose_formats(wanted: str, output: str, moving: bool) -> tuple[str, ...]:
    """The formats to write.

    Args:
        wanted: some of image, video, json, xml, comma-separated. Empty: what the ending of output
            says, or else video for a moving source and image for others.
        output: file, folder, or ''.
        moving: whether the source is a video or camera.

    Raises:
        DataError: the output's ending or the source does not go with the formats.
    """
    given = tuple(dict.fromkeys(words(wanted)))
    of_file = _format_of_file(output)
    formats = given or (of_file or ('video' if moving else 'image'),)
    if of_file and formats != (of_file,):
        raise DataError(f'output {output} is a file for {of_file}, but format is {wanted}; '
                        'name a folder, or leave output empty')
    if 'video' in formats and not moving:
        raise DataError('format video is for a video or a camera; for images: image, json, xml')
    if 'xml' in formats and moving:
        raise DataError('format xml is for images; for a video or a camera: '
                        'video, image (frames), json')
    return formats


def _format_of_file(output):
    """The format of an output file; '' for a folder: no ending, or it exists, or it ends with /."""
    ending = os.path.splitext(output)[1].lower()
    if not ending or output.endswith(('/', os.sep)) or os.path.isdir(output):
        return ''
    if ending in _FORMAT_OF:
        return _FORMAT_OF[ending]
    if not cv2.haveImageWriter('a' + plain(ending)):
        raise DataError(f'output {output}: nothing here writes {ending}; use .png or .jpg, .mp4, '
                        '.jsonl, .xml, or a folder (end it with a slash)')
    return 'image'


class Outputs:
    """The files of one run: `with Outputs(...) as written: written.add(result)` for each result.

    The end of the block completes the files, also where the run is interrupted.

    Args:
        source: of detection.sources.
        output: file, folder, or '' for the current folder.
        formats: see `choose_formats`.

    Raises:
        DataError: one output file for several images, or an output that is an input; nothing is
            written yet. Later: a file cannot be written, or did not become whole.
    """

    def __init__(self, source: sources.ImageFiles | sources.Video, output: str,
                 formats: Sequence[str]):
        paths = {name: _path_of(name, source, output, formats) for name in formats}
        _refuse_inputs(paths.values(), source.files)
        make: dict[str, Callable] = {
            'image': functools.partial(_Files, save=_save_image, noun='image'),
            'xml': functools.partial(_Files, save=_save_xml, noun='XML file'),
            'video': functools.partial(_Mp4, rate=getattr(source, 'rate', None)),
            'json': _JsonLines}
        self._writers = [make[name](path) for name, path in paths.items()]

    def add(self, result: DetectedImage) -> None:
        """Writes one result in every format."""
        for writer in self._writers:
            writer.add(result)

    def __enter__(self) -> 'Outputs':
        return self

    def __exit__(self, *_: object) -> None:
        for writer in self._writers:
            writer.close()

    def written(self) -> list[str]:
        """What has been written, in words, one line per format."""
        return [line for writer in self._writers if (line := writer.written())]

    def notes(self) -> list[str]:
        """What to know of the files."""
        return [writer.note for writer in self._writers if writer.note]


def _path_of(name, source, output, formats):
    """-> function (stem, input file) -> path of the file that receives it."""
    ending, each = _ENDING_OF[name], name in ('image', 'xml')
    if _format_of_file(output):
        if each and source.several:
            raise DataError(f'output {output} is one file, but {source.name} has several '
                            f'{source.noun}s; name a folder')
        return lambda stem, file: output
    if not output and not ('image' in formats if source.moving else source.several):
        return lambda stem, file: f'{source.stem}_detections{ending}'
    folder = output or f'{source.stem}_detections'
    if name == 'image':
        return lambda stem, file: os.path.join(folder, stem + _drawn_ending(file, source.moving))
    return lambda stem, file: os.path.join(folder, (stem if each else 'detections') + ending)


def _drawn_ending(file, moving):
    """Frames and JPEGs are drawn as JPEGs, all else as PNG."""
    return '.jpg' if moving or file.lower().endswith(('.jpg', '.jpeg')) else '.png'


def _refuse_inputs(paths, read):
    """DataError where an output is one of the files that are read, under whatever name."""
    taken = {_identity(file) for file, _ in read} - {None}
    for path_of in paths:
        for path in (path_of(stem, file) for file, stem in read):
            if _identity(path) in taken:
                raise DataError(f'{path} is an input and stays as it is; name another output')


def _identity(path):
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


class _Files:
    """One file per image or frame."""
    note = ''

    def __init__(self, path_of, save, noun):
        self._path_of, self._save, self._noun, self._count, self._last = path_of, save, noun, 0, ''

    def add(self, result):
        self._last = self._path_of(result.item.stem, result.item.path)
        self._save(self._last, result)
        self._count += 1

    def close(self):
        pass

    def written(self):
        if self._count < 2:
            return self._last
        return f'{counted(self._count, self._noun)} in {os.path.dirname(self._last)}/'


def _save_image(path, result):
    drawing.save_image(path, result.drawn)


def _save_xml(path, result):
    item = result.item
    height, width = item.image.shape[:2]
    corners = [[found.box.ymin / height, found.box.xmin / width,
                found.box.ymax / height, found.box.xmax / width] for found in result.objects]
    (height, width), corners = sources.as_stored(item.path, item.image, np.array(corners))
    boxes = whole_pixels(corners, height, width).tolist()
    objects = [(found.name, box, False) for found, box in zip(result.objects, boxes, strict=True)]
    text = voc_xml.annotation(os.path.basename(item.path), height, width, objects)
    with files.writing(path), open(path, 'w', encoding='utf-8', errors='backslashreplace') as file:
        file.write(text)


def whole_pixels(boxes: np.ndarray, height: int, width: int) -> np.ndarray:
    """float [D, 4] corners in [0, 1] -> int64 [D, 4], the nearest VOC pixels, 1 .. side.

    A box keeps at least two pixels of each side if the image has them: a box of a single pixel,
    xmin = xmax, is read as empty.
    """
    sides = np.array([height, width])
    edges = np.asarray(boxes, np.float64) * [height, width, height, width]
    corners = np.round(voc.to_voc_pixels(edges)).astype(np.int64)
    low = np.clip(corners[:, :2], 1, np.maximum(sides - 1, 1))
    high = np.clip(corners[:, 2:], np.minimum(low + 1, sides), sides)
    return np.concatenate([low, high], axis=1)


class _JsonLines:
    """One line per image or frame; each is in the file as soon as it is added."""
    note = ''

    def __init__(self, path_of):
        self._path, self._lines = path_of('', ''), 0

    def add(self, result):
        mode = 'a' if self._lines else 'w'
        with files.writing(self._path), open(self._path, mode, encoding='utf-8') as file:
            file.write(_json_line(result) + '\n')
        self._lines += 1

    def close(self):
        pass

    def written(self):
        return self._path if self._lines else ''


def _json_line(result) -> str:
    item = result.item
    height, width = item.image.shape[:2]
    detections = [{'class': found.name, 'score': round(found.score, 4),
                   'box': [round(edge, 2) for edge in found.box]} for found in result.objects]
    frame = {} if item.frame is None else {'frame': item.frame, 'seconds': round(item.seconds, 3)}
    return json.dumps({'image': item.path, **frame, 'width': width, 'height': height,
                       'detections': detections})


class _Mp4:
    """A video of drawn frames, at the source's rate, without sound.

    Each frame is shown until the next one comes: rates of videos vary, and a camera's with the
    network's speed. The codecs have even sides: OpenCV leaves out the last row or column of an
    odd one.
    """

    def __init__(self, path_of, rate):
        self._path, self._rate, self._writer, self._frames = path_of('', ''), rate, None, 0
        self._shown, self.note = None, ''

    def add(self, result):
        if self._writer is None:
            self._open(*result.item.image.shape[:2])
        self._write(round(result.item.seconds * self._rate))
        self._shown = cv2.cvtColor(result.drawn, cv2.COLOR_RGB2BGR)

    def _write(self, frames):
        """Writes the frame that was added last until there are so many frames."""
        while self._shown is not None and self._frames < frames:
            self._writer.write(self._shown)
            self._frames += 1

    def _open(self, height, width):
        with files.writing(self._path), open(self._path, 'wb'):  # says why, as OpenCV would not
            pass
        # MPEG-4 cannot express some fractional rates beyond 65, as those of phones' slow motion.
        if not is_plain(self._path):
            os.remove(self._path)
            raise DataError(f'{self._path}: OpenCV writes no video to a path of no valid '
                            'UTF-8; name another --output')
        for codec, rate in itertools.product(_CODECS, (self._rate, float(round(self._rate)))):
            self._writer = cv2.VideoWriter(self._path, cv2.VideoWriter_fourcc(*codec), rate,
                                           (width, height))
            if self._writer.isOpened():
                self._rate, self.note = rate, '' if codec == _CODECS[0] else self._advice()
                return
        os.remove(self._path)
        raise DataError(f'{self._path} cannot be written: OpenCV makes no MP4 of '
                        f'{width} x {height} pixels')

    def _advice(self):
        path, other = (shlex.quote(name) for name in (
            self._path, f'{os.path.splitext(self._path)[0]}_h264.mp4'))
        return (f'browsers play no MPEG-4, and this OpenCV writes no H.264: ffmpeg -i {path} '
                f'-c:v libx264 -pix_fmt yuv420p {other}')

    def close(self):
        """Writes the index, without which nothing plays; DataError where the file is cut."""
        if self._shown is None:
            return
        self._write(self._frames + 1)
        self._writer.release()
        if cv2.VideoCapture(self._path).get(cv2.CAP_PROP_FRAME_COUNT) != self._frames:
            raise DataError(f'{self._path} is not whole; is the disk full?')

    def written(self):
        return self._path if self._frames else ''
