"""The course of a training: scalars, pictures and settings for TensorBoard, and the scalars again as lines of JSON.

What cannot be written, as on a full disk, is told in one line, and the training goes on; once there is room, the log does too.
"""
import contextlib
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from checkpoints import io as checkpoint
from detection import drawing, objects
from evaluation import collect
from evaluation import voc as voc_eval
from nets.slim_compat import tf
from training import distribution
from training.trainer import Progress, Trainer

EVENTS, SCALARS, CURVES = 'logs', 'scalars.jsonl', 'training_curves.png'
# What a training's folder holds of its course.
NAMES = (EVENTS, SCALARS, CURVES)
# Scalars of a training that are drawn, and what they are called there.
_CURVES = {'loss': 'loss, L2 penalty included', 'confidence': 'confidence loss', 'localization': 'localization loss',
           'learning_rate': 'learning rate', 'mean_ap': 'mAP on held-out images'}


class TrainingLog:
    """Writes <folder>/logs and <folder>/scalars.jsonl; one process does.

    step: that the training goes on from. What is logged of later steps is dropped, as these steps are done again.
    tell: receives the line about a file that cannot be written.
    """

    def __init__(self, folder: str, step: int, tell: Callable[[str], None] = print):
        self.folder, self.step, self._tell = folder, step, tell
        self._events = _Events(os.path.join(folder, EVENTS), step)
        self._file = _Lines(os.path.join(folder, SCALARS), step)
        self._failing = set()

    @property
    def rows(self) -> list[dict]:
        """All scalars so far, those of earlier runs of this training included: {'step': int, name: float, ...}."""
        return self._file.rows

    def scalars(self, step: int, values: Mapping[str, float | np.floating]) -> None:
        """Logs numbers of a step; those that are not finite are left out."""
        values = {name: float(value) for name, value in values.items() if math.isfinite(value)}
        with self.guarded(self._file.path):
            self._file.add({'step': step} | {name: float(f'{value:.6g}') for name, value in values.items()})
        self._show(step, lambda: [tf.summary.scalar(name, value) for name, value in values.items()])

    def images(self, step: int, name: str, images: np.ndarray) -> None:
        """Shows uint8 images [B, H, W, 3] in TensorBoard."""
        self._show(step, lambda: tf.summary.image(name, images, max_outputs=len(images)))

    def settings(self, values: Mapping[str, object], compared: Mapping[str, object]) -> None:
        """Shows the settings of a run as a table of text, and those of `compared` beside other runs' (TensorBoard's HPARAMS)."""
        from tensorboard.plugins.hparams import api  # it chooses a Keras, which slim_compat must do first
        self._show(self.step, lambda: (tf.summary.text('configuration', table(values)), api.hparams(compared)))

    def _show(self, step, write):
        if {self._events.folder, self._file.path} <= self._failing:  # each attempt on a full disk would leave an empty file
            return
        with self.guarded(self._events.folder):
            self._events.write(step, write)

    @contextlib.contextmanager
    def guarded(self, path: str) -> Iterator[None]:
        """Around the writing of a file: an error of the disk is told, once until it works again, and is no error."""
        try:
            yield
            self._failing.discard(path)
        except (OSError, tf.errors.OpError) as error:
            if path not in self._failing:
                disk = path if os.path.isdir(path) else self.folder
                self._tell(f'cannot write {path}: {checkpoint.reason(error)}; {checkpoint.room(disk)}; '
                           'the training goes on')
            self._failing.add(path)


def table(values: Mapping[str, object]) -> str:
    """Settings as a table of Markdown."""
    return '\n'.join(['| key | value |', '|---|---|', *(f'| {key} | `{value!r}` |' for key, value in values.items())])


class _Events:
    """TensorBoard's files. After an error a new one is begun, as the old one may end within a record."""

    def __init__(self, folder, step):
        self.folder, self._first, self._writer = folder, step + 1, None

    def write(self, step, function):
        """Calls tf.summary's functions by calling `function`; tf.errors.OpError where that fails."""
        try:
            if self._writer is None:
                self._writer = tf.summary.create_file_writer(self.folder)
                _mark_start(self._writer, self._first)
            with self._writer.as_default(step=step):
                function()
            self._writer.flush()
        except tf.errors.OpError:
            self._first, self._writer = step, None
            raise


