"""The learning rate by step."""
import math
from collections.abc import Sequence

from nets.slim_compat import tf
from utils.command_line import words
from utils.errors import UserError


class Schedule(tf.keras.optimizers.schedules.LearningRateSchedule):
    """Learning rate by global step: linear warm-up, then steps or a cosine.

    Args:
        base: learning rate after the warm-up.
        max_steps: length of the training.
        kind: 'steps' (divided by 10 at each of `drops`) or 'cosine' (half a cosine from base to 0
            at max_steps).
        warmup: number of first steps in which the rate grows linearly.
        drops: steps. Empty: 2/3 and 5/6 of max_steps, as examples/ssd/ssd_pascal.py has 80k and
            100k of 120k.
    """

    def __init__(self, base: float, max_steps: int, kind: str = 'steps', warmup: int = 0,
                 drops: Sequence[int] = ()):
        self.base, self.max_steps, self.kind, self.warmup = base, max_steps, kind, warmup
        self.drops = tuple(drops) or (round(max_steps * 2 / 3), round(max_steps * 5 / 6))

    def __call__(self, step: tf.types.experimental.TensorLike) -> tf.Tensor:
        """The rate of the update that follows `step` others."""
        step = tf.cast(step, tf.float32)
        if self.kind == 'cosine':
            after_warmup = (step - self.warmup) / max(1, self.max_steps - self.warmup)
            rate = self.base * 0.5 * (1 + tf.cos(math.pi * tf.clip_by_value(after_warmup, 0., 1.)))
        else:
            passed = tf.reduce_sum(tf.cast(step >= tf.constant(self.drops, tf.float32), tf.float32))
            rate = self.base * 0.1 ** passed
        return rate * tf.minimum(1., (step + 1) / (self.warmup + 1))

    def get_config(self) -> dict[str, object]:
        """Arguments that make the same schedule again, as Keras asks of every one."""
        return {'base': self.base, 'max_steps': self.max_steps, 'kind': self.kind,
                'warmup': self.warmup, 'drops': self.drops}


def parse_drops(text: str, max_steps: int) -> tuple[int, ...]:
    """The steps of the key learning_rate_drops, such as '80000,100000'; () for ''.

    Raises:
        UserError: they are no growing numbers below max_steps.
    """
    found = words(text)
    steps = tuple(int(word) for word in found if word.isdecimal())
    growing = len(steps) == len(found) and sorted({*steps}) == [*steps]
    if not growing or max(steps, default=0) >= max_steps:
        raise UserError(f"learning_rate_drops: '{text}' is no list of growing steps below "
                        f'max_steps ({max_steps}), such as 80000,100000')
    return steps
