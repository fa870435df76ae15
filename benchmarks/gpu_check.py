"""Checks that a GPU computes what a CPU computes. Run it on a new machine before a long training.

    python3 -m benchmarks.gpu_check                      # every check
    python3 -m benchmarks.gpu_check --backbones=vgg_300 --minutes=5
    python3 -m benchmarks.gpu_check --device=cpu         # without a GPU: small checks of the CPU

Writes gpu_check.json and gpu_check.md. The exit code is 0 if every check passed. Each check runs in
a process of its own. Most of them start a second process that sees no GPU, the reference, and
compare their results with it.

    numbers      one training step of each backbone in each precision: loss and gradients
    detections   the shipped detector on a photograph
    suppression  suppression in operations of the GPU finds what TensorFlow's on the CPU finds
    resume       a training that was saved and restored continues equally to the last bit
    xla          a training step that XLA compiled
    mirrored     a training step over all GPUs
    halves       a training step over two halves of one GPU
    heart        a network learns eight drawn images by heart
    export       a SavedModel that was exported on the GPU, used on the CPU
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
from utils.script import imports, run

with imports():
    import matplotlib
    import numpy as np

    from benchmarks import commands, measures, models, overfit
    from checkpoints import io as checkpoint
    from detection import loading
    from nets import backbones, ssd
    from nets.slim_compat import prepare_devices, tf
    from preprocessing import pipeline
    from training import distribution, state
    from training.schedule import Schedule
    from training.trainer import Trainer
    from utils import command_line

# Precision -> largest relative errors of the loss and of the gradients, against float32 on a CPU.
# In float32 only the order of additions differs. TF32, bfloat16 and float16 round to 11, 8 and 11
# bits, and a network with random weights multiplies such errors from layer to layer.
LIMITS = {'float32': (1e-4, 2e-2), 'TF32': (1e-2, 0.1), 'bfloat16': (2e-2, 0.2),
          'float16': (1e-2, 0.1)}
_OVERFLOWS = 20  # of float16 at most, each of which halves the loss scale
_BATCH_SIZE = {'gpu': 8, 'cpu': 4}
_LEAST_SCORE = 0.1  # rounding adds or removes detections below it


def main() -> int:
    options = _options()
    if options.reference:
        prepare_devices()
        kind, _, backbone = options.reference.partition(':')
        np.savez(_reference_file(options), **_REFERENCES[kind](options, backbone))
        return 0
    if options.check:
        kind, _, backbone = options.check.partition(':')
        print(json.dumps(_CHECKS[kind](options, backbone)))
        return 0
    if options.device == 'gpu' and not tf.config.list_physical_devices('GPU'):
        raise UserError('TensorFlow finds no GPU (docs/gpu.md tells why that may be); --device=cpu '
                        'tries the checks without one')
    os.makedirs(options.output, exist_ok=True)
    machine = _machine()
    for name, value in machine.items():
        print(f'{name}: {value}', flush=True)
    rows = _run_all(options)
    failed = sum(not row['passed'] for row in rows)
    table = _table(rows)
    print(f'{table}\n{len(rows) - failed} passed, {failed} failed or left out')
    path = pathlib.Path(options.output, 'gpu_check')
    result = json.dumps({'machine': machine, 'rows': rows}, indent=1)
    path.with_suffix('.json').write_text(f'{result}\n')
    facts = ''.join(f'* {name}: {value}\n' for name, value in machine.items())
    path.with_suffix('.md').write_text(f'{facts}\n{table}\n')
    return 1 if failed else 0


def _options():
    parser = command_line.parser('python3 -m benchmarks.gpu_check', __doc__)
    parser.add_argument('--device', default='gpu', choices=('gpu', 'cpu'), help='What is checked.')
    commands.add_list(parser, '--backbones', 'backbone', backbones.names())
    commands.add_list(parser, '--checks', 'check', tuple(_CHECKS))
    parser.add_argument('--minutes', type=float, default=30,
                        help='No check runs longer than this after the start; the others fail.')
    parser.add_argument('--jobs', type=int, default=1, help='Checks that run at the same time.')
    parser.add_argument('--output', default='.', help='Folder of gpu_check.json and gpu_check.md.')
    # Of the processes that this one starts: what they compute, and a folder for their files.
    parser.add_argument('--check', default='', help=argparse.SUPPRESS)
    parser.add_argument('--reference', default='', help=argparse.SUPPRESS)
    parser.add_argument('--folder', default='', help=argparse.SUPPRESS)
    return parser.parse_args()


def _machine():
    """Name -> value of the device and the versions of its software."""
    gpus, build = tf.config.list_physical_devices('GPU'), tf.sysconfig.get_build_info()
    details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
    facts = {'device': ', '.join(each.get('device_name', 'GPU') for each in details) or 'CPU',
             'cores': os.cpu_count(), 'TensorFlow': tf.__version__,
             'CUDA': build.get('cuda_version', 'none'), 'cuDNN': build.get('cudnn_version', 'none')}
    if gpus:
        query = ['nvidia-smi', '--query-gpu=driver_version', '--format=csv,noheader']
        answer = subprocess.run(query, capture_output=True, text=True).stdout
        facts['driver'] = answer.split('\n')[0] or 'unknown'
    return facts


def _run_all(options):
    """Rows of the table, in the order of --checks."""
    names = []
    for check in options.checks:
        per_backbone = [f'numbers:{name}' for name in options.backbones]
        names += per_backbone if check == 'numbers' else [check]
    end = time.monotonic() + 60 * options.minutes
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        found = pool.map(functools.partial(_run_check, options, end), names)
        return [row for rows in found for row in rows]


def _run_check(options, end, name):
    """Runs a check in a process of its own and prints its rows.

    Args:
        end: time.monotonic() at which the check is stopped.
        name: a check, for numbers followed by ':' and a backbone.
    """
    start = time.monotonic()
    try:
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(_command('check', name, options.device, folder),
                                  capture_output=True, text=True, timeout=max(0, end - start))
        if done.returncode:
            last_line = (done.stderr.strip().splitlines() or ['?'])[-1]
            rows = [_row(name, f'failed: {last_line[:300]}', '', False)]
        else:
            rows = json.loads(done.stdout.splitlines()[-1])
    except subprocess.TimeoutExpired:
        rows = [_row(name, 'not done in time', '', False)]
    seconds = round(time.monotonic() - start, 1)
    for row in rows:
        row['seconds'] = seconds
        verdict = 'ok' if row['passed'] else 'FAILED'
        print(f'{row["name"]}: {row["value"]} (limit {row["limit"]}) {verdict}, {seconds} s',
              flush=True)
    return rows


def _command(role, name, device, folder):
    """Command line of a process. role: 'check' or 'reference'."""
    return [sys.executable, '-m', 'benchmarks.gpu_check', f'--{role}={name}', f'--device={device}',
            f'--folder={folder}']


def _without_gpu(name, options):
    """Results of a reference, from a process that sees no GPU; see `_elsewhere`."""
    return _elsewhere(name, options, {'CUDA_VISIBLE_DEVICES': '-1'})


def _elsewhere(name, options, environment):
    """Results of a reference, from a process of its own.

    Args:
        name: a key of _REFERENCES, for a training step followed by ':' and a backbone.
        environment: variables that the process gets beside the present ones.

    Returns:
        {name: array}.
    """
    done = subprocess.run(_command('reference', name, options.device, options.folder),
                          env=os.environ | environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f'with {environment}: {done.stderr}')
    return dict(np.load(_reference_file(options)))


def _reference_file(options):
    return os.path.join(options.folder, 'reference.npz')


def _row(name, value, limit, passed):
    return {'name': name, 'value': value, 'limit': limit, 'passed': bool(passed)}


def _table(rows):
    lines = ['| check | found | limit | passed | seconds |', '|---|---|---|---|---|']
    lines += [f'| {row["name"]} | {row["value"]} | {row["limit"]} '
              f'| {"yes" if row["passed"] else "**no**"} | {row["seconds"]} |' for row in rows]
    return '\n'.join(lines)


# Checks that compare one training step: numbers, xla, mirrored, halves

def _numbers(options, backbone):
    expected = _without_gpu(f'step:{backbone}', options)
    prepare_devices()
    rows = []
    for precision in LIMITS if options.device == 'gpu' else ('float32', 'bfloat16'):
        if precision == 'float32':  # a process keeps the kernels that it chose first, TF32 or not
            found = _elsewhere(f'step:{backbone}', options, {'NVIDIA_TF32_OVERRIDE': '0'})
        else:
            found = _train_step(options, backbone, 'float32' if precision == 'TF32' else precision)
        rows += _compare(f'{backbone}, {precision}', found, expected, precision)
    return rows


def _xla(options, _):
    expected = _without_gpu('step:mobilenet_v1', options)
    prepare_devices()
    found = _train_step(options, 'mobilenet_v1', xla=True)
    return _compare('XLA, mobilenet_v1', found, expected,
                    'TF32' if options.device == 'gpu' else 'float32')


def _mirrored(options, _):
    prepare_devices()
    return _distributed('mirrored', options)


def _halves(options, _):
    kind = options.device.upper()
    memory = {'memory_limit': 8192} if kind == 'GPU' else {}
    half = tf.config.LogicalDeviceConfiguration(**memory)
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices(kind)[0], [half] * 2)
    return _distributed('two halves', options)


def _distributed(name, options):
    """A step over all logical devices against one on a single CPU, from the same batch."""
    backbone = 'vgg_300' if options.device == 'gpu' else 'mobilenet_v1'
    expected = _without_gpu(f'step:{backbone}', options)
    _allow_tf32(False)
    strategy = distribution.strategy('mirrored')
    found = _train_step(options, backbone, strategy=strategy)
    name = f'{name}, {strategy.num_replicas_in_sync} x {backbone}'
    return _compare(name, found, expected, 'float32')


def _allow_tf32(allowed):
    tf.config.experimental.enable_tensor_float_32_execution(allowed)


def _train_step(options, backbone, precision='float32', strategy=None, xla=False):
    """One step of plain SGD, learning rate 1, from fixed weights and a fixed batch.

    Args:
        strategy: tf.distribute's; None: one device.
        xla: XLA compiles the step.

    Returns:
        {variable name: gradient}, and the loss as 'loss'.
    """
    spec, strategy = backbones.get(backbone), strategy or tf.distribute.get_strategy()
    devices = strategy.num_replicas_in_sync
    with strategy.scope():
        model = ssd.SSD(spec, models.CLASSES, precision=precision, synchronized=devices > 1).build()
    for variable in model.variables:
        variable.assign(_weights(checkpoint.variable_name(variable), variable.shape))
    trainer = Trainer(model, Schedule(1., 10), momentum=0., weight_decay=0., bias_rate=1.,
                      strategy=strategy, xla=xla)
    before = [variable.numpy() for variable in model.trainable_variables]
    batch = models.random_batch(spec, _BATCH_SIZE[options.device])
    if devices > 1:
        batch = {name: _share_out(tf.split(values, devices), strategy)
                 for name, values in batch.items()}
    for _ in range(_OVERFLOWS):
        loss = float(trainer.train_step(batch)['loss'])
        changes = [old - variable.numpy()
                   for variable, old in zip(model.trainable_variables, before, strict=True)]
        if any(change.any() for change in changes):
            break  # float16: no overflow any more, which would have left the weights as they were
    names = [checkpoint.variable_name(variable) for variable in model.trainable_variables]
    return dict(zip(names, changes, strict=True)) | {'loss': loss}


def _share_out(parts, strategy):
    return strategy.experimental_distribute_values_from_function(
        lambda context: parts[context.replica_id_in_sync_group])


def _weights(name, shape):
    """Values that depend on the name alone.

    Kernels are drawn as He et al. do, those of extra layers and heads at a tenth of that. Batch
    norm and biases have their initial values, but for a beta of 1: most values then pass the relu.
    With 0, rounding grows from layer to layer, until the gradients of InceptionV4 in bfloat16 have
    nothing in common with those in float32 (an error of 1.41; with 1 it is 0.06).
    """
    last = name.split('/')[-1]
    if last in ('weights', 'depthwise_weights'):
        fan_in = np.prod(shape[:2] if last == 'depthwise_weights' else shape[:-1])
        scale = np.sqrt(2 / fan_in) * (0.1 if name.startswith('ssd/') else 1)
        random = np.random.default_rng(np.frombuffer(name.encode(), np.uint8))
        return (random.standard_normal(shape) * scale).astype(np.float32)
    initial = {'beta': 1., 'gamma': 1., 'moving_variance': 1., 'scale': 20.}
    return np.full(shape, initial.get(last, 0.), np.float32)


def _compare(name, found, expected, precision):
    """Rows of the loss and of the gradients, each with its relative error."""
    loss_error = abs(found['loss'] - expected['loss']) / abs(expected['loss'])
    names = set(found) - {'loss'}
    difference = _norm(found[key] - expected[key] for key in names)
    errors = loss_error, difference / _norm(expected[key] for key in names)
    rows = zip(('loss', 'gradients'), errors, LIMITS[precision], strict=True)
    return [_row(f'{name}: {what}', f'{error:.1e}', f'{limit:g}', error <= limit)
            for what, error, limit in rows]


def _norm(arrays):
    """Euclidean norm of several arrays together."""
    return np.sqrt(sum(np.sum(np.square(array, dtype=np.float64)) for array in arrays))


# Checks that compare detections: detections, export

def _detections(options, _):
    expected = _without_gpu('detections', options)
    prepare_devices()
    return [_compare_detections('detections', _detect_photograph(), expected)]


def _export(options, _):
    prepare_devices()
    here = _detect_photograph()
    command = [sys.executable, 'ssd_export.py', f'--output={_exported(options)}',
               '--formats=saved_model', '--score_threshold=0.01']
    subprocess.run(command, check=True, capture_output=True)
    found = _without_gpu('exported', options)
    return [_compare_detections('export, loaded on the CPU', found, here)]


def _run_exported(options, _):
    """Reference of the check export: the exported detector on the photograph."""
    model = tf.saved_model.load(os.path.join(_exported(options), 'saved_model'))
    found = model.signatures['bytes'](tf.constant(_photograph()))
    return {name: values.numpy() for name, values in found.items()}


def _exported(options):
    return os.path.join(options.folder, 'exported')


def _photograph():
    return pathlib.Path(matplotlib.get_data_path(), 'sample_data', 'grace_hopper.jpg').read_bytes()


def _detect_photograph():
    """The shipped detector's boxes [D, 4], scores [D], classes [D] and counts on the photograph."""
    _allow_tf32(False)
    detector = loading.load()
    found = detector.detect(detector.resize(pipeline.decode_image(_photograph()))[None])
    return {name: values.numpy()[0] for name, values in found._asdict().items()}