def _mark_start(writer, step):
    """Tells TensorBoard to drop what earlier files say of `step` and later ones: these steps are done again."""
    event = tf.compat.v1.Event(step=step, session_log=tf.compat.v1.SessionLog(status=tf.compat.v1.SessionLog.START))
    tf.raw_ops.ImportEvent(writer=writer._resource, event=event.SerializeToString())


class _Lines:
    """Rows of scalars, in memory and as lines of JSON."""

    def __init__(self, path, step):
        self.path, self._complete = path, False
        self.rows = [row for row in read_scalars(path) if row['step'] <= step]

    def add(self, row):
        """Appends a row; OSError where that fails. The next one is then written with all before it."""
        self.rows.append(row)
        complete, self._complete = self._complete, False
        if complete:
            with open(self.path, 'a', encoding='utf-8') as file:
                file.write(_line(row))
        else:
            self._rewrite()
        self._complete = True

    def _rewrite(self):
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        temporary = self.path + '.writing'
        with open(temporary, 'w', encoding='utf-8') as file:
            file.writelines(map(_line, self.rows))
        os.replace(temporary, self.path)


def _line(row):
    return json.dumps(row) + '\n'


def read_scalars(path: checkpoint.Path) -> list[dict]:
    """Rows of a scalars.jsonl, [] where there is none. A line that a killed process left half written is passed over."""
    try:
        with open(path, encoding='utf-8', errors='replace') as file:
            return [row for line in file if (row := _row(line))]
    except FileNotFoundError:
        return []


def _row(line):
    with contextlib.suppress(ValueError):
        row = json.loads(line)
        if isinstance(row, dict) and isinstance(row.get('step'), int):
            return row
    return None


class Keeper:
    """Writes checkpoints with their description, and keeps the best one beside the last ones."""

    def __init__(self, trainer: Trainer, folder: str, keep: int, facts: dict):
        """keep: how many of the last ones stay.  facts: what their description says."""
        self.trainer, self.folder, self.keep, self.facts = trainer, folder, keep, facts
        self.best_folder = os.path.join(folder, 'best')
        self.best = checkpoint.read_description(os.path.join(self.best_folder, checkpoint.NAME)).get('mean_ap', 0.)

    def save(self) -> None:
        """Writes the present state as the last checkpoint; CheckpointError where the disk refuses."""
        checkpoint.write_description(self.folder, **self.facts)
        print(f'saved {self.trainer.save(self.folder, self.keep)}', flush=True)

    def offer(self, mean_ap: float) -> str | None:
        """Keeps the present weights in <folder>/best if their mAP is the best so far -> their prefix, else None.

        NaN, the mAP without objects, is never the best.
        """
        if not mean_ap > self.best:
            return None
        self.best = mean_ap
        # In this order: killed in between, an old figure stands beside better weights, and the next evaluation mends that.
        prefix = self.trainer.save(self.best_folder, keep=1)
        checkpoint.write_description(self.best_folder, **self.facts, mean_ap=mean_ap, step=self.trainer.step)
        return prefix


