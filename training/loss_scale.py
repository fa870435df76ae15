"""Loss scaling: float16 loses gradients below 6e-8, so they are computed at a multiple.

The multiple doubles after STEPS steps without an overflow. An overflow halves it and costs one
step's gradients (Micikevicius et al., arXiv 1710.03740).
"""
from nets.slim_compat import tf


class LossScale:
    """The multiple (`scale`), and for how many steps it has held (`held`)."""
    FIRST, STEPS = 2. ** 15, 2000
    NAMES = ('loss_scale', 'loss_scale_steps')

    def __init__(self):
        self.scale, self.held = (
            tf.Variable(value, trainable=False, name=name,
                        aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA)
            for name, value in zip(self.NAMES, (self.FIRST, 0.), strict=True))

    def tensors(self) -> dict[str, tf.Variable]:
        """What a checkpoint holds of it, by name."""
        return dict(zip(self.NAMES, (self.scale, self.held), strict=True))

    def unscaled(self, gradients: list[tf.Tensor]) -> list[tf.Tensor]:
        """Gradients at their true size, zeros where they overflowed; sets the next step's scale."""
        gradients = [gradient / self.scale for gradient in gradients]
        finite = tf.math.is_finite(tf.linalg.global_norm(gradients))
        gradients = [tf.where(finite, gradient, 0.) for gradient in gradients]
        held = tf.where(finite, self.held + 1, 0.)
        full = held >= self.STEPS
        with tf.control_dependencies(gradients):
            grown = tf.where(full, self.scale * 2, self.scale)
            self.scale.assign(tf.where(finite, grown, tf.maximum(self.scale / 2, 1.)))
            self.held.assign(tf.where(full, 0., held))
        return gradients
