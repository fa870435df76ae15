"""Record folders: TFRecord shards of encoded images with their objects, and an index that makes a folder whole.

Feature keys are those of tensorflow/models (research/object_detection/dataset_tools/create_pascal_tf_record.py), which
extend research/slim's image/encoded, image/format, image/height and image/width.
"""
import contextlib
import dataclasses
import json
import os
import pathlib
import shutil
import types
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from datasets import annotations
from utils.errors import DataError

INDEX = 'index.json'
_VERSION = 1


@dataclasses.dataclass(frozen=True)
class RecordIndex:
    """A whole record folder. files: shards, in order.  images: in all of them.  classes: names of labels 1, 2, ...
    image_sets: the lists that it was made of, e.g. ('VOC2012/val',).
    """
    folder: str
    files: tuple[str, ...]
    images: int
    classes: tuple[str, ...]
    image_sets: tuple[str, ...] = ()


def example(encoded: bytes, height: int, width: int, filename: str, source_id: str, objects: annotations.Objects,
            classes: Sequence[str]) -> tf.train.Example:
    """One image with its objects. encoded: JPEG of height x width pixels.  source_id: names the image in records and messages.
    classes: names of labels 1, 2, ...
    """
    boxes = objects.boxes
    return tf.train.Example(features=tf.train.Features(feature={
        'image/encoded': _bytes([encoded]), 'image/format': _bytes([b'jpeg']),
        'image/height': _ints([height]), 'image/width': _ints([width]),
        'image/filename': _bytes([filename.encode()]), 'image/source_id': _bytes([source_id.encode()]),
        'image/object/bbox/ymin': _floats(boxes[:, 0]), 'image/object/bbox/xmin': _floats(boxes[:, 1]),
        'image/object/bbox/ymax': _floats(boxes[:, 2]), 'image/object/bbox/xmax': _floats(boxes[:, 3]),
        'image/object/class/label': _ints(objects.labels),
        'image/object/class/text': _bytes([classes[label - 1].encode() for label in objects.labels]),
        'image/object/difficult': _ints(objects.difficult), 'image/object/truncated': _ints(objects.truncated)}))


def _bytes(values):
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))


def _ints(values):
    return tf.train.Feature(int64_list=tf.train.Int64List(value=[int(v) for v in values]))


def _floats(values):
    return tf.train.Feature(float_list=tf.train.FloatList(value=[float(v) for v in values]))


def parse(serialized: tf.Tensor | bytes) -> dict[str, tf.Tensor]:
    """Scalar string -> dict: image (encoded, string), boxes float32 [R, 4], labels int64 [R], difficult bool [R], id string,
    height and width int64.
    """
    numbers, floats = tf.io.VarLenFeature(tf.int64), tf.io.VarLenFeature(tf.float32)
    sides = ('ymin', 'xmin', 'ymax', 'xmax')
    found = tf.io.parse_single_example(serialized, {
        'image/encoded': tf.io.FixedLenFeature([], tf.string), 'image/source_id': tf.io.FixedLenFeature([], tf.string, ''),
        'image/height': tf.io.FixedLenFeature([], tf.int64), 'image/width': tf.io.FixedLenFeature([], tf.int64),
        'image/object/class/label': numbers, 'image/object/difficult': numbers,
        **{f'image/object/bbox/{side}': floats for side in sides}})
    boxes = tf.stack([tf.sparse.to_dense(found[f'image/object/bbox/{side}']) for side in sides], axis=1)
    return {'image': found['image/encoded'], 'id': found['image/source_id'], 'height': found['image/height'],
            'width': found['image/width'], 'boxes': tf.ensure_shape(boxes, [None, 4]),
            'labels': tf.sparse.to_dense(found['image/object/class/label']),
            'difficult': tf.cast(tf.sparse.to_dense(found['image/object/difficult']), tf.bool)}


def objects(index: RecordIndex) -> Iterator[dict[str, np.ndarray]]:
    """Yields of every image, in the order of the files, a dict of numpy arrays: boxes float32 [R, 4] and labels int64 [R].

    tf.errors.OpError on damaged records; see preprocessing.damage.
    """
    records = tf.data.TFRecordDataset(list(index.files)).map(
        lambda serialized: {key: value for key, value in parse(serialized).items() if key in ('boxes', 'labels')})
    yield from records.as_numpy_iterator()


