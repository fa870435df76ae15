"""The training step; independent of TFRecords and configurations."""
import typing
from collections.abc import Mapping, Sequence

from nets.loss import divisor, multibox_loss
from nets.slim_compat import tf, variable_store
from nets.spec import BackboneSpec
from preprocessing import normalize
from training.average import Average
from training.loss_scale import LossScale
from training.schedule import Schedule
from utils import processor

# Of each name a tensor, or where several replicas compute, each one's.
Batch = Mapping[str, tf.Tensor | tf.distribute.DistributedValues]
# Of each name a float32 scalar on the device; under 'losses' a dict of them.
Scalars = dict[str, tf.Tensor | dict[str, tf.Tensor]]


class Network(typing.Protocol):
    """What is trained: nets.ssd.SSD, or a model like it."""
    spec: BackboneSpec  # of which the trainer reads `normalization` and `imagenet.scope`
    dtype: tf.DType
    variables: Sequence[tf.Variable]
    learned_variables: Sequence[tf.Variable]

    def __call__(self, images: tf.Tensor, is_training: bool) -> tuple[tf.Tensor, tf.Tensor]:
        """-> logits [B, K, C], offsets [B, K, 4]."""


class Trainer:
    """A model with its optimizer, and the training step. training.state saves and resumes it.

    Args:
        model: built inside `strategy`'s scope.
        schedule: learning rate by step.
        momentum: of SGD, 0..1.
        weight_decay: factor of the L2 penalty on kernels, depth-wise ones excepted (as in slim's
            mobilenet_v1_arg_scope).
        bias_rate, backbone_rate: multiples of the learning rate for biases, and for all of the
            backbone.
        clip: largest global norm of the gradients; 0: no clipping.
        accumulate: number of gradient accumulation steps per batch. Each replica computes its share
            of a batch in so many parts, to save memory. The update is the same, but batch norm
            takes its statistics from the images of one part.
        average: decay of the moving average of all the model's variables; 0: none. Early in
            training the decay is (1 + step) / (10 + step) where that is less, as in
            tf.train.ExponentialMovingAverage.
        negative_ratio, min_negatives: see nets.loss.multibox_loss.
        strategy: of training.distribution; None: the default device.
        xla: XLA compiles the step, as one program; for a strategy of one device. On a CPU such a
            program is several times slower than TensorFlow's own kernels.
    """

    def __init__(self, model: Network, schedule: Schedule, *, momentum: float = 0.9,
                 weight_decay: float = 5e-4, bias_rate: float = 2.0, backbone_rate: float = 1.,
                 clip: float = 0.0,
                 accumulate: int = 1, average: float = 0.0, negative_ratio: float = 3.0,
                 min_negatives: int = 0,
                 strategy: tf.distribute.Strategy | None = None, xla: bool = False):
        processor.use_onednn()  # its weights change; TensorFlow asks at the first convolution
        self.model, self.schedule = model, schedule
        self.weight_decay, self.bias_rate, self.clip = weight_decay, bias_rate, clip
        self.backbone_rate = backbone_rate
        self.accumulate = accumulate
        self.negative_ratio, self.min_negatives = negative_ratio, min_negatives
        self.strategy = strategy or tf.distribute.get_strategy()
        self.variables = model.learned_variables
        with self.strategy.scope():
            self.optimizer = tf.keras.optimizers.legacy.SGD(schedule, momentum=momentum)
            self.optimizer.iterations  # noqa: B018  (creates global_step)
            # The slots, before a checkpoint is restored.
            self.optimizer._create_all_weights(self.variables)
            self.average = Average(model, average, self.optimizer.iterations)
            self.loss_scale = LossScale() if model.dtype == tf.float16 else None
            self.average.start()
        self._step = tf.function(self._distributed_step, autograph=False, jit_compile=xla or None)
        self._sums = tf.function(self._loss_sums, autograph=False, reduce_retracing=True)

    @property
    def step(self) -> int:
        """Steps done."""
        return int(self.optimizer.iterations.numpy())

    # The training step

    def train_step(self, batch: Batch, stop: bool = False) -> Scalars:
        """One update of the variables.

        Args:
            batch: of each replica 'images' uint8 [B, S, S, 3], 'classes' int64 [B, K] and 'offsets'
                float32 [B, K, 4]; other entries are not used.
            stop: this worker was asked to stop.

        Returns:
            'loss': the sum of 'losses', which are the terms of nets.loss.multibox_loss and 'l2';
            'matched': default boxes per image; 'learning_rate'; 'stop': above 0 where some worker
            was asked to stop. To read one is to wait for the step.
        """
        return self._step(_used(batch), tf.constant(float(stop)))

    def _distributed_step(self, batch, stop):
        """The step of all replicas, and the sums of what they return."""
        rate = self.schedule(self.optimizer.iterations)
        with variable_store(self.model):
            results = self.strategy.run(self._replica_step, args=(batch, stop))
        losses, counts = ({name: self.strategy.reduce('SUM', value, axis=None)
                           for name, value in result.items()} for result in results)
        losses['l2'] = self.weight_decay * tf.add_n(
            [tf.nn.l2_loss(v) for v in self.variables if _decays(v)])
        return {'loss': tf.add_n(list(losses.values())), 'losses': losses, 'learning_rate': rate,
                'matched': counts['matched'] / counts['images'], 'stop': counts['stop']}

    def _replica_step(self, batch, stop):
        """Forward, loss, gradients, update -> (losses, counts), which add up over the replicas."""
        replicas = tf.distribute.get_replica_context()
        matched = tf.reduce_sum(tf.minimum(tf.cast(batch['classes'], tf.float32), 1.))
        images = tf.cast(tf.shape(batch['images'])[0], tf.float32)
        # Every share is divided by the divisor of the whole batch, so that losses and gradients
        # add up to those of one device.
        whole = divisor(*replicas.all_reduce('sum', [matched, images]), self.negative_ratio,
                        self.min_negatives)
        losses, gradients = self._accumulated(batch, whole)
        self._update(replicas.all_reduce('sum', gradients))
        return losses, {'matched': matched, 'images': images, 'stop': tf.identity(stop)}

    def _accumulated(self, batch, matched):
        """Gradient accumulation: (losses, gradients) of a batch, computed part by part."""
        if self.accumulate == 1:
            return self._losses_and_gradients(batch, matched)
        # Sliced, because TensorFlow splits integers on the CPU, even those of a GPU.
        parts = {name: tf.reshape(values, [self.accumulate, -1, *values.shape[1:]])
                 for name, values in batch.items()}
        losses, gradients = {}, []
        for number in range(self.accumulate):
            with tf.control_dependencies(gradients):  # one after the other, or no memory is saved
                part = {name: tf.identity(values[number]) for name, values in parts.items()}
                more_losses, more = self._losses_and_gradients(part, matched)
            losses = {name: losses.get(name, 0.) + value for name, value in more_losses.items()}
            gradients = ([old + new for old, new in zip(gradients, more, strict=True)]
                         if gradients else more)
        return losses, gradients

    def _losses_and_gradients(self, batch, matched):
        with tf.GradientTape() as tape:
            images = normalize.normalize(batch['images'], self.model.spec.normalization)
            logits, offsets = self.model(images, True)
            losses = multibox_loss(logits, offsets, batch['classes'], batch['offsets'],
                                   self.negative_ratio, matched, self.min_negatives)
            loss = tf.add_n(list(losses.values()))
            if self.loss_scale:
                loss *= self.loss_scale.scale
        return losses, tape.gradient(loss, self.variables)

    def loss_sums(self, batch: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Sums over a batch that nothing learns from, by one device: each term and 'matched'.

        Args:
            batch: 'images', 'classes' and 'offsets' as in `train_step`.
        """
        return self._sums(_used(batch))

    def _loss_sums(self, batch):
        images = normalize.normalize(batch['images'], self.model.spec.normalization)
        with variable_store(self.model):
            logits, offsets = self.model(images, False)
        return multibox_loss(logits, offsets, batch['classes'], batch['offsets'],
                             self.negative_ratio, 1., self.min_negatives) | {
            'matched': tf.math.count_nonzero(batch['classes'], dtype=tf.float32)}

    def _update(self, gradients):
        """SGD with the gradients of the whole batch, then the moving average."""
        if self.loss_scale:
            gradients = self.loss_scale.unscaled(gradients)
        gradients = [gradient + self.weight_decay * v if _decays(v) else gradient
                     for gradient, v in zip(gradients, self.variables, strict=True)]
        if self.clip:
            gradients, _ = tf.clip_by_global_norm(gradients, self.clip)
        gradients = [gradient * self._rate(v)
                     for gradient, v in zip(gradients, self.variables, strict=True)]
        self.optimizer.apply_gradients(zip(gradients, self.variables, strict=True),
                                       experimental_aggregate_gradients=False)
        self.average.update()

    def _rate(self, variable):
        """Multiple of the learning rate."""
        rate = self.bias_rate if variable.name.endswith('/biases:0') else 1.
        of_backbone = variable.name.startswith(self.model.spec.imagenet.scope + '/')
        return rate * (self.backbone_rate if of_backbone else 1.)


def _used(batch):
    return {name: batch[name] for name in ('images', 'classes', 'offsets')}


def _decays(variable):
    """Whether the L2 penalty applies: to kernels, whose depth-wise kind has another name."""
    return variable.name.endswith('/weights:0')
