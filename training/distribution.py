"""Training over several devices or machines, all of it `tf.distribute`'s.

Every replica computes the gradients of its share of a batch. They are summed, not averaged, since
each share is divided by the matched default boxes of the whole batch (training.trainer). So N
replicas take the step that one device would take.
"""
import contextlib
import json
import os
import signal
import socket
import time
import typing
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from nets.slim_compat import tf, variable_store
from utils.choices import DISTRIBUTIONS
from utils.errors import UserError

Result = typing.TypeVar('Result')
_EXAMPLE = ('{"cluster": {"worker": ["host1:2222", "host2:2222"]}, '
            '"task": {"type": "worker", "index": 0}}')

_PATIENCE = 600.  # seconds that workers wait for each other at the start


class DistributionError(UserError, ValueError):
    """A distribution's machines or devices are not there, or a batch does not fit them."""


def strategy(kind: str) -> tf.distribute.Strategy:
    """The strategy of a kind. For 'multi_worker', before anything else uses TensorFlow's devices.

    Args:
        kind: 'one': the default device. 'mirrored': every GPU of this machine, or without one,
            every logical CPU device. 'multi_worker': every machine that the environment variable
            TF_CONFIG lists, with its GPUs.
    """
    if kind == 'multi_worker':
        _wait_for_others(*_cluster(os.environ.get('TF_CONFIG', '')))
        previous = signal.signal(signal.SIGINT, signal.SIG_DFL)  # TensorFlow waits deaf to Python's
        try:
            return tf.distribute.MultiWorkerMirroredStrategy()
        finally:
            signal.signal(signal.SIGINT, previous)
    if kind == 'mirrored':
        devices = tf.config.list_logical_devices('GPU') or tf.config.list_logical_devices('CPU')
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    if kind != 'one':
        raise ValueError(f"unknown distribution '{kind}'; known: {', '.join(DISTRIBUTIONS)}")
    return tf.distribute.get_strategy()


def _cluster(text):
    """(addresses of all workers, number of this one) of TF_CONFIG; a mistake is one line."""
    def wanted(right, mistake):
        if not right:
            raise DistributionError(f"distribution 'multi_worker': TF_CONFIG {mistake}; it has to "
                                    f'be such as {_EXAMPLE}')
    wanted(text, 'is not set')
    try:
        config = json.loads(text)
    except ValueError as error:
        wanted(False, f'is no JSON ({error})')
    cluster, task = (config.get(key) if isinstance(config, dict) else None
                     for key in ('cluster', 'task'))
    wanted(isinstance(cluster, dict) and isinstance(task, dict), 'lacks "cluster" or "task"')
    wanted(list(cluster) == ['worker'], f'lists {", ".join(cluster) or "nothing"} in "cluster", '
                                        'but all machines are "worker", the chief first')
    workers = cluster['worker']
    wanted(isinstance(workers, list) and workers, 'has no list of workers')
    for address in workers:
        host, _, port = address.rpartition(':') if isinstance(address, str) else ('', '', '')
        wanted(host and port.isdecimal() and 0 < int(port) < 65536,
               f'lists the worker {address!r}, which is no HOST:PORT')
    wanted(len({*workers}) == len(workers), 'lists a worker twice')
    wanted(task.get('type') == 'worker', f'has the task type {task.get("type")!r} for "worker"')
    index = str(task.get('index'))
    wanted(index.isdecimal() and int(index) < len(workers),
           f'has the task index {index} and {len(workers)} workers, counted from 0')
    return workers, int(index)