class Writer:
    """Writes a record folder as a whole or not at all.

    with Writer(folder, classes, image_sets, per_shard) as writer: writer.add(example) ...

    Shards go to a temporary sibling; when the block ends without an exception, the index is added and the sibling takes the
    folder's place. A conversion that is interrupted, or adds no image, leaves an older folder as it was.

    Args:
        folder: new, empty, or an older record folder; on entering the block DataError where it holds anything else, which would
            be lost.
        classes: names of labels 1, 2, ...  image_sets: the lists that the images are from.  per_shard: images, at most.
    """

    def __init__(self, folder: str | os.PathLike, classes: Iterable[str], image_sets: Iterable[str] = (), per_shard: int = 500):
        self.folder = pathlib.Path(os.path.abspath(folder))  # '.' would have no name
        self.classes, self.image_sets, self.per_shard = tuple(classes), tuple(image_sets), per_shard
        self._counts = []  # images of each shard
        self._shard = None

    def __enter__(self) -> 'Writer':
        _refuse_others_files(self.folder)
        self._temporary = self.folder.with_name(f'.{self.folder.name}.writing')
        shutil.rmtree(self._temporary, ignore_errors=True)  # what a killed conversion left
        self._temporary.mkdir(parents=True)
        return self

    def add(self, item: tf.train.Example) -> None:
        """Appends one image."""
        if self._shard is None or self._counts[-1] == self.per_shard:
            self._close_shard()
            self._shard = tf.io.TFRecordWriter(str(self._temporary / f'shard-{len(self._counts):05d}.tfrecord'))
            self._counts.append(0)
        self._shard.write(item.SerializeToString())
        self._counts[-1] += 1

    def _close_shard(self):
        if self._shard is not None:
            self._shard.close()
            self._shard = None

    def add_text(self, name: str, text: str) -> None:
        """A text file beside the shards."""
        (self._temporary / name).write_text(text, encoding='utf-8')

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: types.TracebackType | None) -> None:
        with contextlib.suppress(tf.errors.OpError) if kind else contextlib.nullcontext():
            self._close_shard()
        if kind or not self._counts:
            shutil.rmtree(self._temporary, ignore_errors=True)
            return
        shards = sorted(self._temporary.glob('*.tfrecord'))
        content = {'version': _VERSION, 'images': sum(self._counts), 'classes': self.classes, 'image_sets': self.image_sets,
                   'shards': [{'file': path.name, 'images': count, 'bytes': path.stat().st_size}
                              for path, count in zip(shards, self._counts, strict=True)]}
        self.add_text(INDEX, json.dumps(content, indent=1) + '\n')
        _replace_folder(self._temporary, self.folder)


def _refuse_others_files(folder):
    """DataError where a folder holds more than records: the images themselves, perhaps."""
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else [''] * folder.exists()
    if names and not (INDEX in names and all(name == INDEX or name.endswith(('.tfrecord', '.txt')) for name in names)):
        raise DataError(f'{folder} exists and is no mere record folder: records would take the place of all that it holds; '
                        'name another folder: --output')


def _replace_folder(new, old):
    """Puts a finished folder in another's place; the old one disappears only when the new one stands."""
    aside = old.with_name(f'.{old.name}.old')
    shutil.rmtree(aside, ignore_errors=True)
    if old.exists():
        os.replace(old, aside)
    os.replace(new, old)
    shutil.rmtree(aside, ignore_errors=True)


def read_index(folder: str | os.PathLike, cut_allowed: bool = False) -> RecordIndex:
    """The index of a record folder; DataError where it is missing, damaged or of another version, or a shard is not as it was
    written.

    cut_allowed: shards of another size than they were written with are taken; for preprocessing.damage.sound_copy.
    """
    folder = pathlib.Path(folder)
    path = folder / INDEX
    if not path.is_file():
        what = 'has no index.json: it is no finished conversion' if folder.is_dir() else 'does not exist'
        raise DataError(f'record folder {folder} {what}; write it with ssd_image_to_tf.py')
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
        version, shards = content['version'], [(str(folder / shard['file']), shard['bytes']) for shard in content['shards']]
        index = RecordIndex(str(folder), tuple(file for file, _ in shards), content['images'], tuple(content['classes']),
                            tuple(content['image_sets']))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f'{path} is damaged ({type(error).__name__}: {error}); convert again') from None
    if version != _VERSION:
        raise DataError(f'{path} has version {version}, and {_VERSION} is read here; convert again')
    for file, written in shards:
        _check_size(file, written, cut_allowed)
    return index


def _check_size(file, written, cut_allowed):
    size = os.path.getsize(file) if os.path.isfile(file) else None
    if size is None or (size != written and not cut_allowed):
        found = 'is missing' if size is None else f'has {size} bytes instead of {written}'
        raise DataError(f'record shard {file} {found}; convert again' + (
            '' if size is None else ', or train on what is sound: --damaged_records=skip'))
