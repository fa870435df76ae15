"""Draws images of records with their boxes, plain and as training sees them, and counts objects.

    python3 -m datasets.browse tfrecords_train
    python3 -m datasets.browse tfrecords_train --images=24 --output=look.png --seed=7

For a look before training: are the boxes on the objects, and are the names right?
"""
import collections
from collections.abc import Iterable, Sequence

import cv2
import numpy as np

from datasets import tfrecord
from detection import drawing
from nets.slim_compat import tf
from preprocessing import damage, normalize, pipeline
from utils import command_line

_SIDE, _GAP = 300, 6  # pixels of a tile, and between tiles
_COLUMNS = 4
_GRAY = 200


def main(argv: Sequence[str] | None = None) -> None:
    options = _options(argv)
    index = tfrecord.read_index(options.records)
    with damage.named(index):
        print(statistics(index))
        wanted = min(options.images, index.images)
        tiles = [*plain(index, wanted, options.seed), *augmented(index, wanted, options.seed)]
    drawing.save_image(options.output, sheet(tiles))
    print(f'drawn: {wanted} images plain, then {wanted} as training sees them: {options.output}')


def _options(argv):
    parser = command_line.parser('python3 -m datasets.browse', __doc__)
    parser.add_argument('records', metavar='RECORDS', help='Record folder.')
    parser.add_argument('--output', default='browse.png', metavar='FILE', help='Image to write.')
    parser.add_argument('--images', type=int, default=12, metavar='NUMBER', help='Images to draw.')
    parser.add_argument('--seed', type=int, default=1, metavar='NUMBER',
                        help='Another seed draws other images.')
    options = parser.parse_args(argv)
    if options.images < 1:
        parser.error(f'--images={options.images} draws nothing')
    return options


def statistics(index: tfrecord.RecordIndex) -> str:
    """A table of the objects of each class: how many, in how many images, and their sizes."""
    sizes, images = collections.defaultdict(list), collections.Counter()
    empty = 0
    for record in tf.data.TFRecordDataset(list(index.files)).map(
            tfrecord.parse).as_numpy_iterator():
        labels = record['labels'].tolist()
        empty += not labels
        images.update(set(labels))
        height, width = record['boxes'][:, 2] - record['boxes'][:, 0], \
            record['boxes'][:, 3] - record['boxes'][:, 1]
        for label, size in zip(labels, np.sqrt(height * width), strict=True):
            sizes[label].append(size)
    wide = max(len(name) for name in (*index.classes, 'class'))
    lines = [f'{"class":<{wide}} images objects    size: tenth  median  nine tenths']
    for label, name in enumerate(index.classes, start=1):
        low, middle, high = np.quantile(sizes[label] or [0], (.1, .5, .9))
        lines.append(f'{name:<{wide}} {images[label]:6d} {len(sizes[label]):7d} {low:14.2f}'
                     f' {middle:7.2f} {high:12.2f}')
    return '\n'.join([*lines, f'{index.images} images, {empty} without objects; a size is the side '
                              'of a square of the same area, in sides of the image'])


def plain(index: tfrecord.RecordIndex, count: int, seed: int) -> list[np.ndarray]:
    """Tiles of images drawn at random."""
    chosen = {*np.random.default_rng(seed).choice(index.images, count, replace=False).tolist()}
    records = tf.data.TFRecordDataset(list(index.files)).enumerate().filter(
        lambda number, _: tf.reduce_any(number == tf.constant([*chosen], tf.int64)))
    decoded = records.map(lambda _, record: pipeline.decode(record, len(index.classes)))
    return [_tile(record['image'], record['boxes'], record['labels'], index.classes)
            for record in decoded.as_numpy_iterator()]


def augmented(index: tfrecord.RecordIndex, count: int, seed: int) -> list[np.ndarray]:
    """Tiles of the first images that a training with this seed would see."""
    batches = pipeline.training_batches(index, _SIDE, count, seed=seed,
                                        fill=normalize.mean_colour('inception'))
    batch = next(batches.as_numpy_iterator())
    return [_tile(image, boxes[labels > 0], labels[labels > 0], index.classes)
            for image, boxes, labels in zip(batch['images'], batch['boxes'], batch['labels'],
                                            strict=True)]


def _tile(image, boxes, labels, classes):
    """uint8 RGB [_SIDE, _SIDE, 3]: the image, as large as fits, with its boxes."""
    scale = _SIDE / max(image.shape[:2])
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    small = cv2.resize(np.ascontiguousarray(image), (width, height), interpolation=cv2.INTER_AREA)
    for box, label in zip(boxes, labels, strict=True):
        corners = np.round(box * [height, width, height, width])
        drawing.draw_box(small, corners, classes[label - 1], drawing.colour(int(label)))
    tile = np.full((_SIDE, _SIDE, 3), _GRAY, np.uint8)
    tile[:height, :width] = small
    return tile


def sheet(tiles: Iterable[np.ndarray]) -> np.ndarray:
    """Tiles of one size in rows of four."""
    tiles = list(tiles)
    rows = -(-len(tiles) // _COLUMNS)
    step = _SIDE + _GAP
    page = np.full((rows * step - _GAP, _COLUMNS * step - _GAP, 3), 255, np.uint8)
    for number, tile in enumerate(tiles):
        top, left = (step * at for at in divmod(number, _COLUMNS))
        page[top:top + _SIDE, left:left + _SIDE] = tile
    return page
