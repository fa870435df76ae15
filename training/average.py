"""The moving average of a model's variables, which evaluation takes in their place."""
import contextlib
from collections.abc import Iterator

from nets.slim_compat import tf


class Average:
    """A tf.train.ExponentialMovingAverage of all variables of a model, or nothing.

    Args:
        model: with `variables`.
        decay: see training.trainer.Trainer; 0: there is no average.
        steps: variable that counts the steps.
    """

    def __init__(self, model: tf.Module, decay: float, steps: tf.Variable):
        self.variables = model.variables if decay else []
        self._average = tf.train.ExponentialMovingAverage(decay, num_updates=steps)
        self._strategy = tf.distribute.get_strategy()

    def of(self, variable: tf.Variable) -> tf.Variable:
        """The average of one of `variables`."""
        return self._average.average(variable)

    def start(self) -> None:
        """The average begins with the model's present values."""
        if self.variables:
            with self._strategy.scope():
                self._average.apply(self.variables)
                for variable in self.variables:
                    self.of(variable).assign(variable)

    def update(self) -> None:
        """A step is done."""
        if self.variables:
            self._average.apply(self.variables)

    @contextlib.contextmanager
    def taken(self) -> Iterator[None]:
        """Inside, the model holds its averages (where there are any), to be evaluated."""
        present = [tf.identity(variable) for variable in self.variables]
        for variable in self.variables:
            variable.assign(self.of(variable))
        try:
            yield
        finally:
            for variable, value in zip(self.variables, present, strict=True):
                variable.assign(value)
