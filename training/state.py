"""The whole state of a training, as its checkpoints hold it."""
from checkpoints import io as checkpoint
from nets.slim_compat import tf
from training.loss_scale import LossScale
from training.trainer import Trainer
from utils.errors import CheckpointError


def tensors(trainer: Trainer) -> dict[str, tf.Variable]:
    """{name: variable} of all that a checkpoint holds.

    The model's, slots ('<name>/Momentum'), averages ('<name>/ExponentialMovingAverage'), the loss
    scale of float16, and 'global_step'.
    """
    named = {checkpoint.variable_name(v): v for v in trainer.model.variables}
    found = named | {'global_step': trainer.optimizer.iterations}
    if 'momentum' in trainer.optimizer.get_slot_names():
        found |= {checkpoint.variable_name(v) + checkpoint.MOMENTUM:
                  trainer.optimizer.get_slot(v, 'momentum') for v in trainer.variables}
    found |= {checkpoint.variable_name(v) + checkpoint.AVERAGE: trainer.average.of(v)
              for v in trainer.average.variables}
    return found | (trainer.loss_scale.tensors() if trainer.loss_scale else {})


def save(trainer: Trainer, folder: checkpoint.Path) -> str:
    """Writes folder/model.ckpt-<step>; see checkpoints.io.save."""
    return checkpoint.save(folder, trainer.step, tensors(trainer))


def resume(trainer: Trainer, prefix: str) -> None:
    """Takes all from one of its own checkpoints; CheckpointError where some is missing."""
    reader = checkpoint.read(prefix)
    shapes = reader.get_variable_to_shape_map()
    for name, variable in tensors(trainer).items():
        if name in LossScale.NAMES and name not in shapes:
            continue  # the training was begun in another precision
        if list(variable.shape) != shapes.get(name):
            raise CheckpointError(
                f'{prefix} is no state of this training: {name} is '
                f'{shapes.get(name, "missing")}, wanted {list(variable.shape)}; set another '
                'output folder, or --restart=True')
        variable.assign(checkpoint.tensor(reader, prefix, name))
