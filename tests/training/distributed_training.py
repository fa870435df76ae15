"""A training of a few steps in its own process: what test_distribution.py compares.

python3 distributed_training.py RECORDS RESULT.npz DISTRIBUTION ACCUMULATE CPU_DEVICES [MODEL]
"""
import functools
import pathlib
import sys
import types
import typing

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

import numpy as np

from nets.slim_compat import slim, tf


class Found(typing.NamedTuple):
    """What a detector returns, as far as sharing it out is concerned."""
    first: tf.Tensor
    second: tf.Tensor


class Plain(tf.Module):
    """One convolution and two heads on a 4 x 4 grid; no batch norm."""
    def __init__(self):
        super().__init__()
        self.spec, self.dtype = types.SimpleNamespace(
            normalization='inception', imagenet=types.SimpleNamespace(scope='Body')), tf.float32

    @tf.compat.v1.keras.utils.track_tf1_style_variables
    def __call__(self, images, is_training):
        net = self.body(tf.nn.avg_pool2d(images, 8, 8, 'VALID'), is_training)
        net = tf.nn.avg_pool2d(net, 2, 2, 'VALID')
        logits = slim.conv2d(net, 4, 1, activation_fn=None, normalizer_fn=None, scope='logits')
        offsets = slim.conv2d(net, 4, 1, activation_fn=None, normalizer_fn=None, scope='offsets')
        return tf.reshape(logits, [-1, 16, 4]), tf.reshape(offsets, [-1, 16, 4])

    def body(self, images, is_training):
        return slim.conv2d(images, 8, 3, scope='body')

    def build(self):
        self(tf.zeros([1, 64, 64, 3]), False)
        random = np.random.RandomState(0)
        for variable in sorted(self.trainable_variables, key=lambda v: v.name):
            variable.assign(random.normal(size=variable.shape) * .3 + ('gamma' in variable.name))
        return self

    @property
    def learned_variables(self):
        return list(self.trainable_variables)


class Normalised(Plain):
    """The same with synchronised batch norm."""
    def body(self, images, is_training):
        from nets.backbones import common
        with slim.arg_scope([common.batch_norm], synchronized=True), common.conv_bn_scope(
            is_training, 0.9, 0.001, True, tf.compat.v1.glorot_uniform_initializer(), tf.nn.relu6
        ):
            return slim.conv2d(images, 8, 3, scope='body')


def main(records, result, kind, accumulate, devices, model='Plain'):
    from datasets import tfrecord
    from nets import targets
    from preprocessing import pipeline
    from training import distribution, state
    from training.schedule import Schedule
    from training.trainer import Trainer
    cpu = tf.config.list_physical_devices('CPU')[0]
    tf.config.set_logical_device_configuration(
        cpu, [tf.config.LogicalDeviceConfiguration()] * int(devices)
    )
    strategy = distribution.strategy(kind)
    sides = (np.arange(4) + .5) / 4
    defaults = np.array([(y, x, .3, .3) for y in sides for x in sides], np.float32)
    match = functools.partial(targets.match, defaults=defaults, threshold=.3)
    batches = distribution.batches(
        strategy,
        functools.partial(
            pipeline.training_batches,
            tfrecord.read_index(records),
            64,
            8,
            fill=(0, 0, 0),
            seed=3,
            target_fn=lambda boxes, labels: dict(
                zip(('classes', 'offsets'), match(boxes, labels), strict=True)
            ),
            distort=False,
            zoom_out=False,
            crop=False,
            flip=False,
        ),
    )
    with strategy.scope():
        network = globals()[model]().build()
    trainer = Trainer(network, Schedule(.1, 100), clip=2., accumulate=int(accumulate), average=.9,
                      strategy=strategy)
    iterator = iter(batches)
    losses = [float(trainer.train_step(next(iterator))['loss']) for _ in range(5)]
    images = distribution.on_this_machine(strategy, next(iter(batches)))['images']
    detect = distribution.shared(
        lambda images: Found(*[tf.reduce_mean(tf.cast(images, tf.float32), [1, 2])] * 2), strategy)
    found = detect(tf.constant(np.arange(7 * 64 * 64 * 3).reshape(7, 64, 64, 3) % 251, tf.uint8))
    if distribution.is_chief(strategy):
        np.savez(
            result,
            losses=losses,
            images=images,
            found=found.second,
            **{
                name.replace('/', '.'): np.array(tf.convert_to_tensor(value))
                for name, value in state.tensors(trainer).items()
            }
        )


if __name__ == '__main__':
    main(*sys.argv[1:])
