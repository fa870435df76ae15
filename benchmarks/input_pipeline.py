"""Measures the training input pipeline alone, with each part of the augmentation switched off.

    python3 -m benchmarks.input_pipeline --train_records=tfrecords_train --threads=1

CPU time per image is the sum over all threads; unlike images/s it hardly depends on other work of
the machine. Training waits for data unless images/s here are well above those of its steps.
"""
import functools
import time

from utils.script import imports, run

with imports():
    from datasets import tfrecord
    from nets import anchors, backbones, targets
    from preprocessing import normalize, pipeline
    from utils import command_line

PARTS = ('distort', 'zoom_out', 'crop', 'flip')


def main() -> None:
    options = _options()
    index = tfrecord.read_index(options.train_records)
    print(f'{index.images} images in {options.train_records}, {options.images} measured, '
          f'{options.threads or "automatic"} threads\n{"":24}{"images/s":>10}{"CPU ms/image":>14}')
    for name, batches in _variants(index, options):
        rate, processor = _measure(batches, options.images // options.batch_size)
        print(f'{name:24}{rate * options.batch_size:10.0f}'
              f'{1000 * processor / options.batch_size:14.2f}', flush=True)


def _options():
    parser = command_line.parser('python3 -m benchmarks.input_pipeline', __doc__)
    parser.add_argument('--train_records', default='tfrecords_train',
                        help='Folder written by ssd_image_to_tf.py.')
    parser.add_argument('--backbone', default='mobilenet_v1', choices=backbones.names(),
                        help='Its image size and default boxes are used.')
    parser.add_argument('--batch_size', type=int, default=32, help='Images per batch.')
    parser.add_argument('--images', type=int, default=960, help='Images measured per line.')
    parser.add_argument('--threads', type=int, default=0,
                        help='Threads that prepare images. 0: automatic.')
    return parser.parse_args()


def _variants(index, options):
    """Yields (name, batches) of each line of the table."""
    spec, size = backbones.get(options.backbone), options.batch_size
    match = functools.partial(targets.match, defaults=anchors.default_boxes(spec))
    training = functools.partial(
        pipeline.training_batches, index, spec.image_size, size, seed=1, threads=options.threads,
        fill=normalize.mean_colour(spec.normalization))
    yield 'as in training', training(
        target_fn=lambda *objects: dict(zip(('classes', 'offsets'), match(*objects), strict=True)))
    yield 'without matching', training()
    for part in PARTS:
        yield f'  and without {part}', training(**{part: False})
    yield '  resized only', training(**dict.fromkeys(PARTS, False))
    yield 'evaluation', pipeline.evaluation_batches(
        index, spec.image_size, size, threads=options.threads).repeat()


def _measure(batches, count):
    """(batches/s, seconds of processor time per batch); the first batches fill buffers."""
    batches = iter(batches)
    for _ in range(6):
        next(batches)
    start, processor = time.monotonic(), time.process_time()
    for _ in range(count):
        next(batches)
    return count / (time.monotonic() - start), (time.process_time() - processor) / count


if __name__ == '__main__':
    run(main)