def _wait_for_others(workers, index, patience=_PATIENCE, pause=1.):
    """Returns when every other worker listens at its address, as this one does meanwhile.

    TensorFlow itself would wait without a word, without end, and deaf to signals.

    Raises:
        DistributionError: one of them is not there after `patience` seconds, or the port of this
            one is in use.
    """
    host, port = workers[index].rsplit(':', maxsplit=1)
    try:
        listener = socket.create_server(('', int(port)))
    except OSError as error:
        raise DistributionError(f'worker {index} cannot listen at its address {host}:{port} of '
                                f'TF_CONFIG: {error.strerror}') from None
    with listener:
        missing, end, told = set(range(len(workers))) - {index}, time.monotonic() + patience, None
        while missing := {number for number in missing if not _listens(workers[number])}:
            names = ', '.join(f'worker {number} ({workers[number]})' for number in sorted(missing))
            if time.monotonic() > end:
                raise DistributionError(f'{names} did not start within {patience / 60:g} minutes; '
                                        'start all workers, and check the addresses in TF_CONFIG')
            if names != told:
                print(f'worker {index} is waiting for {names}', flush=True)
                told = names
            time.sleep(pause)


def _listens(address):
    host, port = address.rsplit(':', maxsplit=1)
    try:
        socket.create_connection((host.strip('[]'), int(port)), timeout=2).close()
    except OSError:
        return False
    return True


def worker(strategy: tf.distribute.Strategy) -> tuple[int, int]:
    """-> (this process's number among the workers, how many there are)."""
    resolver = strategy.cluster_resolver
    if resolver is None or not resolver.cluster_spec().as_dict():
        return 0, 1
    return resolver.task_id, len(resolver.cluster_spec().as_dict()['worker'])


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process writes: checkpoints, logs, lines."""
    return worker(strategy)[0] == 0


def devices(strategy: tf.distribute.Strategy) -> str:
    """What computes, in words."""
    kind = ('GPU' if tf.config.list_physical_devices('GPU')
            else f'CPU (no GPU found; {os.cpu_count()} cores)')
    return f'{strategy.num_replicas_in_sync} x {kind}'


def say(strategy: tf.distribute.Strategy, text: str) -> None:
    """Prints on the chief alone."""
    if is_chief(strategy):
        print(text, flush=True)


def chief_first(strategy: tf.distribute.Strategy, function: Callable[[bool], Result]) -> Result:
    """function(True) on the chief, then function(False) on the other workers; each one's result.

    For what changes files that all workers see: nobody is still reading them before, and the others
    find it done.
    """
    _meet(strategy)
    result = function(True) if is_chief(strategy) else None
    _meet(strategy)
    return typing.cast(Result, result) if is_chief(strategy) else function(False)


def _meet(strategy):
    """Returns when every worker has come here: as a reduction does."""
    if worker(strategy)[1] > 1:
        tf.function(lambda: strategy.reduce('sum', strategy.run(tf.ones, args=([],)), axis=None),
                    autograph=False)()


def share(strategy: tf.distribute.Strategy, batch_size: int, accumulate: int = 1) -> int:
    """Images per replica and gradient accumulation step of a batch.

    Raises:
        DistributionError: the batch cannot be split evenly.
    """
    parts = strategy.num_replicas_in_sync * accumulate
    if batch_size % parts:
        raise DistributionError(f'batch_size {batch_size} is not divisible by '
                                f'{strategy.num_replicas_in_sync} devices times {accumulate} turns '
                                'of accumulation')
    return batch_size // parts


def check_batch_norm(strategy: tf.distribute.Strategy, batch_size: int, accumulate: int,
                     synchronized: bool) -> None:
    """Refuses batches from which batch norm would learn wrong statistics.

    One image on a 1 x 1 feature map has variance 0, and inference with moving averages of it fails.

    Args:
        strategy: that trains.
        batch_size: images of a step.
        accumulate: gradient accumulation steps of a batch.
        synchronized: batch norm takes its statistics from the images of all devices.

    Raises:
        DistributionError: batch norm would see fewer than 2 images at a time.
    """
    count = strategy.num_replicas_in_sync
    if share(strategy, batch_size, accumulate) * (count if synchronized else 1) < 2:
        raise DistributionError(
            f'batch_size {batch_size} on {count} {"device" if count == 1 else "devices"} with '
            f'accumulate {accumulate} gives batch norm 1 image at a time, and it needs 2; raise '
            'batch_size, or lower accumulate')


def check_xla(strategy: tf.distribute.Strategy, xla: bool) -> None:
    """Refuses XLA for several devices: DistributionError. It compiles a step as one program."""
    if xla and strategy.num_replicas_in_sync > 1:
        raise DistributionError(
            f'xla=True compiles a step for one device, and {strategy.num_replicas_in_sync} take '
            'part; set --xla=False or --distribution=one')


def batches(strategy: tf.distribute.Strategy, training_batches: Callable[..., tf.data.Dataset],
            ) -> tf.data.Dataset | tf.distribute.DistributedDataset:
    """Each replica's batches, copied to its GPU ahead of time.

    Args:
        strategy: that trains.
        training_batches: preprocessing.pipeline's, of the keywords worker, workers and split alone.
    """
    def of_worker(context):
        replicas, workers = context.num_replicas_in_sync, context.num_input_pipelines
        return training_batches(worker=context.input_pipeline_id, workers=workers,
                                split=replicas // workers)
    # The strategies of several devices copy by themselves.
    dataset = strategy.distribute_datasets_from_function(of_worker)
    gpus = tf.config.list_logical_devices('GPU')
    if isinstance(dataset, tf.data.Dataset) and gpus:
        return dataset.apply(tf.data.experimental.prefetch_to_device(gpus[0].name))
    return dataset


def on_this_machine(strategy: tf.distribute.Strategy,
                    batch: Mapping[str, tf.Tensor | tf.distribute.DistributedValues],
                    ) -> dict[str, np.ndarray]:
    """A batch as this worker's replicas hold it, as numpy arrays in one."""
    parts = {name: strategy.experimental_local_results(values) for name, values in batch.items()}
    return {name: np.concatenate([part.numpy() for part in values])
            for name, values in parts.items()}


