"""Losses that are not finite: found without waiting for every step."""
from collections.abc import Mapping, Sequence

from nets.slim_compat import tf
from training import distribution
from training.trainer import Scalars
from utils.errors import UserError


class NotFinite(UserError, ArithmeticError):
    """The loss is NaN or infinite.

    Args:
        step: of the training.
        ids: of the step's images.
        losses: by name.
    """

    def __init__(self, step: int, ids: Sequence[str], losses: Mapping[str, float]):
        text = ', '.join(f'{name} {value:g}' for name, value in losses.items())
        super().__init__(f'the loss is not finite at step {step} ({text}); '
                         f'images: {", ".join(ids)}')
        self.step, self.ids = step, ids


def check_finite(steps: Sequence[tuple[int, Scalars, tf.Tensor]],
                 strategy: tf.distribute.Strategy) -> None:
    """Raises NotFinite for the first of some steps whose loss is not finite.

    Args:
        steps: of each its number, its scalars, and its batch's 'ids' (uint8 [B, N], text and then
            zeros). The device decides; the host reads one value per step.
        strategy: that the batches are of.
    """
    finite = tf.math.is_finite(tf.stack([scalars['loss'] for _, scalars, _ in steps])).numpy()
    if not finite.all():
        number, scalars, ids = steps[finite.argmin()]
        ids = distribution.on_this_machine(strategy, {'ids': ids})['ids']
        losses = scalars['losses'] | {'loss': scalars['loss']}
        raise NotFinite(number, [bytes(row).rstrip(b'\0').decode(errors='replace') for row in ids],
                        {name: float(value) for name, value in losses.items()})
