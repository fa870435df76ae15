"""Kills a training at random moments, resumes it each time, and compares the weights with those of an undisturbed run.

    python3 -m benchmarks.kill_resume --kills=20

Drawn shapes, MobilenetV1 from random weights, a checkpoint after every step, so that many of the kills (SIGKILL) hit the
writing of one. Both runs use the same seed and --deterministic=True: all variables, slots and averages must be equal to the last
bit.
"""
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

from utils.script import quiet, run

with quiet():
    import numpy as np

    from checkpoints import io as checkpoint
    from datasets import shapes
    from nets.spec import PRECISIONS
    from utils import command_line

ROOT = pathlib.Path(__file__).resolve().parents[1]
_BACKBONE = '--backbone_network=ssd_mobilenet_v1'


def main() -> int:
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        killed, resumed, differing = compare(pathlib.Path(folder), options.kills, options.steps, options.seed, options.precision)
    print(f'{killed} kills, {resumed} resumed runs; ' + (f'{len(differing)} variables differ, first {differing[0]}' if differing
                                                         else 'all variables equal those of the undisturbed run'))
    return 1 if differing or killed < options.kills else 0


def _options():
    parser = command_line.parser('python3 -m benchmarks.kill_resume', __doc__)
    parser.add_argument('--kills', type=int, default=20, help='How often it is killed.')
    parser.add_argument('--steps', type=int, default=60, help='Steps of the training.')
    parser.add_argument('--seed', type=int, default=0, help='Seed of the moments of killing.')
    parser.add_argument('--precision', default='float32', choices=PRECISIONS, help='Number format of activations.')
    return parser.parse_args()


def compare(folder: pathlib.Path, kills: int, steps: int, seed: int = 0,
            precision: str = 'float32') -> tuple[int, int, list[str]]:
    """-> (kills done, runs that resumed a checkpoint, names of variables that differ between both runs).

    Fewer kills are done where the steps do not last for them. RuntimeError with the output of a run that ended by itself.

    Args:
        folder: an empty one, for drawn shapes and both runs.  kills, steps: how many.  seed: of the moments of killing.
    """
    shapes.write_voc(folder / 'shapes', train=24, test=0)
    _finish(_start(folder, 'ssd_image_to_tf.py', '--voc=shapes', '--image_set=train', '--classes_file=shapes/classes.txt'))
    training = ['ssd_train.py', '--training_mode=from_scratch', _BACKBONE, '--batch_size=2', f'--max_steps={steps}',
                '--save_every=1', '--log_every=1', '--keep_checkpoints=2', '--warmup_steps=0', '--deterministic=True',
                '--weight_average=0.9', '--precision=' + precision]
    _finish(_start(folder, *training, '--output=straight'))
    moments = random.Random(seed)
    done = resumed = 0
    while True:
        process = _start(folder, *training, '--output=killed')
        text, pace = _read_steps(process, 1 if done == kills else moments.randint(2, 4))
        resumed += 'resumed killed/model.ckpt' in text
        if done == kills:
            _finish(process)
            return done, resumed, _differing(folder, steps)
        time.sleep(moments.uniform(0, pace))  # anywhere in a step, or in the writing of its checkpoint
        if process.poll() is not None:  # there were more kills than steps for them
            return done, resumed, _differing(folder, steps)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        done += 1
        print(f'killed {done} times; last checkpoint {checkpoint.newest(folder / "killed")}', flush=True)


def _start(folder, script, *arguments):
    return subprocess.Popen([sys.executable, str(ROOT / script), *arguments], cwd=folder, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=os.environ | {'PYTHONUNBUFFERED': '1'})


def _read_steps(process, count):
    """Reads `count` lines of progress -> (all text up to there, seconds that the last step took)."""
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
    readers = [checkpoint.read(f'{folder}/{name}/model.ckpt-{steps}') for name in ('straight', 'killed')]
    names = sorted(readers[0].get_variable_to_shape_map())
    return [name for name in names if not np.array_equal(*(reader.get_tensor(name) for reader in readers))]


if __name__ == '__main__':
    run(main)
