"""Schedule, optimizer, training step and training loop. The loop knows nothing of files of records or of configurations."""
import contextlib
import dataclasses
import math
import time
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from checkpoints import io as checkpoint
from nets import loss
from nets.slim_compat import tf, variable_store
from training import distribution
from utils.errors import CheckpointError, UserError
from utils.progress import duration
from utils.signals import StopRequest

# Of each name a tensor, or where several replicas compute, each one's.
Batch = Mapping[str, tf.Tensor | tf.distribute.DistributedValues]

# float16 loses gradients below 6e-8, so they are computed at a multiple: the first one, and the number of steps without an
# overflow after which it doubles. An overflow halves it and costs one step's gradients (Micikevicius et al., arXiv 1710.03740).
_LOSS_SCALE, _LOSS_SCALE_STEPS = 2. ** 15, 2000


# The parts of the loss, and their sum.
_LOSSES = ('confidence', 'localization', 'l2', 'loss')


class Schedule(tf.keras.optimizers.schedules.LearningRateSchedule):
    """Learning rate by global step: linear warm-up, then steps or a cosine.

    base: learning rate after the warm-up.  kind: 'steps' (divided by 10 at 2/3 and 5/6 of max_steps, as
    examples/ssd/ssd_pascal.py does at 80k and 100k of 120k) or 'cosine' (half a cosine from base to 0 at max_steps).
    """

    def __init__(self, base: float, max_steps: int, kind: str = 'steps', warmup: int = 0):
        self.base, self.max_steps, self.kind, self.warmup = base, max_steps, kind, warmup

    def __call__(self, step: tf.types.experimental.TensorLike) -> tf.Tensor:
        """The rate of the update that follows `step` others."""
        step = tf.cast(step, tf.float32)
        if self.kind == 'cosine':
            progress = tf.clip_by_value((step - self.warmup) / max(1, self.max_steps - self.warmup), 0., 1.)
            rate = self.base * 0.5 * (1 + tf.cos(math.pi * progress))
        else:
            drops = tf.cast(step >= round(self.max_steps * 2 / 3), tf.float32) \
                + tf.cast(step >= round(self.max_steps * 5 / 6), tf.float32)
            rate = self.base * 0.1 ** drops
        return rate * tf.minimum(1., (step + 1) / (self.warmup + 1))

    def get_config(self) -> dict[str, float | str]:
        """Arguments that make the same schedule again, as Keras asks of every one."""
        return {'base': self.base, 'max_steps': self.max_steps, 'kind': self.kind, 'warmup': self.warmup}


def decayed(name: str) -> bool:
    """Whether the L2 penalty applies: kernels only, and no depth-wise ones (slim's mobilenet_v1_arg_scope)."""
    return name.split('/')[-1] == 'weights'


class NotFinite(UserError, ArithmeticError):
    """The loss is NaN or infinite. step: of the training.  ids: of the step's images."""

    def __init__(self, step: int, ids: Sequence[str], losses: Mapping[str, float]):
        text = ', '.join(f'{name} {value:g}' for name, value in losses.items())
        super().__init__(f'the loss is not finite at step {step} ({text}); images: {", ".join(ids)}')
        self.step, self.ids = step, ids


class Network(typing.Protocol):
    """What is trained: nets.ssd.SSD, or a model like it."""
    dtype: tf.DType
    variables: Sequence[tf.Variable]
    learned_variables: Sequence[tf.Variable]

    def __call__(self, images: tf.Tensor, is_training: bool) -> tuple[tf.Tensor, tf.Tensor]:
        """-> logits [B, K, C], offsets [B, K, 4]."""


