"""What folding batch norm (detection.folding) brings: a detector with live weights and one with folded ones, by turns.

    python3 -m benchmarks.folding --backbones=mobilenet_v1,resnet_v1 --precisions=float32,bfloat16

Weights are random. Each row comes from a process of its own; figures are medians over the turns, so that other work on the
machine, which slows both, leaves the ratio. Processor seconds, over all cores, suffer from it least. Inference ends with the
boxes after non-maximum suppression.
"""
import argparse
import json
import statistics
import time

from utils.script import quiet, run

with quiet():
    import numpy as np

    from benchmarks import commands
    from detection import detector
    from nets import backbones, ssd
    from nets.spec import PRECISIONS
    from utils import command_line

CLASSES = 21


def main() -> None:
    options = _options()
    if options.one:
        print(json.dumps(_measure(options.backbones[0], options.precisions[0], options)))
        return
    print(f'batch {options.batch_size}; ms for a batch, live -> folded\n')
    print('| backbone | precision | elapsed | ratio | processor time | ratio | turns | first call, s |')
    print('|---|---|---|---|---|---|---|---|')
    for name in options.backbones:
        for precision in options.precisions:
            found = _in_process(name, precision, options)
            print(f'| `{name}` | {precision} | {_pair(found["elapsed"])} | {_pair(found["processor"])} | {found["turns"]} '
                  f'| {found["first"][0]:.1f} -> {found["first"][1]:.1f} |', flush=True)


def _options():
    parser = command_line.parser('python3 -m benchmarks.folding', __doc__)
    commands.add_list(parser, '--backbones', 'backbone', backbones.names())
    commands.add_list(parser, '--precisions', 'precision', PRECISIONS, default=('float32', 'bfloat16'))
    parser.add_argument('--batch_size', type=int, default=8, help='Images.')
    parser.add_argument('--seconds', type=float, default=10, help='Seconds measured per row, at least three turns.')
    parser.add_argument('--one', action='store_true', help=argparse.SUPPRESS)
    return parser.parse_args()


def _pair(values):
    live, folded = (1e3 * statistics.median(each) for each in values)
    ratio = statistics.median(one / two for one, two in zip(*values, strict=True))
    return f'{live:.0f} -> {folded:.0f} | {ratio:.2f}'


def _in_process(name, precision, options):
    return json.loads(commands.last_line('benchmarks.folding', '--one', f'--backbones={name}', f'--precisions={precision}',
                                         f'--batch_size={options.batch_size}', f'--seconds={options.seconds}'))


def _measure(name, precision, options):
    """elapsed, processor: seconds [2][turns], live and folded.  first: seconds of the first call, folding included."""
    spec = backbones.get(name)
    model = ssd.SSD(spec, CLASSES, precision=precision).build()
    shape = options.batch_size, spec.image_size, spec.image_size, 3
    images = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    detectors, first = [], []
    for folded in (False, True):
        start = time.monotonic()
        detectors.append(detector.Detector(model, folded=folded).detect)
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
