"""Images/s of the training pipeline alone, with each part of the augmentation on and off.

    python3 -m benchmarks.input_pipeline --train_records=tfrecords_train --threads=1

CPU time per image is all threads' together; unlike images/s it hardly depends on what else the machine does. A training
step wants images/s of this script well above its own.
"""
import functools
import time

from utils.script import quiet, run

with quiet():
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
        pace, cpu = _measure(batches, options.images // options.batch_size)
        print(f'{name:24}{pace * options.batch_size:10.0f}{1000 * cpu / options.batch_size:14.2f}', flush=True)


def _options():
    parser = command_line.parser('python3 -m benchmarks.input_pipeline', __doc__)
    parser.add_argument('--train_records', default='tfrecords_train', help='Folder written by ssd_image_to_tf.py.')
    parser.add_argument('--backbone', default='mobilenet_v1', help='Whose image size and default boxes are used.')
    parser.add_argument('--batch_size', type=int, default=32, help='Images per batch.')
    parser.add_argument('--images', type=int, default=960, help='Images measured per line.')
    parser.add_argument('--threads', type=int, default=0, help='Threads that prepare images. 0: automatic.')
    return parser.parse_args()


def _variants(index, options):
    """(name, batches) of each line of the table."""
    spec = backbones.get(options.backbone)
    match = functools.partial(targets.match, defaults=anchors.default_boxes(spec))
    training = functools.partial(
        pipeline.training_batches, index, spec.image_size, options.batch_size, fill=normalize.mean_colour(spec.normalization), seed=1,
        threads=options.threads)
    matched = functools.partial(
        training, target_fn=lambda boxes, labels: dict(zip(('classes', 'offsets'), match(boxes, labels), strict=True)))
    yield 'as in training', matched()
    yield 'without matching', training()
    for part in PARTS:
        yield f'  and without {part}', training(**{part: False})
    yield '  resized only', training(**dict.fromkeys(PARTS, False))
    yield 'evaluation', pipeline.evaluation_batches(index, spec.image_size, options.batch_size, threads=options.threads).repeat()


def _measure(batches, count):
    """(batches/s, seconds of CPU per batch) over `count` batches after the first few, which fill buffers."""
    batches = iter(batches)
    for _ in range(6):
        next(batches)
    start, cpu = time.monotonic(), time.process_time()
    for _ in range(count):
        next(batches)
    return count / (time.monotonic() - start), (time.process_time() - cpu) / count


if __name__ == '__main__':
    run(main)
