"""Record folders for the tests of this folder."""
import cv2
import numpy as np

from datasets import annotations, tfrecord

CLASSES = ('cat', 'dog')


def write(folder, images, per_shard=4, encoded=None):
    """Image i is 20 + i % 3 * 10 by 40 pixels of gray 10 i, with i % 3 objects, the second of them difficult."""
    with tfrecord.Writer(folder, CLASSES, ('test',), per_shard) as writer:
        for number in range(images):
            height, count = 20 + number % 3 * 10, number % 3
            data = cv2.imencode('.jpg', np.full([height, 40, 3], number * 10, np.uint8))[1].tobytes()
            objects = annotations.Objects(np.float32([[.1, .1, .5, .6], [.3, .2, .9, 1]])[:count], np.int64([1, 2])[:count],
                                  np.array([False, True])[:count], np.zeros(count, bool))
            writer.add(tfrecord.example((encoded or {}).get(number, data), height, 40, f'{number}.jpg', str(number), objects,
                                        CLASSES))
    return tfrecord.read_index(folder)
