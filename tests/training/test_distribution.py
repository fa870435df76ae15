"""Several devices and several processes take the steps that one device takes."""
import contextlib
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import types

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


def _free_ports(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(('127.0.0.1', 0))
        return [one.getsockname()[1] for one in sockets]


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
    workers = [f'127.0.0.1:{port}' for port in _free_ports(2)]
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


def _config(workers, kind='worker', index=0, **cluster):
    return json.dumps({'cluster': {'worker': workers} | cluster,
                       'task': {'type': kind, 'index': index}})


@pytest.mark.parametrize('text, message', [
    ('', 'is not set'),
    ('{', 'is no JSON (Expecting property name'),
    ('[]', 'lacks "cluster" or "task"'),
    ('{"cluster": {}, "task": {}}', 'lists nothing in "cluster"'),
    (_config(['a:1'], chief=['b:1']), 'lists worker, chief in "cluster", but all machines'),
    (_config('a:1'), 'has no list of workers'),
    (_config(['a:1', 'b']), "lists the worker 'b', which is no HOST:PORT"),
    (_config(['a:1', 'a:1']), 'lists a worker twice'),
    (_config(['a:1'], 'chief'), "has the task type 'chief' for \"worker\""),
    (_config(['a:1'], index=1), 'has the task index 1 and 1 workers, counted from 0'),
    (_config(['a:1'], index=None), 'has the task index None'),
])
def test_a_cluster_that_is_not_described(monkeypatch, text, message):
    monkeypatch.setenv('TF_CONFIG', text)
    with pytest.raises(distribution.DistributionError,
                       match=f"TF_CONFIG {re.escape(message)}.*; it has to be such as"):
        distribution.strategy('multi_worker')


def test_a_worker_alone_says_for_whom_it_waits_and_gives_up(capsys):
    workers = [f'localhost:{port}' for port in _free_ports(2)]
    with pytest.raises(distribution.DistributionError,
                       match=rf'^worker 1 \({workers[1]}\) did not start within 0.005 minutes'):
        distribution._wait_for_others(workers, 0, patience=.3, pause=.1)
    assert capsys.readouterr().out == f'worker 0 is waiting for worker 1 ({workers[1]})\n'
    with socket.create_server(('', int(workers[1][10:]))):
        distribution._wait_for_others(workers, 0)
        with pytest.raises(distribution.DistributionError,
                           match='worker 1 cannot listen at .* Address already in use'):
            distribution._wait_for_others(workers, 1)


def test_xla_compiles_for_one_device():
    distribution.check_xla(types.SimpleNamespace(num_replicas_in_sync=2), False)
    distribution.check_xla(types.SimpleNamespace(num_replicas_in_sync=1), True)
    with pytest.raises(distribution.DistributionError, match='for one device, and 2 take part'):
        distribution.check_xla(types.SimpleNamespace(num_replicas_in_sync=2), True)


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
