"""Record folders: TFRecord shards of encoded images with their objects, and an index.

The feature keys are those of tensorflow/models, research/object_detection/dataset_tools,
create_pascal_tf_record.py and create_coco_tf_record.py.
"""
import contextlib
import dataclasses
import json
import os
import pathlib
import typing
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from datasets import annotations
from utils import files
from utils.errors import DataError

INDEX = 'index.json'
_VERSION = 1


@dataclasses.dataclass(frozen=True)
class RecordIndex:
    """A complete record folder.

    Attributes:
        folder: its path.
        files: paths of the shards, in order; one that the index names twice is read twice.
        images: number of images in all shards.
        classes: names of labels 1, 2, ...
        image_sets: the lists that it was made from, such as ('VOC2012/val',).
        objects: number of objects in all shards, without crowd regions; None in older records,
            which do not say it.
    """
    folder: str
    files: tuple[str, ...]
    images: int
    classes: tuple[str, ...]
    image_sets: tuple[str, ...] = ()
    objects: int | None = None


def example(encoded: bytes, height: int, width: int, filename: str, source_id: str,
            objects: annotations.Objects, classes: Sequence[str]) -> tf.train.Example:
    """One image with its objects.

    Args:
        encoded: a JPEG file.
        height: of the image, pixels.
        width: of the image, pixels.
        filename: of the image, for the reader of a record.
        source_id: the image's id in evaluation and messages.
        objects: see datasets.annotations.
        classes: names of labels 1, 2, ...
    """
    boxes, names = objects.boxes, [classes[label - 1].encode() for label in objects.labels]
    features = {
        'image/encoded': _bytes([encoded]), 'image/format': _bytes([b'jpeg']),
        'image/height': _ints([height]), 'image/width': _ints([width]),
        'image/filename': _bytes([filename.encode()]),
        'image/source_id': _bytes([source_id.encode()]),
        'image/object/bbox/ymin': _floats(boxes[:, 0]),
        'image/object/bbox/xmin': _floats(boxes[:, 1]),
        'image/object/bbox/ymax': _floats(boxes[:, 2]),
        'image/object/bbox/xmax': _floats(boxes[:, 3]),
        'image/object/class/label': _ints(objects.labels),
        'image/object/class/text': _bytes(names),
        'image/object/difficult': _ints(objects.difficult),
        'image/object/truncated': _ints(objects.truncated)}
    if objects.crowd is not None and objects.crowd.any():
        features['image/object/is_crowd'] = _ints(objects.crowd)
    return tf.train.Example(features=tf.train.Features(feature=features))


def _bytes(values):
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))


def _ints(values):
    return tf.train.Feature(int64_list=tf.train.Int64List(value=[int(v) for v in values]))


def _floats(values):
    return tf.train.Feature(float_list=tf.train.FloatList(value=[float(v) for v in values]))


def parse(serialized: tf.Tensor | bytes) -> dict[str, tf.Tensor]:
    """One record as a dict of tensors.

    Args:
        serialized: scalar string, an Example.

    Returns:
        image: string, a JPEG file.
        id: string.
        height: int64, pixels.
        width: int64, pixels.
        boxes: float32 [R, 4], corners in [0, 1].
        labels: int64 [R], from 1.
        difficult: bool [R].
        crowd: bool [R]; all false in records without the feature.
    """
    many, one = tf.io.VarLenFeature, tf.io.FixedLenFeature
    sides = [f'image/object/bbox/{side}' for side in ('ymin', 'xmin', 'ymax', 'xmax')]
    flags = ['image/object/difficult', 'image/object/is_crowd']
    found = tf.io.parse_single_example(serialized, {
        'image/encoded': one([], tf.string), 'image/source_id': one([], tf.string, ''),
        'image/height': one([], tf.int64), 'image/width': one([], tf.int64),
        'image/object/class/label': many(tf.int64),
        **dict.fromkeys(flags, many(tf.int64)), **dict.fromkeys(sides, many(tf.float32))})
    boxes = tf.stack([tf.sparse.to_dense(found[side]) for side in sides], axis=1)
    labels = tf.sparse.to_dense(found['image/object/class/label'])
    difficult, crowd = (tf.cast(tf.sparse.to_dense(found[flag]), tf.bool) for flag in flags)
    crowd = tf.cond(tf.size(crowd) > 0, lambda: crowd, lambda: tf.zeros_like(labels, tf.bool))
    return {'image': found['image/encoded'], 'id': found['image/source_id'],
            'height': found['image/height'], 'width': found['image/width'],
            'boxes': tf.ensure_shape(boxes, [None, 4]), 'labels': labels, 'difficult': difficult,
            'crowd': crowd}


def objects(index: RecordIndex) -> Iterator[dict[str, np.ndarray]]:
    """Yields boxes float32 [R, 4] and labels int64 [R] of every image, without crowd regions.

    Raises:
        tf.errors.OpError: damaged records; see preprocessing.damage.
    """
    def read(serialized):
        record = parse(serialized)
        return {key: tf.boolean_mask(record[key], ~record['crowd']) for key in ('boxes', 'labels')}

    yield from tf.data.TFRecordDataset(list(index.files)).map(read).as_numpy_iterator()


def image_ids(index: RecordIndex) -> Iterator[str]:
    """Yields the id of every image; tf.errors.OpError as `objects`."""
    for record in tf.data.TFRecordDataset(list(index.files)).map(parse).as_numpy_iterator():
        yield record['id'].decode()


