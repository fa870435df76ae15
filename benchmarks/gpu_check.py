"""Whether a GPU computes what a CPU computes: one command that proves a machine before a long training.

    python3 -m benchmarks.gpu_check                    # all backbones and checks; writes gpu_check.json and gpu_check.md
    python3 -m benchmarks.gpu_check --backbones=vgg_300 --minutes=5
    python3 -m benchmarks.gpu_check --device=cpu       # without a GPU: the same checks in small, of the CPU against itself

Every check is a process of its own, and most compare with a process that sees no GPU. Errors of gradients are the norm of the
difference over the norm of the CPU's, over all variables.
"""
import argparse
import concurrent.futures
import functools
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

from utils.errors import UserError
from utils.script import quiet, run

with quiet():
    import matplotlib
    import numpy as np

    from benchmarks import commands, measures, overfit
    from checkpoints import io as checkpoint
    from detection import detector
    from nets import backbones, ssd
    from nets.slim_compat import prepare_devices, tf
    from preprocessing import normalize, pipeline
    from training import distribution
    from training.trainer import Schedule, Trainer
    from utils import command_line

ROOT = pathlib.Path(__file__).resolve().parents[1]
# Largest relative errors of the loss and of the gradients. float32 differs by the order of sums; TF32 and bfloat16 round to 11
# and 8 bits, which a network of random weights multiplies layer by layer.
LIMITS = {'float32': (1e-4, 2e-2), 'TF32': (1e-2, 0.3), 'bfloat16': (5e-2, 0.6), 'float16': (1e-2, 0.3)}
_IMAGES = {'gpu': 8, 'cpu': 4}
_SURE = 0.1  # detections that score less come and go with rounding


def main() -> int:
    options = _options()
    if options.check:
        found = _CHECKS[options.check.split(':')[0]](options)
        print(json.dumps(found))
        return 0
    if options.device == 'gpu' and not tf.config.list_physical_devices('GPU'):
        raise UserError('TensorFlow finds no GPU (docs/gpu.md tells why that may be); --device=cpu tries the checks without one')
    facts = _machine()
    print('\n'.join(f'{name}: {value}' for name, value in facts.items()), flush=True)
    rows = _run_all(options)
    text = _table(rows)
    pathlib.Path(options.output, 'gpu_check.json').write_text(json.dumps({'machine': facts, 'rows': rows}, indent=1) + '\n')
    head = ''.join(f'* {name}: {value}\n' for name, value in facts.items())
    pathlib.Path(options.output, 'gpu_check.md').write_text(f'{head}\n{text}\n')
    failed = [row for row in rows if not row['passed']]
    print(f'{text}\n{len(rows) - len(failed)} passed, {len(failed)} failed or left out')
    return 1 if failed else 0


