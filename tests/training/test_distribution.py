"""Several devices and several processes take the steps that one device takes."""
import json
import os
import pathlib
import socket
import subprocess
import sys

import numpy as np
import pytest

from datasets import shapes, tfrecord
from nets.slim_compat import tf
from training import distribution

PROGRAM = pathlib.Path(__file__).with_name('distributed_training.py')


@pytest.fixture(scope='module')
def records(tmp_path_factory):
    import ssd_image_to_tf
    folder = tmp_path_factory.mktemp('distribution')
    shapes.write_voc(folder / 'shapes', train=20, test=0, seed=1)
    argv, sys.argv = sys.argv, [
        'ssd_image_to_tf.py',
        f'--voc={folder}/shapes',
        '--image_set=train',
        f'--output={folder}/records',
        f'--classes_file={folder}/shapes/classes.txt',
        '--images_per_shard=7',
    ]
    try:
        ssd_image_to_tf.main()
    finally:
        sys.argv = argv
    assert tfrecord.read_index(folder / 'records').images == 20
    return folder / 'records'


def _start(records, result, kind, accumulate=1, devices=1, model='Plain', config=None):
    environment = os.environ | ({'TF_CONFIG': json.dumps(config)} if config else {})
    return subprocess.Popen(
        [
            sys.executable,
            str(PROGRAM),
            str(records),
            str(result),
            kind,
            str(accumulate),
            str(devices),
            model,
        ],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _end(*processes):
    for process in processes:
        text, _ = process.communicate(timeout=240)
        assert process.returncode == 0, text


@pytest.fixture(scope='module')
def alone(records, tmp_path_factory):
    """Results of one device, by model."""
    folder = tmp_path_factory.mktemp('alone')
    models = ('Plain', 'Normalised')
    _end(*[_start(records, folder / f'{model}.npz', 'one', model=model) for model in models])
    return {model: dict(np.load(folder / f'{model}.npz')) for model in models}


def _assert_same(found, expected, but=()):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        if name not in but:
            np.testing.assert_allclose(found[name], value, rtol=1e-5, atol=1e-5, err_msg=name)


def test_the_loss_falls(alone):
    for found in alone.values():
        assert found['losses'][-1] < found['losses'][0] and found['global_step'] == 5


@pytest.mark.parametrize('model', ['Plain', 'Normalised'])
def test_two_devices_equal_one(records, alone, tmp_path, model):
    _end(_start(records, tmp_path / 'two.npz', 'mirrored', devices=2, model=model))
    _assert_same(dict(np.load(tmp_path / 'two.npz')), alone[model])


def test_accumulation_equals_the_large_batch(records, alone, tmp_path):
    _end(_start(records, tmp_path / 'four.npz', 'one', accumulate=4))
    _assert_same(dict(np.load(tmp_path / 'four.npz')), alone['Plain'])


def test_two_processes_equal_one(records, alone, tmp_path):
    ports = []
    for _ in range(2):
        with socket.socket() as free:
            free.bind(('127.0.0.1', 0))
            ports.append(free.getsockname()[1])
    workers = [f'127.0.0.1:{port}' for port in ports]
    _end(
        *[
            _start(
                records,
                tmp_path / f'worker{index}.npz',
                'multi_worker',
                config={'cluster': {'worker': workers}, 'task': {'type': 'worker', 'index': index}},
            )
            for index in range(2)
        ]
    )
    # The chief sees its own half of each batch; the other worker writes nothing.
    found = dict(np.load(tmp_path / 'worker0.npz'))
    _assert_same(found, alone['Plain'], but=('images',))
    np.testing.assert_array_equal(found['images'], alone['Plain']['images'][:4])
    assert not (tmp_path / 'worker1.npz').exists()


@pytest.mark.parametrize('text', [
    '', '{}', '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}',
    '{"cluster": {"worker": "a:1"}, "task": {"type": "worker", "index": 0}}'])
def test_a_cluster_that_is_not_described(monkeypatch, text):
    monkeypatch.setenv('TF_CONFIG', text)
    with pytest.raises(
        distribution.DistributionError, match='needs the environment variable TF_CONFIG, such as'
    ):
        distribution.strategy('multi_worker')


def test_one_device_is_the_default_strategy():
    strategy = distribution.strategy('one')
    assert distribution.worker(strategy) == (0, 1) and distribution.is_chief(strategy)
    assert distribution.share(strategy, 32, 4) == 8
    with pytest.raises(
        distribution.DistributionError,
        match='batch_size 6 is not divisible by 1 devices times 4 turns',
    ):
        distribution.share(strategy, 6, 4)
    detect = tf.identity
    assert distribution.shared(detect, strategy) is detect