def check_objects(index: RecordIndex) -> None:
    """Raises DataError where the records hold not one object. Older ones are read to find out."""
    count = index.objects
    if count is None:
        count = next((1 for found in objects(index) if len(found['labels'])), 0)
    if not count:
        raise DataError(f'{index.folder}: no image has an object, so there is nothing to learn or '
                        'to find; convert again, and look at the lines about what is refused')


class Writer:
    """Writes a record folder, completely or not at all.

        with Writer(folder, classes, image_sets, per_shard) as writer:
            writer.add(example)

    The shards go to a hidden folder in it. When the block ends without an exception, the index is
    added and they replace the old ones. A conversion that is interrupted, or adds no image, leaves
    an older folder as it was. Several writers in one contextlib.ExitStack replace all folders or
    none; `finish` each, so that what can fail has been done before the first is replaced.

    Args:
        folder: new, empty, or an older record folder.
        classes: names of labels 1, 2, ...
        image_sets: the lists that the images are from.
        per_shard: images per shard, at most.

    Raises:
        DataError: on entering the block, if the folder holds other files, which would be lost.
        UserError: then, if another process writes there, or nobody can.
    """

    def __init__(self, folder: str | os.PathLike, classes: Iterable[str],
                 image_sets: Iterable[str] = (), per_shard: int = 500):
        self.folder = pathlib.Path(folder)
        self.classes, self.image_sets = tuple(classes), tuple(image_sets)
        self.per_shard = per_shard
        self._counts, self._objects = [], 0  # images of each shard; objects of all
        self._shard: typing.Any = None  # tf.io.TFRecordWriter
        self._block = self._writing()

    def __enter__(self) -> 'Writer':
        self._block.__enter__()
        return self

    def __exit__(self, *error: typing.Any) -> None:
        self._block.__exit__(*error)

    @contextlib.contextmanager
    def _writing(self):
        _refuse_others_files(self.folder)
        with files.held(self.folder), files.staged(self.folder, INDEX) as stage:
            self._stage = pathlib.Path(stage)
            try:
                yield
            except BaseException:
                with contextlib.suppress(tf.errors.OpError):
                    self._close_shard()
                raise
            self.finish()

    def finish(self) -> None:
        """Completes the files in the hidden folder, to which nothing is added after that."""
        self._close_shard()
        if self._counts:
            self._add_index()

    def add(self, item: tf.train.Example) -> None:
        """Appends one image."""
        if self._shard is None or self._counts[-1] == self.per_shard:
            self._close_shard()
            path = self._stage / f'shard-{len(self._counts):05d}.tfrecord'
            self._shard = tf.io.TFRecordWriter(str(path))
            self._counts.append(0)
        self._shard.write(item.SerializeToString())
        self._counts[-1] += 1
        features = item.features.feature
        self._objects += (len(features['image/object/class/label'].int64_list.value)
                          - sum(features['image/object/is_crowd'].int64_list.value))

    def _close_shard(self):
        if self._shard is not None:
            self._shard.close()
            self._shard = None

    def add_text(self, name: str, text: str) -> None:
        """A text file beside the shards."""
        (self._stage / name).write_text(text, encoding='utf-8')

    def _add_index(self):
        shards = sorted(self._stage.glob('*.tfrecord'))
        content = {'version': _VERSION, 'images': sum(self._counts), 'objects': self._objects,
                   'classes': self.classes, 'image_sets': self.image_sets,
                   'shards': [{'file': path.name, 'images': count, 'bytes': path.stat().st_size}
                              for path, count in zip(shards, self._counts, strict=True)]}
        self.add_text(INDEX, json.dumps(content, indent=1) + '\n')


def _refuse_others_files(folder):
    """DataError if a folder holds other files than records: perhaps the images themselves."""
    if folder.exists() and not folder.is_dir():
        raise DataError(f'{folder} is a file; name another folder: --output')
    names = files.contents(folder)
    if names and not (INDEX in names and all(
            name == INDEX or name.endswith(('.tfrecord', '.txt')) for name in names)):
        raise DataError(f'{folder} exists and is no mere record folder: records would take the '
                        'place of all that it holds; name another folder: --output')


def read_index(folder: str | os.PathLike) -> RecordIndex:
    """The index of a record folder.

    Raises:
        DataError: the index is missing, damaged or of another version, counts other images than its
            shards do, or a shard is missing or has another size than when it was written.
    """
    folder = pathlib.Path(folder)
    path = folder / INDEX
    if not path.is_file():
        what = ('has no index.json: it is no finished conversion' if folder.is_dir()
                else 'does not exist')
        raise DataError(f'record folder {folder} {what}; write it with ssd_image_to_tf.py')
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
        version = content['version']
        shards = [(str(folder / pathlib.Path(shard['file']).name), shard['bytes'])
                  for shard in content['shards']]
        index = RecordIndex(str(folder), tuple(file for file, _ in shards), content['images'],
                            tuple(content['classes']), tuple(content['image_sets']),
                            content.get('objects'))
        of_shards = sum(shard['images'] for shard in content['shards'])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f'{path} is damaged ({type(error).__name__}: {error}); convert '
                        'again') from None
    if version != _VERSION:
        raise DataError(f'{path} has version {version}, and {_VERSION} is read here; convert again')
    if index.images != of_shards:  # a training would resume at other images
        raise DataError(f'{path}: images is {index.images}, but its shards have {of_shards} '
                        'together; write the sum there, or convert again')
    for file, written in shards:
        if not os.path.isfile(file):
            raise DataError(f'record shard {file} is missing; convert again')
        if (size := os.path.getsize(file)) != written:
            raise DataError(f'record shard {file} has {size} bytes instead of {written}; '
                            'convert again')
    return index
