"""Draws a folder in VOC layout: textured shapes on textured grounds. For smoke tests, and to see the whole path work.

    python3 -m datasets.shapes --output shapes --train 60 --test 20
"""
import argparse
import pathlib

import cv2
import numpy as np

from datasets import voc_xml

SHAPES = ('circle', 'square', 'triangle')
# Image sides in pixels, and a shape's side in units of the image's shorter one.
_IMAGE_SIDES = (200, 400)
_SHAPE_SIDES = (0.2, 0.6)


def write_voc(folder, train: int = 60, test: int = 20, seed: int = 0):
    """Writes JPEGImages, Annotations, ImageSets/Main/{train,test}.txt and classes.txt; the same for the same seed."""
    folder = pathlib.Path(folder)
    for part in ('JPEGImages', 'Annotations', 'ImageSets/Main'):
        (folder / part).mkdir(parents=True, exist_ok=True)
    (folder / 'classes.txt').write_text('\n'.join(SHAPES) + '\n', encoding='utf-8')
    ids = [f'{number:06d}' for number in range(1, train + test + 1)]
    for number, image_id in enumerate(ids):
        image, objects = picture(np.random.default_rng([seed, number]))
        cv2.imwrite(str(folder / 'JPEGImages' / f'{image_id}.jpg'), image)
        (folder / 'Annotations' / f'{image_id}.xml').write_text(_annotation(image_id, image, objects), encoding='utf-8')
    for name, part in (('train', ids[:train]), ('test', ids[train:])):
        (folder / 'ImageSets/Main' / f'{name}.txt').write_text(''.join(i + '\n' for i in part), encoding='utf-8')


def picture(random):
    """-> (uint8 [H, W, 3], [(name, ymin, xmin, ymax, xmax, difficult)], VOC pixels). random: numpy Generator."""
    height, width = (int(side) for side in random.integers(*_IMAGE_SIDES, 2))
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
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        objects.append((name, rows[0] + 1, columns[0] + 1, rows[-1] + 1, columns[-1] + 1, int(random.random() < 0.05)))
    return image, objects


def _texture(random, height, width, colour):
    """uint8 [H, W, 3]: a colour with stripes of random direction and width, a gradient and noise."""
    rows, columns = np.mgrid[:height, :width]
    angle, period = random.uniform(0, np.pi), random.uniform(4, 25)
    stripes = np.sin((rows * np.sin(angle) + columns * np.cos(angle)) * 2 * np.pi / period) * random.uniform(0, 30)
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
        corners = np.array([[left, top + side - 1], [left + side - 1, top + side - 1], [left + side // 2, top]])
        cv2.fillPoly(mask, [corners], 1)
    return mask.astype(bool)


def _annotation(image_id, image, objects):
    return voc_xml.annotation(f'{image_id}.jpg', *image.shape[:2], [(name, box, hard) for name, *box, hard in objects])


def main(argv=None):
    parser = argparse.ArgumentParser(prog='python3 -m datasets.shapes', description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--output', required=True, help='folder to write')
    parser.add_argument('--train', type=int, default=60, help='images of the list train')
    parser.add_argument('--test', type=int, default=20, help='images of the list test')
    parser.add_argument('--seed', type=int, default=0)
    options = parser.parse_args(argv)
    write_voc(options.output, options.train, options.test, options.seed)
    print(f'{options.train} + {options.test} images in {options.output}')


if __name__ == '__main__':
    main()