class Log:
    """Progress lines on stdout; settings, scalars, pictures and evaluations in the training's log, and at its end its curves."""

    def __init__(self, folder: str, classes: Sequence[str], trainer: Trainer, origin: str | None,
                 settings: Mapping[str, object], compared: Mapping[str, object], noted: Mapping[str, object]):
        """origin: the checkpoint that the training started from.  settings: all of the run's, by key.  compared: those that runs
        are compared by.  noted: what shapes detections, for the log of evaluations.
        """
        self.folder, self.classes, self.strategy, self.settings, self.noted = folder, classes, trainer.strategy, settings, noted
        self.progress = Progress(settings['max_steps'], settings['batch_size'], trainer.step)
        self.log = TrainingLog(folder, trainer.step)
        self.curves = os.path.join(folder, CURVES)
        self.pictures = 0
        facts = {'started_from': origin or 'nothing', 'first_step': trainer.step}
        self.log.settings(facts | dict(settings), compared)

    def report(self, step: int, scalars: dict[str, float], batch: dict) -> None:
        """One line, the scalars, and at the start of a run a few augmented images with their boxes. As training.trainer.train
        calls it: scalars are those of `Trainer.train_step`, batch is the step's.
        """
        pace, left = self.progress.mark(step)
        print(f'step {step}/{self.settings["max_steps"]}  loss {scalars["loss"]:.3f} (confidence {scalars["confidence"]:.3f}, '
              f'localization {scalars["localization"]:.3f}, l2 {scalars["l2"]:.3f})  lr {scalars["learning_rate"]:.2g}  '
              f'matched {scalars["matched"]:.1f}  {pace:.1f} images/s  {left} left', flush=True)
        self.log.scalars(step, scalars | {'images_per_second': pace})
        if self.pictures < 3:
            self.pictures += 1
            self.log.images(step, 'augmented', _with_boxes(distribution.on_this_machine(self.strategy, batch), self.classes, 4))

    def evaluation(self, step: int, result: voc_eval.VocResult, kept: str | None, images: int) -> None:
        """The mAP among the scalars, and a line of evaluations.jsonl. kept: as of `Keeper.offer`.  images: their number."""
        self.log.scalars(step, {'mean_ap': result.mean_ap})
        with self.log.guarded(os.path.join(self.folder, collect.LOG)):
            collect.append_to_log(self.folder, result, checkpoint=kept, step=step,
                                  records=self.settings['eval_records'], images=images, **self.noted, iou=0.5)

    def draw(self) -> None:
        """The curves so far as a picture."""
        with self.log.guarded(self.curves):
            plot_training(self.log.rows, self.curves)
            print(f'curves: {self.curves}')


def _with_boxes(batch, classes, count):
    """uint8 [count, S, S, 3]: the batch's first images with their objects drawn."""
    images, boxes, labels = (batch[name][:count] for name in ('images', 'boxes', 'labels'))
    return np.stack([drawing.draw_detections(image, objects.named(
        box[label > 0], label[label > 0], None, classes, *image.shape[:2]))
                     for image, box, label in zip(images, boxes, labels, strict=True)])


def plot_training(rows: Sequence[Mapping[str, float]], path: str | os.PathLike) -> None:
    """Losses, learning rate and, where it was measured, mAP over the steps of a training, one PNG.

    rows: dicts of 'step' and some of the scalars of _CURVES, by ascending step.
    """
    from matplotlib.figure import Figure

    shown = {name: points for name in _CURVES if (points := [(row['step'], row[name]) for row in rows if name in row])}
    figure = Figure(figsize=(3.2 * max(1, len(shown)), 3), layout='constrained')
    axes = figure.subplots(1, max(1, len(shown)), squeeze=False)
    for axis, (name, points) in zip(axes.flat, shown.items(), strict=False):
        _plot_curve(axis, *np.array(points).T)
        axis.set_title(_CURVES[name], fontsize=9)
        axis.set_xlabel('step', fontsize=8)
        axis.tick_params(labelsize=7)
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
    figure.savefig(path, dpi=110, format='png')


def _plot_curve(axis, steps, values):
    """Few values as points; of many, a running mean over a twentieth of them, and the values faintly."""
    if len(values) < 40:
        axis.plot(steps, values, color='C0', linewidth=1, marker='o', markersize=3)
        return
    axis.plot(steps, values, color='C0', linewidth=1, alpha=0.35)
    axis.plot(steps, _running_mean(values, len(values) // 20), color='C0', linewidth=1.5)


def _running_mean(values, width):
    """Mean of up to `width` values around each; fewer at the ends."""
    window = np.ones(width)
    return np.convolve(values, window, 'same') / np.convolve(np.ones(len(values)), window, 'same')