class Trainer:
    """A model with its optimizer: one training step, saving and restoring.

    Args:
        model: built inside `strategy`'s scope.
        normalize: uint8 images [B, S, S, 3] -> the model's pixel convention.
        weight_decay: of the L2 penalty, on `decayed` variables.
        bias_rate: multiple of the learning rate for biases.
        clip: largest global norm of the gradients, 0: none.
        accumulate: turns in which a replica computes its share of a batch, one after the other, to save memory. Only batch norm
            sees the difference: it takes its statistics from one turn's images.
        average: decay of the moving average of all the model's variables, 0: none. Early on it is (1 + step) / (10 + step)
            where that is less, as in tf.train.ExponentialMovingAverage.
        negative_ratio: see nets.loss.multibox_loss.
        strategy: of training.distribution; None: the default device.
    """

    def __init__(self, model: Network, schedule: Schedule, normalize: Callable[[tf.Tensor], tf.Tensor], *,
                 momentum: float = 0.9, weight_decay: float = 5e-4, bias_rate: float = 2.0, clip: float = 0.0,
                 accumulate: int = 1, average: float = 0.0, negative_ratio: float = 3.0,
                 strategy: tf.distribute.Strategy | None = None):
        self.model, self.normalize = model, normalize
        self.weight_decay, self.bias_rate, self.clip, self.negative_ratio = weight_decay, bias_rate, clip, negative_ratio
        self.accumulate = accumulate
        self.strategy = strategy or tf.distribute.get_strategy()
        self.variables = model.learned_variables
        self.schedule = schedule
        with self.strategy.scope():
            self.optimizer = tf.keras.optimizers.legacy.SGD(schedule, momentum=momentum)
            self.optimizer.iterations  # noqa: B018  (creates global_step)
            self.optimizer._create_all_weights(self.variables)  # the slots, before a checkpoint is restored
            self._average = average and tf.train.ExponentialMovingAverage(average, num_updates=self.optimizer.iterations)
            self.start_average()
            self._loss_scale = _LossScale() if model.dtype == tf.float16 else None
        # Of the first step whose loss was not finite: its number and losses; the number is 0 where there was none.
        self._not_finite = tf.zeros([1 + len(_LOSSES)])
        self._step = tf.function(self._distributed_step, autograph=False)

    @property
    def step(self) -> int:
        """Steps done."""
        return int(self.optimizer.iterations.numpy())

    def start_average(self) -> None:
        """The average begins with the model's present values."""
        if self._average:
            self._average.apply(self.model.variables)
            for variable in self.model.variables:
                self._average.average(variable).assign(variable)

    @contextlib.contextmanager
    def averaged(self) -> Iterator[None]:
        """Inside, the model holds its averages (where there are any), to be evaluated."""
        present = [tf.identity(variable) for variable in self.model.variables] if self._average else []
        for variable, _ in zip(self.model.variables, present, strict=False):
            variable.assign(self._average.average(variable))
        try:
            yield
        finally:
            for variable, value in zip(self.model.variables, present, strict=False):
                variable.assign(value)

    def train_step(self, batch: Batch, stop: bool = False) -> dict[str, tf.Tensor]:
        """One update. batch: dict of 'images' uint8 [B, S, S, 3], 'classes' int32 [B, K], 'offsets' float32 [B, K, 4], of
        each replica.  stop: this worker was asked to stop.

        -> scalars: confidence, localization, l2, loss, matched (default boxes per image), learning_rate, stop (above 0: some
        worker was asked to). They stay on the device: to read one is to wait for the step.
        """
        scalars, self._not_finite = self._step(batch, tf.constant(float(stop)), self._not_finite)
        return scalars

    def first_not_finite(self) -> tuple[int, dict[str, float]]:
        """-> (the first step done here whose loss was not finite, its losses); (0, ...) where there is none."""
        step, *losses = self._not_finite.numpy().tolist()
        return int(step), dict(zip(_LOSSES, losses, strict=True))

    def _distributed_step(self, batch, stop, not_finite):
        rate = self.schedule(self.optimizer.iterations)
        with variable_store(self.model):
            sums = self.strategy.run(self._replica_step, args=(batch, stop))
        sums = {name: self.strategy.reduce(tf.distribute.ReduceOp.SUM, value, axis=None) for name, value in sums.items()}
        sums['l2'] = self._l2()
        scalars = self._normalised(sums)
        now = tf.stack([tf.cast(self.optimizer.iterations, tf.float32), *(scalars[name] for name in _LOSSES)])
        not_finite = tf.where((not_finite[0] > 0) | tf.math.is_finite(scalars['loss']), not_finite, now)
        return scalars | {'learning_rate': rate}, not_finite

    def _normalised(self, sums):
        count = tf.maximum(sums['matched'], 1.)
        confidence, localization = sums['confidence'] / count, sums['localization'] / count
        return {'confidence': confidence, 'localization': localization, 'l2': sums['l2'],
                'loss': confidence + localization + sums['l2'], 'matched': sums['matched'] / sums['images'], 'stop': sums['stop']}

    def _replica_step(self, batch, stop):
        """What one replica does of a step -> its sums of losses, matched boxes and images."""
        replicas = tf.distribute.get_replica_context()
        matched = tf.reduce_sum(tf.cast(batch['classes'] > 0, tf.float32))
        count = tf.maximum(replicas.all_reduce('sum', matched), 1.)  # of all devices: the loss is that of the whole batch
        gradients, sums = [], {}
        for turn in _turns(batch, self.accumulate):
            with tf.control_dependencies(gradients):  # one after the other, or no memory would be saved
                more, of_turn = self._gradients(tf.nest.map_structure(tf.identity, turn), count)
            gradients = [old + new for old, new in zip(gradients, more, strict=True)] if gradients else more
            sums = {name: sums.get(name, 0.) + value for name, value in of_turn.items()}
        gradients = self._prepared(replicas.all_reduce('sum', gradients))
        self.optimizer.apply_gradients(zip(gradients, self.variables, strict=True), experimental_aggregate_gradients=False)
        if self._average:
            self._average.apply(self.model.variables)
        return sums | {'matched': matched, 'stop': tf.identity(stop), 'images': tf.cast(tf.shape(batch['images'])[0], tf.float32)}

    def _gradients(self, batch, count):
        """Gradients of the losses of some images, divided by `count` matched boxes -> (gradients, {name: sum})."""
        with tf.GradientTape() as tape:
            logits, offsets = self.model(self.normalize(batch['images']), True)
            sums = loss.multibox_sums(logits, offsets, batch['classes'], batch['offsets'], self.negative_ratio)
            scaled = (sums.confidence + sums.localization) / count
            scaled = scaled * self._loss_scale.scale if self._loss_scale else scaled
        return tape.gradient(scaled, self.variables), {'confidence': sums.confidence, 'localization': sums.localization}

    def _l2(self):
        kernels = [v for v in self.variables if decayed(checkpoint.variable_name(v))]
        return self.weight_decay * tf.add_n([tf.nn.l2_loss(v) for v in kernels])

    def _prepared(self, gradients):
        """Gradients of the whole batch: unscaled, with the L2 penalty's, clipped, those of biases sped up."""
        if self._loss_scale:
            gradients = self._loss_scale.unscaled(gradients)
        gradients = [gradient + self.weight_decay * variable if decayed(checkpoint.variable_name(variable)) else gradient
                     for gradient, variable in zip(gradients, self.variables, strict=True)]
        if self.clip:
            gradients, _ = tf.clip_by_global_norm(gradients, self.clip)
        return [gradient * self.bias_rate if variable.name.endswith('/biases:0') else gradient
                for gradient, variable in zip(gradients, self.variables, strict=True)]

    def tensors(self) -> dict[str, tf.Variable]:
        """{name: variable} of all that a checkpoint holds: model, slots ('<name>/Momentum'), averages
        ('<name>/ExponentialMovingAverage'), 'global_step'."""
        tensors = {checkpoint.variable_name(v): v for v in self.model.variables}
        if 'momentum' in self.optimizer.get_slot_names():
            tensors |= {checkpoint.variable_name(v) + checkpoint.MOMENTUM: self.optimizer.get_slot(v, 'momentum')
                        for v in self.variables}
        if self._average:
            tensors |= {checkpoint.variable_name(v) + checkpoint.AVERAGE: self._average.average(v) for v in self.model.variables}
        scale = self._loss_scale.tensors() if self._loss_scale else {}
        return tensors | scale | {'global_step': self.optimizer.iterations}

    def save(self, folder: checkpoint.Path, keep: int = 0) -> str:
        """Writes folder/model.ckpt-<step>; see checkpoints.io.save."""
        return checkpoint.save(folder, self.step, self.tensors(), keep)

    def resume(self, prefix: str) -> None:
        """Takes model, slots and step from one of its own checkpoints. CheckpointError where one is missing."""
        reader = checkpoint.read(prefix)
        shapes = reader.get_variable_to_shape_map()
        for name, variable in self.tensors().items():
            if name in _LossScale.NAMES and name not in shapes:  # the training was begun in another precision
                continue
            if list(variable.shape) != shapes.get(name):
                raise CheckpointError(
                    f'{prefix} is no state of this training: {name} is {shapes.get(name, "missing")}, '
                    f'wanted {list(variable.shape)}; set another output folder, or --restart=True')
            variable.assign(checkpoint.tensor(reader, prefix, name))


