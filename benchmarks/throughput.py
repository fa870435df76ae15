"""Images/s, memory, parameters and multiply-adds of the networks alone: no reading of data, no evaluation.

    python3 benchmarks/throughput.py --precision=bfloat16 --batch_size=8

Each figure comes from a process of its own, whose peak memory is that of TensorFlow and everything else in it. Training is one
step on a fixed batch: forward, loss, backward, SGD. Inference ends with the boxes after non-maximum suppression.
"""
import argparse
import functools
import json
import pathlib
import resource
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from configs.script import quiet, run  # noqa: E402

with quiet():
    import numpy as np

    from nets import backbones, checkpoint, detector, learning, ssd
    from nets.slim_compat import tf
    from preprocessing import normalize

CLASSES = 21
_MEASURES = ('facts', 'training', 'inference')


def main():
    options = _options()
    if options.measure:
        print(json.dumps(_measure(options.measure, options.backbones[0], options)))
        return
    print(f'batch {options.batch_size}, {options.precision}, {CLASSES} classes with background\n')
    print('| backbone | parameters | multiply-adds | default boxes '
          '| training images/s | peak GB | inference images/s | peak GB |')
    print('|---|---|---|---|---|---|---|---|')
    for name in options.backbones:
        facts, training, inference = (_in_process(measure, name, options) for measure in _MEASURES)
        print(f'| `{name}` | {facts["parameters"] / 1e6:.1f} M | {facts["multiply_adds"] / 1e9:.2f} G | {facts["boxes"]:,} '
              f'| {training["images_per_second"]:.1f} | {training["peak"]:.1f} '
              f'| {inference["images_per_second"]:.1f} | {inference["peak"]:.1f} |', flush=True)


def _options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--backbones', default=','.join(backbones.names()), type=lambda text: text.split(','),
                        help='comma-separated; default: all')
    parser.add_argument('--precision', default='float32', choices=('float32', 'bfloat16', 'float16'))
    parser.add_argument('--batch_size', type=int, default=8)
    parser.add_argument('--seconds', type=float, default=8, help='measured per figure, at least three steps')
    parser.add_argument('--measure', choices=_MEASURES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    for name in options.backbones:
        backbones.get(name)
    return options


def _in_process(measure, name, options):
    command = [sys.executable, __file__, f'--measure={measure}', f'--backbones={name}', f'--precision={options.precision}',
               f'--batch_size={options.batch_size}', f'--seconds={options.seconds}']
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def _measure(measure, name, options):
    spec = backbones.get(name)
    if measure == 'facts':
        return _facts(spec)
    model = ssd.SSD(spec, CLASSES, precision=options.precision).build()
    pixels = functools.partial(normalize.normalize, pixels=spec.pixels)
    random = np.random.RandomState(0)
    images = tf.constant(random.randint(0, 256, [options.batch_size, spec.image_size, spec.image_size, 3]).astype(np.uint8))
    if measure == 'training':
        trainer = learning.Trainer(model, learning.Schedule(1e-3, 1000), pixels)
        batch = {'images': images} | _targets(random, options.batch_size, spec.num_default_boxes)
        step = functools.partial(trainer.train_step, batch)
    else:
        step = functools.partial(detector.Detector(model, pixels), images)
    pace = options.batch_size / _seconds_per_step(step, options.seconds)
    return {'images_per_second': pace, 'peak': resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20}


def _targets(random, images, boxes):
    """Ten matched default boxes an image, as VOC has them on average."""
    classes, offsets = np.zeros([images, boxes], np.int32), np.zeros([images, boxes, 4], np.float32)
    for number in range(images):
        matched = random.choice(boxes, 10, replace=False)
        classes[number, matched] = random.randint(1, CLASSES, 10)
        offsets[number, matched] = random.normal(size=[10, 4])
    return {'classes': tf.constant(classes), 'offsets': tf.constant(offsets)}


def _seconds_per_step(step, seconds):
    """Median over the steps of `seconds`, after two that trace and warm up."""
    for _ in range(2):
        step()
    times, start = [], time.monotonic()
    while len(times) < 3 or time.monotonic() - start < seconds:
        before = time.monotonic()
        step()
        times.append(time.monotonic() - before)
    return statistics.median(times)


def _facts(spec):
    """Parameters with moving statistics, and multiply-adds of one image by TensorFlow's own count (2 operations each)."""
    model = ssd.SSD(spec, CLASSES).build()
    shape = tf.TensorSpec([1, spec.image_size, spec.image_size, 3], tf.float32)
    graph = tf.function(model, autograph=False).get_concrete_function(shape, False).graph
    profiler = tf.compat.v1.profiler
    options = profiler.ProfileOptionBuilder(profiler.ProfileOptionBuilder.float_operation()).with_empty_output() \
        .with_node_names(show_name_regexes=['.*Conv2D', '.*depthwise.*', '.*BiasAdd']).build()
    with quiet():
        count = profiler.profile(graph, options=options).total_float_ops
    return {'parameters': checkpoint.parameters(model.variables), 'multiply_adds': count / 2, 'boxes': spec.num_default_boxes}


if __name__ == '__main__':
    run(main, ValueError)
