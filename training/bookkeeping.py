"""What follows each step of a training: log, save, evaluate, and the line at the end."""
import time
from collections.abc import Callable, Mapping, Sequence

from checkpoints import identity
from training import distribution
from training.finite import check_finite
from training.held_out import HeldOut, waited_enough
from training.keeper import Keeper
from training.log import Log, earlier_scores
from training.starting_point import Start
from training.trainer import Trainer


class Bookkeeping:
    """Logs, saves and evaluates a training when it is time. Only the chief writes.

    Args:
        trainer: of the training.
        start: what it began with.
        folder: its output.
        every: steps between two lines ('log'), checkpoints ('save') and evaluations ('evaluate').
        keep: number of the last checkpoints that stay.
        held_out: what is evaluated; None: nothing.
        detect: images -> detections, of the trainer's model.
        settings: of the detections, for evaluations.jsonl.
        patience: evaluations without a better mAP that end the training; 0: none does.
        batch_size: images of a step.
    """

    def __init__(self, trainer: Trainer, start: Start, folder: str, *, every: Mapping[str, int],
                 keep: int, held_out: HeldOut | None, detect: Callable, settings: Mapping,
                 patience: int, batch_size: int):
        self.trainer, self.strategy, self.folder = trainer, trainer.strategy, folder
        self.first, self.most = start.step, trainer.schedule.max_steps
        self.every, self.held_out, self.detect = every, held_out, detect
        self.patience, self.batch_size = patience, batch_size
        self.log: Log | None = None
        measured_on = held_out.about() if held_out else {}
        self._about = {identity.RUN: start.facts[identity.RUN]} | measured_on | dict(settings)
        self._keeper = Keeper(trainer, folder, keep, start.facts, measured_on)
        self._scores = earlier_scores(folder, start.step, self._about) if held_out else []
        self._unchecked: list[tuple] = []  # steps nobody has looked at
        self._start, self._stopped = start, ''

    def begin(self, settings: tuple[Mapping, Mapping], report: str,
              classes: Sequence[str]) -> None:
        """Opens the log, on the chief.

        Args:
            settings: keys, and facts of the call; see training.log.Log.settings.
            report: of the restored variables, or ''.
            classes: names, without background.
        """
        keys, facts = settings
        if distribution.is_chief(self.strategy):  # the other workers compute, and write nothing
            self.log = Log(self.folder, self.first, max_steps=self.most, batch_size=self.batch_size,
                           classes=classes, strategy=self.strategy)
            self.log.settings(keys, self._start.resumed, **facts, first_step=self.first,
                              started_from=self._start.origin or 'nothing')
            self.log.restored(report)
        self._begun = time.monotonic()

    @property
    def waited_enough(self) -> bool:
        """Whether the evaluations so far end the training."""
        return waited_enough(self._scores, self.patience)

    def after(self, step: int, scalars: Mapping, batch: Mapping, stopped: str) -> None:
        """Does what is due after a step.

        Args:
            step: that was done.
            scalars: of it.
            batch: of it.
            stopped: why the training stops now, or ''.
        """
        self._stopped = stopped
        self._unchecked.append((step, scalars, batch['ids']))
        if step == self.first + 1 and self.log:
            float(scalars['loss'])  # waits for the step
            self.log.first_step_done(time.monotonic() - self._begun)
        due = {what for what, every in self.every.items()
               if stopped or step in (self.most, step // every * every)}
        if self.held_out is None or stopped:
            due.discard('evaluate')
        if due:  # other steps need not wait for the device
            check_finite(self._unchecked, self.strategy)
            self._unchecked.clear()
        if 'log' in due and self.log:
            self.log.step(step, scalars, batch)
        if due & {'save', 'evaluate'} and self.log:  # an evaluation that fails costs no step
            self._keeper.save()
        if 'evaluate' in due:
            self._evaluate(step)

    def _evaluate(self, step):
        found = self.held_out.evaluate(self.trainer, self.detect)
        if found:
            self._scores.append(found.result.mean_ap)
            if self.log:
                self.log.evaluation(step, found, self._keeper.offer(found.result.mean_ap),
                                    **self._about)

    def end(self) -> int:
        """Draws the curves and says how the training ended; returns the exit code."""
        if self.log:
            self.log.curves()
        distribution.say(self.strategy, self._ending())
        return 130 if self._stopped else 0

    def _ending(self):
        step = self.trainer.step
        if self._stopped:
            return (f'stopped by {self._stopped} at step {step}, saved in {self.folder}; the same '
                    'command goes on from there')
        if self.waited_enough:
            return (f'finished at step {step}: the last {self.patience} evaluations brought no '
                    f'better mAP (--patience); the best, {max(self._scores):.4f}, is in '
                    f'{self._keeper.best_folder}')
        if self.first >= self.most:
            return (f'nothing done: {self.folder} is at step {step} already; raise --max_steps or '
                    '--epochs to go on')
        return f'finished at step {step}; checkpoints are in {self.folder}'
