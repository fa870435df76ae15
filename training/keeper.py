"""Which checkpoints of a training are kept: the last ones, and the best one."""
import os
from collections.abc import Mapping

from checkpoints import identity
from checkpoints import io as checkpoint
from training import distribution, state
from training.trainer import Trainer

BEST = 'best'  # subfolder of the best checkpoint
WRITTEN = 'written'  # of model.json: steps of the checkpoints that this training wrote beside it


class Keeper:
    """Writes checkpoints with their description, and removes older ones that it wrote itself.

    Args:
        trainer: whose state is written.
        folder: of the training; the best checkpoint is in its subfolder `best`.
        keep: how many of the last ones stay.
        facts: what their description says.
        measured_on: the held-out records, as `identity.of_records` names them, and the number of
            their images that count; {}: there are none.
    """

    def __init__(self, trainer: Trainer, folder: str, keep: int, facts: dict,
                 measured_on: Mapping | None = None):
        self.trainer, self.folder, self.keep, self.facts = trainer, folder, keep, facts
        self.measured_on = dict(measured_on or {})
        self.best_folder = os.path.join(folder, BEST)
        best = checkpoint.read_description(os.path.join(self.best_folder, checkpoint.NAME))
        self.best = best.get('mean_ap', 0.)
        same = identity.agree(best, self.measured_on, *identity.MEASURED_ON)
        if self.best and measured_on and not same:
            distribution.say(
                trainer.strategy,
                f'{self.best_folder} is the best on other images (of {best.get("records")}); the '
                f'first evaluation on {self.measured_on["records"]} takes its place')
            self.best = 0.
        self.written = set(facts.get(WRITTEN, ()))

    def save(self) -> None:
        """Writes the present state as the last checkpoint; CheckpointError if the disk is full."""
        step = self.trainer.step
        self.written = {step} | self.written & checkpoint.steps_in(self.folder)
        # Before the checkpoint: nothing is written that a killed training would not know again.
        checkpoint.write_description(self.folder, **self.facts | {WRITTEN: sorted(self.written)})
        print(f'saved {state.save(self.trainer, self.folder)}', flush=True)
        for old in sorted(self.written - {step}, reverse=True)[self.keep - 1:]:
            checkpoint.remove(self.folder, old)

    def offer(self, mean_ap: float) -> str | None:
        """Keeps the present state as the best if its mAP is the best so far -> its prefix, or None.

        NaN, the mAP without objects, is never the best.
        """
        if not mean_ap > self.best:
            return None
        step, self.best = self.trainer.step, mean_ap
        # Weights first, then model.json: a crash in between leaves a stale mAP, which the next
        # evaluation overwrites.
        prefix = state.save(self.trainer, self.best_folder)
        checkpoint.write_description(self.best_folder, **self.facts, **self.measured_on,
                                     mean_ap=mean_ap, step=step)
        for old in checkpoint.steps_in(self.best_folder) - {step}:
            checkpoint.remove(self.best_folder, old)
        return prefix
