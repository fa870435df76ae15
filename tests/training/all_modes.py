"""Two steps of ssd_train.py in every mode, with and without average, accumulation and two devices.

Every second combination, chosen so that all of any three of these choices occur.

    python3 all_modes.py RECORDS        in an empty folder, as a process of its own

The images are the same in every step, and no curves are drawn: that would take most of the time.
"""
import functools
import itertools
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

import ssd_train
from nets.slim_compat import tf
from tests.training import tiny
from training import distribution, log
from utils.choices import EXISTING, SCRATCH, STEP1, STEP2


def _batches(index, image_size, batch_size, *, workers, split, **_):
    size, boxes = batch_size // workers // split, tiny.SPEC.num_default_boxes
    return tf.data.Dataset.from_tensors({
        'images': tf.cast(tf.random.uniform([size, image_size, image_size, 3], 0, 255), tf.uint8),
        'classes': tf.repeat([tf.range(boxes) % 2], size, axis=0),
        'offsets': tf.zeros([size, boxes, 4]), 'ids': tf.zeros([size, 8], tf.uint8),
        'boxes': tf.zeros([size, 1, 4]), 'labels': tf.zeros([size, 1], tf.int32)}).repeat()


def main(records):
    cpu = tf.config.list_physical_devices('CPU')[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    ssd_train.backbones.from_config_name = lambda *_: tiny.SPEC
    ssd_train.pipeline.training_batches = _batches
    log.Log.curves = lambda self: None
    # Two mirrored strategies in one process would use the same keys for their collectives.
    distribution.strategy = functools.cache(distribution.strategy)
    given = tiny.write_checkpoint('given', 3)
    modes = (STEP1, STEP2, EXISTING, SCRATCH)
    for number, (kind, mode, average, accumulate) in enumerate(itertools.product(
            ('one', 'mirrored'), modes, (0, .999), (1, 2))):
        if (modes.index(mode) + (kind == 'one') + (average == 0) + accumulate) % 2:
            continue
        sys.argv = ['ssd_train.py', f'--training_mode={mode}', f'--distribution={kind}',
                    f'--weight_average={average}', f'--accumulate={accumulate}', '--max_steps=2',
                    '--batch_size=8', f'--checkpoint={"" if mode == SCRATCH else given}',
                    f'--train_records={records}', f'--output=run{number}', '--log_every=2']
        assert ssd_train.main() == 0, sys.argv


if __name__ == '__main__':
    main(*sys.argv[1:])
