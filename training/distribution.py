"""Training over several devices or machines, all of it `tf.distribute`'s.

Every replica computes the gradients of its share of a batch. They are summed, not averaged, since
each share is divided by the matched default boxes of the whole batch (training.trainer). So N
replicas take the step that one device would take.
"""
import contextlib
import json
import os
import typing
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from nets.slim_compat import tf, variable_store
from utils.choices import DISTRIBUTIONS
from utils.errors import UserError

Result = typing.TypeVar('Result')
_EXAMPLE = ('{"cluster": {"worker": ["host1:2222", "host2:2222"]}, '
            '"task": {"type": "worker", "index": 0}}')


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
        _check_cluster(os.environ.get('TF_CONFIG', ''))
        return tf.distribute.MultiWorkerMirroredStrategy()
    if kind == 'mirrored':
        devices = tf.config.list_logical_devices('GPU') or tf.config.list_logical_devices('CPU')
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    if kind != 'one':
        raise ValueError(f"unknown distribution '{kind}'; known: {', '.join(DISTRIBUTIONS)}")
    return tf.distribute.get_strategy()


def _check_cluster(text):
    """TF_CONFIG must name the workers, and which of them this process is."""
    try:
        config = json.loads(text)
        workers, task = config['cluster']['worker'], config['task']
        valid = (isinstance(workers, list | dict) and task['type'] == 'worker'
                 and 0 <= int(task['index']) < len(workers))
    except (ValueError, KeyError, TypeError):
        valid = False
    if not valid:
        raise DistributionError("distribution 'multi_worker' needs the environment variable "
                                f'TF_CONFIG, such as {_EXAMPLE}; it is {text!r}')


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


def chief_first(strategy: tf.distribute.Strategy, function: Callable[[], Result]) -> Result:
    """function() on the chief, and when it is done on the other workers -> its result on each.

    For what changes files that all workers see: the others find it done.
    """
    chief = is_chief(strategy)
    result = function() if chief else None
    if worker(strategy)[1] > 1:
        # A reduction returns when every worker has come here.
        tf.function(lambda: strategy.reduce('sum', strategy.run(tf.ones, args=([],)), axis=None),
                    autograph=False)()
    return result if chief else function()


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
