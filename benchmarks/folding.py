"""Measures what folding batch norm (detection.folding) saves: unfolded and folded detector in turn.

    python3 -m benchmarks.folding --backbones=mobilenet_v1,resnet_v1 --precisions=float32,bfloat16

Weights are random. Each row comes from a process of its own and shows medians over the turns: other
work on the machine slows both detectors, and the ratio remains. Processor time, the sum over all
cores, depends on other work least. Inference ends with the boxes after non-maximum suppression.
"""
import argparse
import json
import statistics
import time

from utils.script import imports, run

with imports():
    import numpy as np

    from benchmarks import commands, models
    from detection.detector import Detector
    from nets import backbones, ssd
    from nets.spec import PRECISIONS
    from utils import command_line


def main() -> None:
    options = _options()
    if options.one:
        print(json.dumps(_measure(options.backbones[0], options.precisions[0], options)))
        return
    print(f'batch {options.batch_size}; ms per batch, unfolded -> folded\n')
    print('| backbone | precision | elapsed | ratio | processor time | ratio | turns '
          '| first call, s |\n|---|---|---|---|---|---|---|---|')
    for name in options.backbones:
        for precision in options.precisions:
            found = json.loads(commands.last_line(
                'benchmarks.folding', '--one', f'--backbones={name}', f'--precisions={precision}',
                f'--batch_size={options.batch_size}', f'--seconds={options.seconds}'))
            unfolded, folded = found['first']
            print(f'| `{name}` | {precision} | {_pair(found["elapsed"])} '
                  f'| {_pair(found["processor"])} | {found["turns"]} '
                  f'| {unfolded:.1f} -> {folded:.1f} |', flush=True)


def _options():
    parser = command_line.parser('python3 -m benchmarks.folding', __doc__)
    commands.add_list(parser, '--backbones', 'backbone', backbones.names())
    commands.add_list(parser, '--precisions', 'precision', PRECISIONS, ('float32', 'bfloat16'))
    parser.add_argument('--batch_size', type=int, default=8, help='Images.')
    parser.add_argument('--seconds', type=float, default=10,
                        help='Seconds measured per row, at least three turns.')
    parser.add_argument('--one', action='store_true', help=argparse.SUPPRESS)
    return parser.parse_args()


def _pair(values):
    """Cells of a row: medians in ms, and the median ratio. values: seconds [2][turns]."""
    unfolded, folded = (1e3 * statistics.median(each) for each in values)
    ratio = statistics.median(one / two for one, two in zip(*values, strict=True))
    return f'{unfolded:.0f} -> {folded:.0f} | {ratio:.2f}'


def _measure(name, precision, options):
    """Seconds of a row.

    Returns:
        elapsed, processor: [2][turns], unfolded and folded.
        turns: their number.
        first: [2], of the first call with building and tracing.
    """
    spec = backbones.get(name)
    model = ssd.SSD(spec, models.CLASSES, precision=precision).build()
    images = models.random_images(spec, options.batch_size)
    detectors, first = [], []
    for folded in (False, True):
        start = time.monotonic()
        detectors.append(Detector(model, folded=folded).detect)
        detectors[-1](images)
        first.append(time.monotonic() - start)
    turns, end = [], time.monotonic() + options.seconds
    while len(turns) < 3 or time.monotonic() < end:
        turns.append([_seconds(detect, images) for detect in detectors])
    elapsed, processor = np.array(turns).transpose(2, 1, 0).tolist()
    return {'elapsed': elapsed, 'processor': processor, 'turns': len(turns), 'first': first}


def _seconds(detect, images):
    elapsed, processor = time.perf_counter(), time.process_time()
    detect(images).counts.numpy()
    return time.perf_counter() - elapsed, time.process_time() - processor


if __name__ == '__main__':
    run(main)
