"""Which checkpoints of a training are kept: the last ones, and the best one."""
import os

from checkpoints import io as checkpoint
from training.trainer import Trainer


class Keeper:
    """Writes checkpoints with their description.

    Args:
        trainer: whose state is written.
        folder: of the training; the best checkpoint is in its subfolder `best`.
        keep: how many of the last ones stay.
        facts: what their description says.
    """

    def __init__(self, trainer: Trainer, folder: str, keep: int, facts: dict):
        self.trainer, self.folder, self.keep, self.facts = trainer, folder, keep, facts
        self.best_folder = os.path.join(folder, 'best')
        best = checkpoint.read_description(os.path.join(self.best_folder, checkpoint.NAME))
        self.best = best.get('mean_ap', 0.)

    def save(self) -> None:
        """Writes the present state as the last checkpoint; CheckpointError if the disk is full."""
        checkpoint.write_description(self.folder, **self.facts)
        print(f'saved {self.trainer.save(self.folder, self.keep)}', flush=True)

    def offer(self, mean_ap: float) -> str | None:
        """Keeps the present state as the best if its mAP is the best so far -> its prefix, or None.

        NaN, the mAP without objects, is never the best.
        """
        if not mean_ap > self.best:
            return None
        self.best = mean_ap
        # Weights first, then model.json: a crash in between leaves a stale mAP, which the next
        # evaluation overwrites.
        prefix = self.trainer.save(self.best_folder, keep=1)
        checkpoint.write_description(self.best_folder, **self.facts, mean_ap=mean_ap,
                                     step=self.trainer.step)
        return prefix
