"""The log of a training: progress lines, TensorBoard's files, lines of JSON, and curves."""
import collections
import contextlib
import datetime
import json
import math
import os
import time
from collections.abc import Mapping, Sequence

import numpy as np

from checkpoints import io as checkpoint
from detection import drawing, objects
from evaluation import collect
from evaluation import voc as voc_eval
from nets.slim_compat import tf
from training import distribution

EVENTS, SCALARS, CURVES = 'logs', 'scalars.jsonl', 'training_curves.png'
# What a log writes into a training's folder.
NAMES = (EVENTS, SCALARS, CURVES)
# Curves have the names of their scalars, but for these; and these scalars have none.
_TITLES = {'loss': 'loss, L2 penalty included', 'l2': 'L2 penalty',
           'learning_rate': 'learning rate', 'mean_ap': 'mAP on held-out images'}
_WITHOUT_CURVE = ('step', 'matched', 'images_per_second')
# The first lines of a run come with augmented images for TensorBoard: so many lines, and images.
_LINES_WITH_IMAGES, _IMAGES = 3, 4


class Log:
    """The log of a training, in its folder: `logs`, `scalars.jsonl`, `training_curves.png`.

    One process writes. A file that cannot be written (for example on a full disk) is named once
    and not written any more; the training goes on.

    Args:
        folder: of the training.
        step: that the training goes on from. What was logged of later steps is dropped, as these
            steps are done again.
        max_steps: the step at which the training ends.
        batch_size: images of a step.
        classes: names, without background.
        strategy: that the batches are of; None: the default device.

    Attributes:
        rows: all scalars, those of earlier runs of this training included:
            {'step': int, name: float, ...}.
    """

    def __init__(self, folder: str, step: int = 0, *, max_steps: int = 0, batch_size: int = 1,
                 classes: Sequence[str] = (), strategy: tf.distribute.Strategy | None = None):
        self.folder, self.first_step, self.max_steps = folder, step, max_steps
        self.batch_size, self.classes = batch_size, classes
        self.strategy = strategy or tf.distribute.get_strategy()
        self.rows = [row for row in read_scalars(self._path(SCALARS)) if row['step'] <= step]
        self._failed, self._lines = set(), 0
        self._times = collections.deque([(time.monotonic(), step)], maxlen=10)  # of the last lines
        with self._guarded(SCALARS):
            self._write_rows()
        self._writer = tf.summary.create_noop_writer()
        with self._guarded(EVENTS):
            self._writer = _event_writer(self._path(EVENTS), step + 1)

    def settings(self, values: Mapping[str, object]) -> None:
        """Shows the settings of a run as a table, and in TensorBoard's HPARAMS."""
        from tensorboard.plugins.hparams import api  # after slim_compat has chosen a Keras
        with self._events(self.first_step):
            tf.summary.text('configuration', table(values))
            api.hparams(dict(values))

    def scalars(self, step: int, values: Mapping[str, float | np.floating]) -> None:
        """Logs numbers of a step; those that are not finite are left out."""
        values = {name: float(value) for name, value in values.items() if math.isfinite(value)}
        row = {'step': step} | {name: float(f'{value:.6g}') for name, value in values.items()}
        self.rows.append(row)
        with self._guarded(SCALARS):
            if SCALARS not in self._failed:
                with open(self._path(SCALARS), 'a', encoding='utf-8') as file:
                    file.write(json.dumps(row) + '\n')
        with self._events(step):
            for name, value in values.items():
                tf.summary.scalar(name, value)

    def images(self, step: int, name: str, images: np.ndarray) -> None:
        """Shows uint8 images [B, H, W, 3] in TensorBoard."""
        with self._events(step):
            tf.summary.image(name, images, max_outputs=len(images))

    def step(self, step: int, scalars: Mapping, batch: Mapping) -> None:
        """One line, the scalars, and at the start of a run a few augmented images with their boxes.

        Args:
            step: that was done.
            scalars: of training.trainer.Trainer.train_step.
            batch: the step's, of preprocessing.pipeline.training_batches.
        """
        losses = {name: float(value) for name, value in scalars['losses'].items()}
        loss, rate = float(scalars['loss']), float(scalars['learning_rate'])
        matched = float(scalars['matched'])
        pace, left = self._pace(step)
        print(f'step {step}/{self.max_steps}  loss {loss:.3f} '
              f'({", ".join(f"{name} {value:.3f}" for name, value in losses.items())})  '
              f'lr {rate:.2g}  matched {matched:.1f}  {pace:.1f} images/s  {left} left', flush=True)
        self.scalars(step, {'loss': loss} | losses | {
            'learning_rate': rate, 'matched': matched, 'images_per_second': pace})
        if self._lines < _LINES_WITH_IMAGES:
            self._lines += 1
            shown = {name: batch[name] for name in ('images', 'boxes', 'labels')}
            shown = distribution.on_this_machine(self.strategy, shown)
            self.images(step, 'augmented', _with_boxes(shown, self.classes))

    def _pace(self, step):
        """-> (images/s since the previous line, time left by the pace of the last ten lines)."""
        now = time.monotonic()
        (oldest_time, oldest), (last_time, last) = self._times[0], self._times[-1]
        self._times.append((now, step))
        left = (self.max_steps - step) * (now - oldest_time) / max(1, step - oldest)
        return ((step - last) * self.batch_size / max(1e-9, now - last_time),
                datetime.timedelta(seconds=round(left)))

    def evaluation(self, step: int, result: voc_eval.VocResult, best: str | None,
                   **facts: object) -> None:
        """A line, the mAP among the scalars, and a line of evaluations.jsonl.

        Args:
            step: that was evaluated.
            result: of the held-out images.
            best: prefix of the checkpoint, if this is the best so far.
            facts: what evaluations.jsonl says of it, 'images' (their number) among them.
        """
        print(f'step {step}: mAP 07 {voc_eval.number(result.mean_ap)}, over classes with 20+ '
              f'objects {voc_eval.number(result.mean_over(20))}, {facts["images"]} held-out images'
              + (f'; best so far, kept in {os.path.dirname(best)}' if best else ''), flush=True)
        self.scalars(step, {'mean_ap': result.mean_ap})
        with self._guarded(collect.LOG):
            if collect.LOG not in self._failed:
                collect.append_to_log(self.folder, result, checkpoint=best, step=step, **facts)

    def curves(self) -> None:
        """Draws the curves so far."""
        with self._guarded(CURVES):
            plot_training(self.rows, self._path(CURVES))
            print(f'curves: {self._path(CURVES)}')

    def _path(self, name):
        return os.path.join(self.folder, name)

    @contextlib.contextmanager
    def _guarded(self, name):
        """Around writing a file of the folder: names it where that fails, and goes on."""
        try:
            yield
        except (OSError, tf.errors.OpError) as error:
            self._failed.add(name)
            print(f'cannot write {self._path(name)}: {checkpoint.reason(error)}; '
                  f'{checkpoint.room(self.folder)}; the training goes on without it', flush=True)

    @contextlib.contextmanager
    def _events(self, step):
        """Inside, the functions of tf.summary write TensorBoard's files."""
        if EVENTS in self._failed:
            self._writer = tf.summary.create_noop_writer()
        with self._guarded(EVENTS), self._writer.as_default(step=step):
            yield
            self._writer.flush()

    def _write_rows(self):
        """Writes all rows, in place of what the file held."""
        os.makedirs(self.folder, exist_ok=True)
        temporary = self._path(SCALARS) + '.writing'
        with open(temporary, 'w', encoding='utf-8') as file:
            file.writelines(json.dumps(row) + '\n' for row in self.rows)
        os.replace(temporary, self._path(SCALARS))