def _compare_detections(name, found, expected):
    """Row that passes if boxes agree to a pixel of 300 and scores to 0.01."""
    count = int(np.sum(expected['scores'] >= _LEAST_SCORE))
    pixels, score = (float(np.max(np.abs(found[key][:count] - expected[key][:count]), initial=0))
                     for key in ('boxes', 'scores'))
    pixels *= 300
    same = np.array_equal(found['classes'][:count], expected['classes'][:count])
    value = f'{count} objects, boxes {pixels:.3f} pixels, scores {score:.1e}'
    return _row(name, value + ('' if same else ', other classes'), '1 pixel, 0.01',
                count and same and pixels <= 1 and score <= 0.01)


# Checks without a reference: suppression, resume, heart

def _suppression(options, _):
    """Both ways of suppression on the same outputs, in this process."""
    prepare_devices()
    spec, batch = backbones.get('mobilenet_v1'), 64 if options.device == 'gpu' else 2
    rows, times = [], []
    for on_gpu in (True, False):
        detect = measures.postprocessor(spec, batch, on_gpu)
        boxes, scores, classes, counts = (values.numpy() for values in detect())
        # Sets, as the order of equal scores may differ.
        rows.append({(image, classes[image, each], scores[image, each], *boxes[image, each])
                     for image in range(batch) for each in range(counts[image])})
        seconds = measures.seconds_per_step(detect, 2, lambda found: found.counts.numpy())
        times.append(1000 * seconds / batch)
    limit = len(rows[1]) // 1000  # which of several equal scores comes first is chance
    different = len(rows[0] ^ rows[1])
    value = (f"{different} of {len(rows[1])} detections differ; {times[0]:.2f} ms an image, "
             f"TensorFlow's {times[1]:.2f}; detectors here use the "
             + measures.suppression_device(spec))
    return [_row('suppression', value, f'{limit} detections', rows[1] and different <= limit)]


