"""Draws a dataset of textured shapes, for tests and to try the whole path.

    python3 -m datasets.shapes --output shapes --train 60 --test 20

The same images without lists, as other tools write them: --layout=images (an XML file beside each)
or --layout=coco.
"""
import json
import os
import pathlib
import shutil
import tempfile
from collections.abc import Sequence

import cv2
import numpy as np

from datasets import voc_xml
from datasets.readers import voc
from utils import command_line, files
from utils.script import run

SHAPES = ('circle', 'square', 'triangle')
_IMAGE_SIDES = (200, 400)  # pixels
_SHAPE_SIDES = (0.2, 0.6)  # in units of the shorter side of the image
# Name; ymin, xmin, ymax, xmax, pixel edges; whether difficult, 0 or 1.
_Shape = tuple[str, int, int, int, int, int]


def write_voc(folder: str | os.PathLike, train: int = 60, test: int = 20, seed: int = 0,
              size: tuple[int, int] | None = None) -> None:
    """Writes JPEGImages, Annotations, ImageSets/Main/{train,test}.txt and classes.txt.

    Args:
        folder: is made if it does not exist.
        train: images of the list train.
        test: images of the list test.
        seed: the same seed draws the same images.
        size: (height, width) of every image, pixels; None: chosen at random.
    """
    folder = pathlib.Path(folder)
    for part in ('JPEGImages', 'Annotations', 'ImageSets/Main'):
        (folder / part).mkdir(parents=True, exist_ok=True)
    (folder / 'classes.txt').write_text('\n'.join(SHAPES) + '\n', encoding='utf-8')
    ids = [f'{number:06d}' for number in range(1, train + test + 1)]
    for number, image_id in enumerate(ids):
        image, objects = draw(np.random.default_rng([seed, number]), size)
        cv2.imwrite(str(folder / 'JPEGImages' / f'{image_id}.jpg'), image)
        (folder / 'Annotations' / f'{image_id}.xml').write_text(
            annotation(image_id, image.shape[:2], objects), encoding='utf-8')
    for name, part in (('train', ids[:train]), ('test', ids[train:])):
        text = ''.join(i + '\n' for i in part)
        (folder / 'ImageSets/Main' / f'{name}.txt').write_text(text, encoding='utf-8')


def draw(random: np.random.Generator, size: tuple[int, int] | None = None
         ) -> tuple[np.ndarray, list[_Shape]]:
    """An image, uint8 [H, W, 3], and its objects. size: as for `write_voc`."""
    height, width = size or (int(side) for side in random.integers(*_IMAGE_SIDES, 2))
    image = _texture(random, height, width, random.uniform(0, 110, 3))
    wanted = 0 if random.random() < 1 / 15 else int(random.integers(1, 4))
    covered, objects = np.zeros((height, width), bool), []
    for _ in range(wanted):
        name = SHAPES[random.integers(len(SHAPES))]
        mask = _mask(random, name, height, width)
        if (mask & covered).sum() > 0.1 * mask.sum():
            continue
        covered |= mask
        image[mask] = _texture(random, height, width, random.uniform(130, 255, 3))[mask]
        rows, columns = (np.flatnonzero(mask.any(axis=axis)).tolist() for axis in (1, 0))
        objects.append((name, rows[0], columns[0], rows[-1] + 1, columns[-1] + 1,
                        int(random.random() < 0.05)))
    return image, objects


def _texture(random, height, width, colour):
    """uint8 [H, W, 3]: a colour with stripes of random direction and width, gradient and noise."""
    rows, columns = np.mgrid[:height, :width]
    angle, period = random.uniform(0, np.pi), random.uniform(4, 25)
    phase = (rows * np.sin(angle) + columns * np.cos(angle)) * 2 * np.pi / period
    stripes = np.sin(phase) * random.uniform(0, 30)
    gradient = (rows / height - 0.5) * random.uniform(-30, 30)
    noise = random.normal(0, 6, (height, width))
    return np.clip(colour + (stripes + gradient + noise)[..., None], 0, 255).astype(np.uint8)