def _event_writer(folder, step):
    """A writer whose file tells TensorBoard to drop what earlier ones say of `step` and later."""
    writer = tf.summary.create_file_writer(folder)
    start = tf.compat.v1.SessionLog(status=tf.compat.v1.SessionLog.START)
    event = tf.compat.v1.Event(step=step, session_log=start).SerializeToString()
    tf.raw_ops.ImportEvent(writer=writer._resource, event=event)
    return writer


def _with_boxes(batch, classes):
    """uint8 [B, S, S, 3]: the batch's first images with their objects drawn."""
    images, boxes, labels = (batch[name][:_IMAGES] for name in ('images', 'boxes', 'labels'))
    return np.stack([
        drawing.draw_detections(image, objects.named(
            box[label > 0], label[label > 0], None, classes, *image.shape[:2]))
        for image, box, label in zip(images, boxes, labels, strict=True)])


def table(values: Mapping[str, object]) -> str:
    """Settings as a table of Markdown."""
    rows = [f'| {key} | `{value!r}` |' for key, value in values.items()]
    return '\n'.join(['| key | value |', '|---|---|', *rows])


def read_scalars(path: checkpoint.Path) -> list[dict]:
    """Rows of a scalars.jsonl, [] where there is none.

    A line that a killed process left half written is passed over.
    """
    rows = []
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), \
            open(path, encoding='utf-8', errors='replace') as file:
        for line in file:
            with contextlib.suppress(ValueError):
                rows.append(json.loads(line))
    return [row for row in rows if isinstance(row, dict) and isinstance(row.get('step'), int)]


def plot_training(rows: Sequence[Mapping[str, float]], path: str | os.PathLike) -> None:
    """Draws every scalar over the steps of a training, but for counts and pace: one PNG.

    Args:
        rows: dicts of 'step' and scalars, by ascending step.
        path: of the PNG.
    """
    from matplotlib.figure import Figure

    names = [name for name in dict.fromkeys(name for row in rows for name in row)
             if name not in _WITHOUT_CURVE]
    columns = max(1, len(names))
    figure = Figure(figsize=(3.2 * columns, 3), layout='constrained')
    axes = figure.subplots(1, columns, squeeze=False)[0]
    for axis, name in zip(axes, names, strict=False):
        steps, values = np.array([(row['step'], row[name]) for row in rows if name in row]).T
        _plot_curve(axis, steps, values)
        axis.set_title(_TITLES.get(name, name), fontsize=9)
        axis.set_xlabel('step', fontsize=8)
        axis.tick_params(labelsize=7)
        axis.set_ylim(bottom=min(0, values.min()))
        axis.grid(alpha=0.3)
    figure.savefig(path, dpi=110, format='png')


def _plot_curve(axis, steps, values):
    """Few values as points; many faintly, with a running mean over a twentieth of them."""
    if len(values) < 40:
        axis.plot(steps, values, color='C0', linewidth=1, marker='o', markersize=3)
        return
    axis.plot(steps, values, color='C0', linewidth=1, alpha=0.35)
    axis.plot(steps, _running_mean(values, len(values) // 20), color='C0', linewidth=1.5)


def _running_mean(values, width):
    """Mean of up to `width` values around each; fewer at the ends."""
    window = np.ones(width)
    return np.convolve(values, window, 'same') / np.convolve(np.ones(len(values)), window, 'same')