def _options():
    parser = command_line.parser('python3 -m benchmarks.gpu_check', __doc__)
    parser.add_argument('--device', default='gpu', choices=('gpu', 'cpu'), help='What is checked.')
    commands.add_list(parser, '--backbones', 'backbone', backbones.names())
    commands.add_list(parser, '--checks', 'check', tuple(_CHECKS))
    parser.add_argument('--minutes', type=float, default=30, help='No check begins later; those left out are listed.')
    parser.add_argument('--jobs', type=int, default=1, help='Processes at once.')
    parser.add_argument('--output', default='.', help='Folder of gpu_check.json and gpu_check.md.')
    parser.add_argument('--check', default='', help=argparse.SUPPRESS)
    parser.add_argument('--reference', default='', help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.makedirs(options.output, exist_ok=True)
    return options


def _machine():
    """What computes, and with what."""
    build = tf.sysconfig.get_build_info()
    gpus = tf.config.list_physical_devices('GPU')
    facts = {'device': ', '.join(tf.config.experimental.get_device_details(gpu).get('device_name', gpu.name) for gpu in gpus)
             or 'CPU', 'cores': os.cpu_count(), 'TensorFlow': tf.__version__, 'CUDA': build.get('cuda_version', 'none'),
             'cuDNN': build.get('cudnn_version', 'none')}
    if gpus:
        query = ['nvidia-smi', '--query-gpu=driver_version', '--format=csv,noheader']
        facts['driver'] = subprocess.run(query, capture_output=True, text=True).stdout.split('\n')[0] or 'unknown'
    return facts


def _run_all(options):
    """Rows of all checks, in the order of the command."""
    names = [f'numbers:{name}' for name in options.backbones] if 'numbers' in options.checks else []
    names += [name for name in options.checks if name != 'numbers']
    end = time.monotonic() + 60 * options.minutes
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        return [row for rows in pool.map(functools.partial(_run_one, options, end), names) for row in rows]


def _run_one(options, end, name):
    """Rows of one check: name, value, limit, passed, seconds."""
    start, left = time.monotonic(), end - time.monotonic()
    if left <= 0:
        return [_row(name, 'no time left', '', False) | {'seconds': 0}]
    try:
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(_command(name, options, folder), capture_output=True, text=True, cwd=ROOT, timeout=left)
        rows = json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else \
            [_row(name, 'failed: ' + (done.stderr.strip().splitlines() or ['?'])[-1][:300], '', False)]
    except subprocess.TimeoutExpired:
        rows = [_row(name, 'not done in time', '', False)]
    seconds = round(time.monotonic() - start, 1)
    for row in rows:
        row['seconds'] = seconds
        verdict = 'ok' if row['passed'] else 'FAILED'
        print(f'{row["name"]}: {row["value"]} (limit {row["limit"]}) {verdict}, {seconds} s', flush=True)
    return rows


def _command(name, options, folder):
    return [sys.executable, '-m', 'benchmarks.gpu_check', f'--check={name}', f'--device={options.device}',
            f'--reference={folder}']


def _row(name, value, limit, passed):
    return {'name': name, 'value': value, 'limit': limit, 'passed': bool(passed)}


def _table(rows):
    lines = [f'| {row["name"]} | {row["value"]} | {row["limit"]} | {"yes" if row["passed"] else "**no**"} | {row["seconds"]} |'
             for row in rows]
    return '\n'.join(['| check | found | limit | passed | seconds |', '|---|---|---|---|---|', *lines])


# 1 numbers: one training step

def _numbers(options):
    """One step of SGD from the same weights and batch: loss, and gradients as the change of the weights."""
    backbone = options.check.split(':')[1]
    if options.reference == '-':  # the process that sees no GPU
        loss, gradients = _step(backbone, 'float32', options)
        np.savez(os.environ['RESULT'], loss=loss, **gradients)
        return []
    expected = _on_cpu(options)
    prepare_devices()
    rows = []
    for precision in LIMITS if options.device == 'gpu' else ('float32', 'bfloat16'):
        tf.config.experimental.enable_tensor_float_32_execution(precision != 'float32')
        found = _step(backbone, 'float32' if precision == 'TF32' else precision, options)
        rows += _compared(f'{backbone}, {precision}', found, expected, LIMITS[precision])
    return rows


def _step(backbone, precision, options, strategy=None, **settings):
    """(loss, {variable: its gradient}) of one step."""
    spec = backbones.get(backbone)
    strategy = strategy or tf.distribute.get_strategy()
    with strategy.scope():
        model = ssd.SSD(spec, measures.CLASSES, precision=precision, **settings).build()
    for variable in model.variables:
        variable.assign(_weights(checkpoint.variable_name(variable), variable.shape))
    trainer = Trainer(model, Schedule(1., 10), functools.partial(normalize.normalize, normalization=spec.normalization),
                               momentum=0., weight_decay=0., bias_rate=1., strategy=strategy)
    before = {checkpoint.variable_name(v): v.numpy() for v in model.trainable_variables}
    batch = _batch(spec, _IMAGES[options.device])
    if strategy.num_replicas_in_sync > 1:
        parts = [{name: part[number] for name, part in _parts(batch, strategy).items()}
                 for number in range(strategy.num_replicas_in_sync)]
        batch = {name: strategy.experimental_distribute_values_from_function(
            lambda context, name=name: parts[context.replica_id_in_sync_group][name]) for name in batch}
    loss = float(trainer.train_step(batch)['loss'])
    return loss, {checkpoint.variable_name(v): before[checkpoint.variable_name(v)] - v.numpy() for v in model.trainable_variables}


def _parts(batch, strategy):
    return {name: tf.split(values, strategy.num_replicas_in_sync) for name, values in batch.items()}


def _batch(spec, images):
    size = argparse.Namespace(batch_size=images)
    return {'images': measures._images(spec, size)} | measures._targets(images, spec.num_default_boxes)


def _weights(name, shape):
    """Values that depend on the name alone: kernels as He et al. draw them, batch norm and biases as they begin."""
    last = name.split('/')[-1]
    if last in ('weights', 'depthwise_weights'):
        fan_in = np.prod(shape[:2] if last == 'depthwise_weights' else shape[:-1])
        random = np.random.default_rng(np.frombuffer(name.encode(), np.uint8))
        return (random.standard_normal(shape) * np.sqrt(2 / fan_in) * (0.1 if name.startswith('ssd/') else 1)).astype(np.float32)
    return np.full(shape, {'gamma': 1., 'moving_variance': 1., 'scale': 20.}.get(last, 0.), np.float32)


def _on_cpu(options):
    """The npz that the same check writes where it sees no GPU."""
    path = os.path.join(options.reference, 'cpu.npz')
    environment = os.environ | {'CUDA_VISIBLE_DEVICES': '-1', 'RESULT': path}
    command = _command(options.check, options, '-')
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError('on the CPU: ' + done.stderr)
    return np.load(path)


def _compared(name, found, expected, limits):
    loss, gradients = found
    error = abs(loss - expected['loss']) / abs(expected['loss'])
    total = np.sqrt(sum(np.sum(np.square(expected[key], dtype=np.float64)) for key in gradients))
    apart = np.sqrt(sum(np.sum(np.square(value - expected[key], dtype=np.float64)) for key, value in gradients.items()))
    return [_row(f'{name}: loss', f'{error:.1e}', f'{limits[0]:g}', error <= limits[0]),
            _row(f'{name}: gradients', f'{apart / total:.1e}', f'{limits[1]:g}', apart / total <= limits[1])]


# 2 detections, and 7 export

def _detections(options):
    """The shipped detector on a photograph: GPU against CPU."""
    if options.reference == '-':
        np.savez(os.environ['RESULT'], **_detect_photograph()._asdict())
        return []
    expected = _on_cpu(options)
    prepare_devices()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    return [_same_detections('detections', _detect_photograph()._asdict(), expected)]


def _photograph():
    return pathlib.Path(matplotlib.get_data_path(), 'sample_data', 'grace_hopper.jpg')


def _detect_photograph():
    spec = backbones.get('mobilenet_v1')
    detect = detector.load(backbone=spec).detect
    image = pipeline.resize_image(pipeline.decode_image(_photograph().read_bytes()), spec.image_size)
    found = detect(image[None])
    return type(found)(*(values.numpy()[0] for values in found))


def _same_detections(name, found, expected):
    """Boxes within a pixel of 300, scores within 0.01, of what scores 0.1 or more."""
    count = int(np.sum(expected['scores'] >= _SURE))
    pixels = float(np.max(np.abs(found['boxes'][:count] - expected['boxes'][:count]), initial=0)) * 300
    scores = float(np.max(np.abs(found['scores'][:count] - expected['scores'][:count]), initial=0))
    same = np.array_equal(found['classes'][:count], expected['classes'][:count])
    return _row(name, f'{count} objects, boxes {pixels:.3f} pixels, scores {scores:.1e}' + ('' if same else ', other classes'),
                '1 pixel, 0.01', count and same and pixels <= 1 and scores <= 0.01)


def _export(options):
    """A SavedModel written on the GPU, loaded where there is none."""
    if options.reference == '-':
        model = tf.saved_model.load(os.environ['SAVED_MODEL'])
        found = model.signatures['bytes'](tf.constant(_photograph().read_bytes()))
        np.savez(os.environ['RESULT'], **{name: values.numpy() for name, values in found.items()})
        return []
    prepare_devices()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    here = _detect_photograph()._asdict()
    folder = os.path.join(options.reference, 'exported')
    subprocess.run([sys.executable, 'ssd_export.py', f'--output={folder}', '--formats=saved_model', '--score_threshold=0.01'],
                   cwd=ROOT, check=True, capture_output=True)
    os.environ['SAVED_MODEL'] = os.path.join(folder, 'saved_model')
    return [_same_detections('export, loaded on the CPU', _on_cpu(options), here)]


# 3 save and resume

def _resume(options):
    """Two steps, saved; two more, and the same two by one that resumed: equal to the bit."""
    prepare_devices(deterministic=True)
    backbone = 'vgg_300' if options.device == 'gpu' else 'mobilenet_v1'  # depth-wise gradients have no deterministic GPU kernel
    spec = backbones.get(backbone)
    batch = _batch(spec, 2)

    def new_trainer():
        tf.keras.utils.set_random_seed(1)
        model = ssd.SSD(spec, measures.CLASSES, precision='bfloat16').build()
        return Trainer(model, Schedule(1e-3, 100), functools.partial(normalize.normalize, normalization=spec.normalization),
                                average=0.9)

    straight, resumed = new_trainer(), new_trainer()
    for _ in range(2):
        straight.train_step(batch)
    resumed.resume(straight.save(options.reference))
    for trainer in (straight, resumed):
        for _ in range(2):
            trainer.train_step(batch)
    pairs = zip(straight.tensors().values(), resumed.tensors().values(), strict=True)
    different = sum(not np.array_equal(one.numpy(), other.numpy()) for one, other in pairs)
    return [_row(f'resume, {backbone}', f'{different} tensors differ', '0', different == 0)]


# 4 XLA

def _xla(options):
    """A step that XLA compiled, against the CPU without it; and both paces."""
    backbone = 'resnet_v1' if options.device == 'gpu' else 'mobilenet_v1'
    options.check = f'numbers:{backbone}'
    expected = _on_cpu(options)
    prepare_devices(xla=options.device == 'gpu')  # on CPUs XLA takes minutes to compile, and nothing is gained
    return _compared(f'XLA, {backbone}', _step(backbone, 'float32', options), expected, LIMITS['TF32'])


# 5 several devices

def _mirrored(options):
    """tf.distribute over all GPUs, one perhaps."""
    return _distributed(options, 'mirrored')


def _halves(options):
    """tf.distribute over two halves of one device."""
    kind = options.device.upper()
    device = tf.config.list_physical_devices(kind)[0]
    half = tf.config.LogicalDeviceConfiguration(memory_limit=8192) if kind == 'GPU' else tf.config.LogicalDeviceConfiguration()
    tf.config.set_logical_device_configuration(device, [half, half])
    return _distributed(options, 'two halves')


def _distributed(options, name):
    backbone = 'vgg_300' if options.device == 'gpu' else 'mobilenet_v1'
    options.check = f'numbers:{backbone}'
    expected = _on_cpu(options)
    if name == 'mirrored':
        prepare_devices()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    strategy = distribution.strategy('mirrored')
    found = _step(backbone, 'float32', options, strategy, synchronized=backbone != 'vgg_300')
    return _compared(f'{name}, {strategy.num_replicas_in_sync} x {backbone}', found, expected, LIMITS['float32'])


# 6 learning by heart

def _heart(options):
    """Eight drawn pictures by heart, from random weights."""
    prepare_devices()
    tf.keras.utils.set_random_seed(1)
    spec = backbones.get('mobilenet_v1')
    batch, truths = overfit._eight(spec)
    trainer = overfit._trainer(spec, 'bfloat16', argparse.Namespace(learning_rate=0.03))
    detect = detector.Detector(trainer.model).detect
    best, wanted, most = 0., 1. if options.device == 'gpu' else 0., 400 if options.device == 'gpu' else 2
    while best < 1 and trainer.step < most:
        for _ in range(min(10, most)):
            trainer.train_step(batch)
        best = max(best, overfit._mean_ap(detect(batch['images']), truths))
    return [_row('by heart, mobilenet_v1', f'mAP {best:.2f} after {trainer.step} steps', f'mAP {wanted:g}', best >= wanted)]


_CHECKS = {'numbers': _numbers, 'detections': _detections, 'resume': _resume, 'xla': _xla, 'mirrored': _mirrored,
           'halves': _halves, 'heart': _heart, 'export': _export}


if __name__ == '__main__':
    run(main)
