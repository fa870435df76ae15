"""Record folders for the tests of this folder."""
import cv2
import numpy as np

from datasets import annotations, tfrecord

CLASSES = ('cat', 'dog')


def write(folder, images, per_shard=4, encoded=None, crowd=False):
    """Image i is 20 + i % 3 * 10 by 40 pixels of gray 10 i, with i % 3 objects.

    The second object of an image is difficult, and with `crowd` also a crowd region.
    """
    with tfrecord.Writer(folder, CLASSES, ('test',), per_shard) as writer:
        for number in range(images):
            height, count = 20 + number % 3 * 10, number % 3
            gray = np.full([height, 40, 3], number * 10, np.uint8)
            data = cv2.imencode('.jpg', gray)[1].tobytes()
            second = np.array([False, True])[:count]
            objects = annotations.Objects(
                np.float32([[.1, .1, .5, .6], [.3, .2, .9, 1]])[:count], np.int64([1, 2])[:count],
                second, np.zeros(count, bool), second & crowd)
            encoded_image = (encoded or {}).get(number, data)
            writer.add(tfrecord.example(encoded_image, height, 40, f'{number}.jpg', str(number),
                                        objects, CLASSES))
    return tfrecord.read_index(folder)
