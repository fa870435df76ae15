"""Measures the peak memory of the training pipeline: it must not grow with the dataset.

    python3 -m benchmarks.pipeline_memory --images=100,2000,10000

For each number it writes that many drawn images of 500 x 375 pixels to a temporary folder (0.15 MB
each), reads batches from them in a process of its own, without a network, and prints the peak of
that process. Encoded images that wait to be shuffled take memory up to a bound: at most 1,024
images and at most 256 MiB.
"""
import argparse
import tempfile

from utils.script import imports, run

with imports():
    import resource

    from benchmarks import commands, measures
    from datasets import tfrecord
    from nets.slim_compat import tf
    from preprocessing import pipeline
    from utils import command_line

_PER_SHARD = 500


def main() -> None:
    options = _options()
    if options.folder:
        print(_peak(options.folder, options.batches))
        return
    print('images  peak MiB')
    with tempfile.TemporaryDirectory() as folder:
        drawn = measures.draw_records(folder)
        for images in options.images:
            peak = commands.last_line(
                'benchmarks.pipeline_memory', f'--folder={_repeat(drawn, images)}',
                f'--batches={options.batches}')
            print(f'{images:6d}  {peak}', flush=True)


def _options():
    parser = command_line.parser('python3 -m benchmarks.pipeline_memory', __doc__)
    parser.add_argument('--images', default='100,2000,10000', help='Comma-separated numbers.',
                        type=lambda text: [int(word) for word in text.split(',')])
    parser.add_argument('--batches', type=int, default=200, help='Batches of 32 images to read.')
    parser.add_argument('--folder', help=argparse.SUPPRESS)
    return parser.parse_args()


def _repeat(folder, images) -> str:
    """Writes a folder of `images` records by repeating those of `folder`, and returns its name."""
    index = tfrecord.read_index(folder)
    records = tf.data.TFRecordDataset(list(index.files))
    examples = [tf.train.Example.FromString(record.numpy()) for record in records]
    output = f'{folder}-{images}'
    with tfrecord.Writer(output, index.classes, index.image_sets, _PER_SHARD) as writer:
        for number in range(images):
            writer.add(examples[number % len(examples)])
    return output


def _peak(folder, batches) -> str:
    index = tfrecord.read_index(folder)
    stream = iter(pipeline.training_batches(index, 300, 32, fill=(0, 0, 0), seed=1))
    for _ in range(batches):
        next(stream)
    return f'{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10:.0f}'


if __name__ == '__main__':
    run(main)