def stop_reason(strategy: tf.distribute.Strategy, signal: str, stop: tf.Tensor) -> str:
    """Why training stops after a step, which is the same one on all workers; '' where it goes on.

    Args:
        strategy: that trains.
        signal: name of the signal that this worker got, or ''.
        stop: the step's scalar of training.trainer.Trainer.train_step. It is read, at the cost of
            waiting for the step, where there are several workers: they stop when all have heard.
    """
    if worker(strategy)[1] == 1:
        return signal
    return (signal or 'another worker') if float(stop) else ''


@contextlib.contextmanager
def loss_named(strategy: tf.distribute.Strategy) -> Iterator[None]:
    """Around training: DistributionError with the way out where TensorFlow misses a worker."""
    try:
        yield
    except (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError,
            tf.errors.DeadlineExceededError, tf.errors.InternalError) as error:
        number, count = worker(strategy)
        if count == 1:
            raise
        raise DistributionError(
            f'worker {number} of {count} cannot reach another one any more '
            f'({type(error).__name__}); start all workers again: they go on from the last '
            'checkpoint') from error


def shared(detect: Callable[[tf.Tensor], Result], strategy: tf.distribute.Strategy,
           model: tf.Module | None = None) -> Callable[[tf.Tensor], Result]:
    """A detector that computes each batch on all replicas -> detect itself where there is one.

    Every worker must be given the same batches, and receives all detections.

    Args:
        detect: images -> named tuple of tensors, one row per image, as detection.detector.Detector.
        strategy: that trains.
        model: what `detect` calls.
    """
    count = strategy.num_replicas_in_sync
    if count == 1:
        return detect

    @tf.function(reduce_retracing=True, autograph=False)
    def of_parts(parts):
        with variable_store(model):
            found = strategy.run(detect, args=(parts,))
        return type(found)(*(strategy.gather(values, axis=0) for values in found))

    def of_batch(images):
        missing = -len(images) % count
        parts = tf.split(tf.pad(images, [[0, missing], [0, 0], [0, 0], [0, 0]]), count)
        found = of_parts(strategy.experimental_distribute_values_from_function(
            lambda context: parts[context.replica_id_in_sync_group]))
        return type(found)(*(values[:len(images)] for values in found))

    return of_batch