def _resume(options, _):
    """Compares a training of four steps with one that was restored after two of them."""
    prepare_devices(deterministic=True)
    # The gradient of a depth-wise convolution has no deterministic GPU kernel.
    backbone = 'vgg_300' if options.device == 'gpu' else 'mobilenet_v1'
    spec = backbones.get(backbone)
    batch = models.random_batch(spec, 2)

    def new_trainer():
        tf.keras.utils.set_random_seed(1)
        model = ssd.SSD(spec, models.CLASSES, precision='bfloat16').build()
        return Trainer(model, Schedule(1e-3, 100), average=0.9)

    straight, resumed = new_trainer(), new_trainer()
    for _ in range(2):
        straight.train_step(batch)
    state.resume(resumed, state.save(straight, options.folder))
    for trainer in (straight, resumed):
        for _ in range(2):
            trainer.train_step(batch)
    pairs = zip(state.tensors(straight).values(), state.tensors(resumed).values(), strict=True)
    different = sum(not np.array_equal(one.numpy(), other.numpy()) for one, other in pairs)
    return [_row(f'resume, {backbone}', f'{different} tensors differ', '0', different == 0)]


def _heart(options, _):
    prepare_devices()
    least, steps, every = (1., 400, 10) if options.device == 'gpu' else (0., 2, 2)
    found = overfit.learn(backbones.get('mobilenet_v1'), 'bfloat16', 0.03, steps, every)
    value = f'mAP {found.mean_ap:.2f} after {found.trainer.step} steps'
    return [_row('by heart, mobilenet_v1', value, f'mAP {least:g}', found.mean_ap >= least)]


# Each is called with the options and a backbone ('' but for a training step).
_CHECKS = {'numbers': _numbers, 'detections': _detections, 'resume': _resume, 'xla': _xla,
           'mirrored': _mirrored, 'halves': _halves, 'heart': _heart, 'export': _export,
           'suppression': _suppression}
_REFERENCES = {'step': _train_step, 'detections': lambda *_: _detect_photograph(),
               'exported': _run_exported}


if __name__ == '__main__':
    run(main)
