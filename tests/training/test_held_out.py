"""Held-out images: their loss is that of the training, and patience ends it."""
import math

import numpy as np
import pytest

from datasets import annotations, tfrecord
from nets import anchors, loss, ssd, targets
from nets.slim_compat import tf
from preprocessing import normalize, pipeline
from tests.training import tiny
from training.held_out import HeldOut, read_held_out, waited_enough
from training.schedule import Schedule
from training.trainer import Trainer
from utils.errors import UserError


@pytest.fixture(scope='module')
def index(tmp_path_factory):
    folder = tmp_path_factory.mktemp('held_out')
    box = np.array([[.1, .2, .7, .9]], np.float32)
    with tfrecord.Writer(folder, ('a', 'b')) as writer:
        for number in range(5):
            image = np.full([60, 80, 3], 40 * number, np.uint8)
            objects = annotations.Objects(box / (1 + number % 2), np.array([1 + number % 2]),
                                          np.array([False]), np.array([False]))
            writer.add(tfrecord.example(tf.io.encode_jpeg(image).numpy(), 60, 80, 'x', str(number),
                                        objects, ('a', 'b')))
    return tfrecord.read_index(folder)


@pytest.mark.parametrize('batch_size', [2, 5])
def test_the_loss_is_that_of_one_batch_of_all_images(index, batch_size):
    defaults = anchors.default_boxes(tiny.SPEC)

    def matched(boxes, labels):
        return dict(zip(('classes', 'offsets'), targets.match(boxes, labels, defaults, .5),
                        strict=True))

    model = ssd.SSD(tiny.SPEC, 3).build()
    trainer = Trainer(model, Schedule(.1, 10))
    found = HeldOut(index, batch_size, 0, matched).evaluate(
        trainer, lambda images: [tf.zeros([len(images), 1, 4]), *[tf.zeros([len(images), 1])] * 2,
                                 tf.zeros([len(images)], tf.int32)])
    [batch] = pipeline.evaluation_batches(index, 32, 5, target_fn=matched)
    outputs = model(normalize.normalize(batch['images'], 'inception'), False)
    expected = loss.multibox_loss(*outputs, batch['classes'], batch['offsets'])
    assert found.images == 5 and found.losses.keys() == expected.keys()
    for name, value in expected.items():
        assert found.losses[name] == pytest.approx(float(value), rel=1e-5)
    assert found.result.mean_ap == 0


def test_other_classes_are_refused(index):
    assert read_held_out(index.folder, ['a', 'b']).images == 5
    with pytest.raises(UserError, match='has the classes a, b; the training records have a; '
                                        'convert it again with --classes_file=FILE'):
        read_held_out(index.folder, ['a'])


@pytest.mark.parametrize('scores, patience, expected', [
    ([], 1, False), ([0.], 1, True), ([.1], 1, False), ([.1, .2, .2], 1, True),
    ([.1, .3, .2, .25], 2, True), ([.1, .3, .2, .25], 3, False), ([.3, .2, .4], 1, False),
    ([.3, math.nan, .2], 2, False), ([.3, .2, .1], 0, False)])
def test_patience(scores, patience, expected):
    assert waited_enough(scores, patience) is expected
