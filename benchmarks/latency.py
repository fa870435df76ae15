"""Size, precision and speed of exported detectors: one image at a time, weights random.

    python3 -m benchmarks.latency --backbones=mobilenet_v1 --formats=tflite_int8,onnx

Each row comes from a process of its own. It shows the size; the largest difference in corners and
scores from the detector, and the number of sure detections; the median and the 95th percentile
of the milliseconds per image, postprocessing included, by number of threads. A SavedModel always
has TensorFlow's threads. int8 is calibrated with the photographs of docs/ and matplotlib, one of
which is also the image that is compared.
"""
import argparse
import json
import os
import tempfile

from utils import processor
from utils.script import imports, run

processor.use_onednn(fixed_weights=True)
with imports():
    import numpy as np

    from benchmarks import commands, models
    from datasets.readers import voc
    from detection import sources
    from export import exported, formats
    from nets import backbones
    from nets.postprocess import Limits
    from preprocessing import pipeline
    from utils import command_line
    from utils.errors import UserError

_PHOTOGRAPHS = ('docs/photographs/cat.jpg', 'docs/photographs/astronaut.jpg')
# Usual for exported detectors; below it random weights would give thousands of boxes to suppress.
_LIMITS = Limits(score_threshold=0.3)


def main() -> None:
    options = _options()
    if options.one:
        print(json.dumps(_measure(options.backbones[0], options.formats[0], options)))
        return
    columns = ''.join(f' {_threads(each)} |' for each in options.threads)
    print('| backbone | format | MB | largest difference | detections |' + columns
          + '\n|---|---|---|---|---|' + '---|' * len(options.threads))
    for name in options.backbones:
        for form in options.formats:
            try:
                found = json.loads(commands.last_line(
                    'benchmarks.latency', '--one', f'--backbones={name}', f'--formats={form}',
                    f'--seconds={options.seconds}', f'--threads={",".join(options.threads)}'))
            except UserError as error:
                print(f'| `{name}` | {form} | {error} |', flush=True)
                continue
            cells = [f'{found["megabytes"]:.1f}', _words(found['difference']), found['compared'],
                     *(f'{median:.0f}, {late:.0f}' for median, late in found['milliseconds'])]
            print(f'| `{name}` | {form} |' + ''.join(f' {cell} |' for cell in cells), flush=True)


def _options():
    parser = command_line.parser('python3 -m benchmarks.latency', __doc__)
    commands.add_list(parser, '--backbones', 'backbone', backbones.names())
    commands.add_list(parser, '--formats', 'format', tuple(formats.FORMATS))
    commands.add_list(parser, '--threads', 'number of threads', tuple('012345678'), ('1', '2'))
    parser.add_argument('--seconds', type=float, default=5,
                        help='Seconds measured per figure, at least ten images.')
    parser.add_argument('--one', action='store_true', help=argparse.SUPPRESS)
    return parser.parse_args()


def _threads(number):
    """Heading of a column."""
    return {'0': 'ms, all cores', '1': 'ms, 1 thread'}.get(number, f'ms, {number} threads')


def _words(difference):
    return 'not all the same' if difference == float('inf') else f'{difference:.1g}'


def _measure(name, form, options):
    """megabytes, difference, compared, and milliseconds: [median, 95th percentile] by threads."""
    spec = backbones.get(name)
    paths = [path for path in (*_PHOTOGRAPHS, sources.photograph()) if path]
    images = np.stack([pipeline.resize_image(sources.read(path), spec.image_size)
                       for path in paths])
    detector = models.random_detector(spec, images, voc.CLASSES, _LIMITS)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, formats.FORMATS[form].file)
        formats.write(form, path, detector, images)
        # TensorFlow has one number of threads for all.
        several = ['0'] * len(options.threads) if form == 'saved_model' else options.threads
        loaded = [formats.load(path, int(each)) for each in several]
        found = formats.load(path).detect(images[:1])
        largest, compared = exported.difference(found, detector.detect(images[:1]),
                                                _LIMITS.score_threshold)
        times = [exported.times(each, images[:1], options.seconds) for each in loaded]
        return {'megabytes': exported.size(path) / 1e6, 'difference': largest,
                'compared': compared,
                'milliseconds': [[float(np.percentile(each, part)) * 1e3 for part in (50, 95)]
                                 for each in times]}


if __name__ == '__main__':
    run(main)
