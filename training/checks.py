"""What is refused or said before the first step."""
import fnmatch
from collections.abc import Sequence

from checkpoints import io as checkpoint
from nets.slim_compat import has_gpu
from nets.ssd import SSD
from training import distribution
from training.trainer import Trainer
from utils import processor
from utils.errors import UserError


def check_frozen(patterns: Sequence[str], model: SSD) -> None:
    """Raises UserError for a pattern of frozen layers that fits no variable of the backbone."""
    scope = model.spec.imagenet.scope + '/'
    names = [v.name[len(scope):] for v in model.trainable_variables if v.name.startswith(scope)]
    for pattern in patterns:
        if not fnmatch.filter(names, pattern):
            layers = dict.fromkeys(name.split('/')[0] for name in names)
            raise UserError(f"frozen_layers: '{pattern}' fits no variable of {model.spec.name}; "
                            f'its layers are {", ".join(layers)} (write LAYER/*)')


def summary(trainer: Trainer, share: int, xla: bool) -> str:
    """Lines on what is trained, by what, and on what makes it slow.

    Args:
        trainer: of the training.
        share: images per device.
        xla: XLA compiles the step.
    """
    model, spec = trainer.model, trainer.model.spec
    lines = [f'ssd_{spec.name}: {checkpoint.parameters(model.variables):,} parameters, '
             f'{checkpoint.parameters(trainer.variables):,} learn; {spec.num_default_boxes} '
             f'default boxes; {distribution.devices(trainer.strategy)}, {share} images each']
    if not has_gpu() and processor.lacks(model.dtype.name):
        lines.append(f'this processor has no {model.dtype.name} of its own: training with '
                     '--precision=float32 is several times as fast')
    if xla:
        lines.append('XLA compiles the first step, which may take minutes')
    return '\n'.join(lines)
