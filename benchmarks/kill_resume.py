"""Kills and resumes a training at random moments, and compares it with an undisturbed one.

    python3 -m benchmarks.kill_resume --kills=20

MobilenetV1 from random weights on drawn shapes. It saves a checkpoint after every step, so that
many of the kills (SIGKILL) happen while a checkpoint is written. Both trainings use the same seed
and --deterministic=True: all variables, slots and averages must be equal to the last bit.
"""
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

from utils.script import imports, run

with imports():
    import numpy as np

    from checkpoints import io as checkpoint
    from datasets import shapes
    from nets.spec import PRECISIONS
    from utils import command_line

ROOT = pathlib.Path(__file__).resolve().parents[1]


def main() -> int:
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        killed, resumed, differing = compare(pathlib.Path(folder), options.kills, options.steps,
                                             options.seed, options.precision)
    result = 'all variables equal those of the undisturbed run'
    if differing:
        result = f'{len(differing)} variables differ, first {differing[0]}'
    print(f'{killed} kills, {resumed} resumed runs; {result}')
    return 1 if differing or killed < options.kills else 0


def _options():
    parser = command_line.parser('python3 -m benchmarks.kill_resume', __doc__)
    parser.add_argument('--kills', type=int, default=20, help='Number of kills.')
    parser.add_argument('--steps', type=int, default=60, help='Steps of the training.')
    parser.add_argument('--seed', type=int, default=0, help='Chooses the moments of the kills.')
    parser.add_argument('--precision', default='float32', choices=PRECISIONS,
                        help='Number format of activations.')
    return parser.parse_args()


def compare(folder: pathlib.Path, kills: int, steps: int, seed: int = 0,
            precision: str = 'float32') -> tuple[int, int, list[str]]:
    """Trains undisturbed and with kills.

    Args:
        folder: empty; receives drawn shapes and both trainings.
        kills: fewer happen if the training ends before.
        steps: of each training.
        seed: chooses the moments of the kills.
        precision: one of nets.spec.PRECISIONS.

    Returns:
        kills that happened, runs that resumed a checkpoint, names of the variables that differ.

    Raises:
        RuntimeError: a run failed; holds its output.
    """
    shapes.write_voc(folder / 'shapes', train=24, test=0)
    _finish(_start(folder, 'ssd_image_to_tf.py', '--voc=shapes', '--image_set=train',
                   '--classes_file=shapes/classes.txt'))
    training = ['ssd_train.py', '--training_mode=from_scratch',
                '--backbone_network=ssd_mobilenet_v1', '--batch_size=2', f'--max_steps={steps}',
                '--save_every=1', '--log_every=1', '--keep_checkpoints=2', '--warmup_steps=0',
                '--deterministic=True', '--weight_average=0.9', f'--precision={precision}']
    _finish(_start(folder, *training, '--output=straight'))
    moments = random.Random(seed)
    done = resumed = 0
    while True:
        process = _start(folder, *training, '--output=killed')
        text, seconds = _read_steps(process, 1 if done == kills else moments.randint(2, 4))
        resumed += 'resumed killed/model.ckpt' in text
        if done == kills:
            _finish(process)
            return done, resumed, _differing(folder, steps)
        time.sleep(moments.uniform(0, seconds))  # within a step or while its checkpoint is written
        if process.poll() is not None:
            return done, resumed, _differing(folder, steps)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        done += 1
        newest = checkpoint.newest(folder / 'killed')
        print(f'killed {done} times; last checkpoint {newest}', flush=True)


def _start(folder, script, *arguments):
    return subprocess.Popen([sys.executable, str(ROOT / script), *arguments], cwd=folder, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            env=os.environ | {'PYTHONUNBUFFERED': '1'})


def _read_steps(process, count):
    """Reads `count` progress lines: (all text so far, seconds of the last step)."""
    lines, times = [], [time.monotonic()]
    for line in process.stdout:
        lines.append(line)
        if line.startswith('step '):
            times.append(time.monotonic())
        if len(times) > count:
            return ''.join(lines), times[-1] - times[-2]
    raise RuntimeError('a run ended before its step:\n' + ''.join(lines))


def _finish(process):
    text, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(text)


def _differing(folder, steps):
    """Names of the variables of both last checkpoints that differ."""
    straight, killed = (checkpoint.read(f'{folder}/{name}/model.ckpt-{steps}')
                        for name in ('straight', 'killed'))
    return [name for name in sorted(straight.get_variable_to_shape_map())
            if not np.array_equal(straight.get_tensor(name), killed.get_tensor(name))]


if __name__ == '__main__':
    run(main)