class _LossScale:
    """The multiple at which float16 gradients are computed, and how many steps it has held."""
    NAMES = ('loss_scale', 'loss_scale_steps')

    def __init__(self):
        self.scale, self.held = (
            tf.Variable(value, trainable=False, name=name, aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA)
            for name, value in zip(self.NAMES, (_LOSS_SCALE, 0.), strict=True))

    def tensors(self):
        return dict(zip(self.NAMES, (self.scale, self.held), strict=True))

    def unscaled(self, gradients):
        """Gradients at their true size, zeros in place of overflowed ones; then the scale is set for the next step."""
        gradients = [gradient / self.scale for gradient in gradients]
        finite = tf.math.is_finite(tf.linalg.global_norm(gradients))
        gradients = [tf.where(finite, gradient, 0.) for gradient in gradients]
        held = tf.where(finite, self.held + 1, 0.)
        full = held >= _LOSS_SCALE_STEPS
        with tf.control_dependencies(gradients):
            self.scale.assign(tf.where(finite, tf.where(full, self.scale * 2, self.scale), tf.maximum(self.scale / 2, 1.)))
            self.held.assign(tf.where(full, 0., held))
        return gradients


def _turns(batch, count):
    """A batch cut into `count` equal parts."""
    if count == 1:
        return [batch]
    parts = {name: tf.split(values, count) for name, values in batch.items()}
    return [{name: values[turn] for name, values in parts.items()} for turn in range(count)]