def _mask(random, name, height, width):
    """bool [H, W]: one shape, inside the image."""
    side = int(random.uniform(*_SHAPE_SIDES) * min(height, width))
    top, left = int(random.integers(0, height - side)), int(random.integers(0, width - side))
    mask = np.zeros((height, width), np.uint8)
    if name == 'circle':
        cv2.circle(mask, (left + side // 2, top + side // 2), side // 2 - 1, 1, cv2.FILLED)
    elif name == 'square':
        cv2.rectangle(mask, (left, top), (left + side - 1, top + side - 1), 1, cv2.FILLED)
    else:
        bottom = top + side - 1
        corners = np.array([[left, bottom], [left + side - 1, bottom], [left + side // 2, top]])
        cv2.fillPoly(mask, [corners], 1)
    return mask.astype(bool)


def annotation(image_id: str, size: tuple[int, int], objects: Sequence[_Shape]) -> str:
    """The XML of an image. size: (height, width), pixels.  objects: as `draw` returns them."""
    return voc_xml.annotation(f'{image_id}.jpg', *size, [
        (name, voc.to_voc_pixels(np.array(box)).tolist(), hard) for name, *box, hard in objects])


def write_images(folder: str | os.PathLike, train: int, test: int = 0, seed: int = 0) -> None:
    """Writes train + test images with an XML file beside each, as labelImg does."""
    with tempfile.TemporaryDirectory() as room:
        write_voc(room, train + test, 0, seed)
        for part in ('JPEGImages', 'Annotations'):
            shutil.copytree(pathlib.Path(room, part), folder, dirs_exist_ok=True)


def write_coco(folder: str | os.PathLike, train: int, test: int = 0, seed: int = 0) -> None:
    """Writes train + test images/ and COCO's annotations.json; difficult objects are crowds."""
    with tempfile.TemporaryDirectory() as room:
        write_voc(room, train + test, 0, seed)
        images = pathlib.Path(folder, 'images')
        shutil.copytree(pathlib.Path(room, 'JPEGImages'), images, dirs_exist_ok=True)
        content = coco_content(room, voc.image_ids(room, 'train'))
    path = pathlib.Path(folder, 'annotations.json')
    path.write_text(json.dumps(content), encoding='utf-8')


def coco_content(folder: str | os.PathLike, image_ids: Sequence[str]) -> dict[str, list[dict]]:
    """A VOC folder of shapes in COCO's format. Categories are 4, 14, 24, as real ids have gaps."""
    categories = {name: 10 * number + 4 for number, name in enumerate(SHAPES)}
    images, rows = [], []
    for image_id in image_ids:
        found = voc.read_xml(folder, image_id)
        objects, (height, width) = found.objects, found.size or (0, 0)
        images.append({'id': int(image_id), 'file_name': f'{image_id}.jpg', 'height': height,
                       'width': width})
        for item in objects:
            ymin, xmin, ymax, xmax = item.edges
            rows.append({'id': len(rows) + 1, 'image_id': int(image_id),
                         'category_id': categories[item.name],
                         'bbox': [xmin, ymin, xmax - xmin, ymax - ymin],
                         'iscrowd': int(item.difficult)})
    return {'images': images, 'annotations': rows,
            'categories': [{'id': key, 'name': name} for name, key in categories.items()]}


def main(argv: Sequence[str] | None = None) -> None:
    parser = command_line.parser('python3 -m datasets.shapes', __doc__)
    parser.add_argument('--output', required=True, metavar='FOLDER', help='Folder to write.')
    parser.add_argument('--train', type=int, default=60, metavar='NUMBER',
                        help='Images of the list train.')
    parser.add_argument('--test', type=int, default=20, metavar='NUMBER',
                        help='Images of the list test.')
    parser.add_argument('--seed', type=int, default=0, metavar='NUMBER',
                        help='The same seed draws the same images.')
    parser.add_argument('--layout', choices=('voc', 'images', 'coco'), default='voc',
                        help='Layout of the folder.')
    options = parser.parse_args(argv)
    write = {'voc': write_voc, 'images': write_images, 'coco': write_coco}[options.layout]
    with files.writing(options.output):
        write(options.output, options.train, options.test, options.seed)
    print(f'{options.train} + {options.test} images in {options.output}')


if __name__ == '__main__':
    run(main)