@dataclasses.dataclass
class Progress:
    """Images per second, and the time that is left."""
    max_steps: int
    batch_size: int
    first_step: int = 0

    def __post_init__(self):
        self._marks = [(time.monotonic(), self.first_step)]

    def mark(self, step: int) -> tuple[float, str]:
        """-> (images/s since the previous mark, time left as text from the last ten marks)."""
        now = time.monotonic()
        then, before = self._marks[-1]
        self._marks = (self._marks + [(now, step)])[-10:]
        oldest, first = self._marks[0]
        pace = (now - oldest) / max(1, step - first)
        return (step - before) * self.batch_size / max(1e-9, now - then), duration((self.max_steps - step) * pace)


def train(trainer: Trainer, batches: Iterable[Batch], max_steps: int, *, log_every: int, save_every: int,
          save: Callable[[], None], report: Callable[[int, dict[str, float], Batch], None],
          evaluate: Callable[[], None] | None = None, eval_every: int = 0) -> str:
    """Trains to max_steps, or until a signal asks to stop; returns '' or that signal's name.

    Args:
        batches: endless iterable of batches, from the trainer's step on; see Trainer.train_step, and 'ids' uint8 [B, N], text
            and then zeros.
        save: () -> None, writes a checkpoint.  report: (step, scalars, batch) -> None, every log_every steps.
        evaluate: () -> None, every eval_every steps and at the end.

    Raises:
        NotFinite: names the step and the images. The last checkpoint is from before.
    """
    step, stopped = trainer.step, ''
    alone = distribution.worker(trainer.strategy)[1] == 1
    ids = {}  # of the images of the steps whose losses have not been looked at
    with StopRequest() as stop:
        batches = iter(batches)
        while step < max_steps and not stopped:
            batch = next(batches)
            scalars = trainer.train_step({name: batch[name] for name in ('images', 'classes', 'offsets')}, bool(stop.name))
            step += 1
            ids[step] = batch['ids']
            # Workers end after the same step: the one after which all have heard of a signal.
            if stop.name if alone else float(scalars['stop']):
                stopped = stop.name or 'another worker'
            last = step == max_steps or bool(stopped)
            log, keep, measure = (last or step % every == 0 for every in (log_every, save_every, eval_every or max_steps))
            if log or keep or measure:  # a GPU need not wait for Python at the other steps
                _refuse_not_finite(trainer, ids)
            if log:
                report(step, {name: float(value) for name, value in scalars.items() if name != 'stop'}, batch)
            if keep:
                save()
            if evaluate and eval_every and measure and not stopped:
                evaluate()
        return stopped


def _refuse_not_finite(trainer, ids):
    """NotFinite where the loss of one of the steps in ids was none; forgets them otherwise. ids: {step: batch['ids']}."""
    step, losses = trainer.first_not_finite()
    if step:
        raise NotFinite(step, _image_ids(trainer.strategy, {'ids': ids[step]}), losses)
    ids.clear()


def _image_ids(strategy, batch):
    """Of the images of this machine's replicas."""
    ids = distribution.on_this_machine(strategy, {'ids': batch['ids']})['ids']
    return [bytes(row).rstrip(b'\0').decode(errors='replace') for row in ids]
