"""The log of a training: progress lines, TensorBoard's files, lines of JSON, and curves."""
import collections
import contextlib
import datetime
import json
import math
import os
import pathlib
import time
from collections.abc import Mapping, Sequence

import numpy as np

from checkpoints import identity
from checkpoints import io as checkpoint
from detection import drawing, objects
from evaluation import collect
from evaluation import voc as voc_eval
from nets.slim_compat import tf
from training import distribution, held_out
from utils import plots

EVENTS, SCALARS, CURVES = 'logs', 'scalars.jsonl', 'training_curves.png'
SETTINGS, RESTORED = 'settings.json', 'restored.txt'
# What a log writes into a training's folder.
NAMES = (EVENTS, SCALARS, CURVES, SETTINGS, RESTORED)
# Curves have the names of their scalars, but for these; and these scalars have none.
_TITLES = {'loss': 'loss, L2 penalty included', 'l2': 'L2 penalty',
           'learning_rate': 'learning rate', 'mean_ap': 'mAP on held-out images',
           'held_out_loss': 'without L2: training blue, held out orange'}
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
            os.makedirs(folder, exist_ok=True)
            _replace(self._path(SCALARS), map(json.dumps, self.rows))
        self._writer = tf.summary.create_noop_writer()
        with self._guarded(EVENTS):
            self._writer = _event_writer(self._path(EVENTS), step + 1)

    def settings(self, values: Mapping[str, object], resumed: bool = False,
                 **facts: object) -> None:
        """Writes settings.json; shows the settings in TensorBoard, as text and in HPARAMS.

        Args:
            values: of all keys.
            resumed: the training goes on: a line for each key that has another value than before.
            facts: what else is worth knowing of the start.
        """
        from tensorboard.plugins.hparams import api  # after slim_compat has chosen a Keras
        before, values = read_settings(self._path(SETTINGS)) if resumed else {}, dict(values)
        for key in values.keys() & before.keys():
            if values[key] != before[key]:
                print(f'{key}: {before[key]!r} until step {self.first_step}, now {values[key]!r}')
        with self._guarded(SETTINGS):
            _replace(self._path(SETTINGS), [json.dumps({**facts, 'settings': values}, indent=1)])
        with self._events(self.first_step):
            tf.summary.text('configuration', table(facts | values))
            api.hparams({key: value for key, value in (facts | values).items()
                         if isinstance(value, str | bool | int | float)})

    def restored(self, report: str) -> None:
        """Keeps the whole report of a restore, of which the screen shows some lines; '': none."""
        if not report:
            return
        with self._guarded(RESTORED):
            _replace(self._path(RESTORED), [report])

    def first_step_done(self, seconds: float) -> None:
        """A line after the first step of a run, from whose end on pace and time left are taken."""
        print(f'first step compiled and done in {seconds:.0f} s', flush=True)
        self._times = collections.deque([(time.monotonic(), self.first_step + 1)], maxlen=10)

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
        pace = self._pace(step)
        print(f'step {step}/{self.max_steps}  loss {loss:.3f} ({_terms(losses)})  '
              f'lr {rate:.2g}  matched {matched:.1f}  '
              + (f'{pace:.1f} images/s  {self._left(step)} left' if math.isfinite(pace) else ''),
              flush=True)
        self.scalars(step, {'loss': loss} | losses | {
            'learning_rate': rate, 'matched': matched, 'images_per_second': pace})
        if self._lines < _LINES_WITH_IMAGES:
            self._lines += 1
            shown = {name: batch[name] for name in ('images', 'boxes', 'labels')}
            shown = distribution.on_this_machine(self.strategy, shown)
            self.images(step, 'augmented', _with_boxes(shown, self.classes))

    def _pace(self, step):
        """Images/s since the previous line; NaN for the first step."""
        now, (last_time, last) = time.monotonic(), self._times[-1]
        if step == last:
            return math.nan
        self._times.append((now, step))
        return (step - last) * self.batch_size / max(1e-9, now - last_time)

    def _left(self, step):
        """Time left by the pace of the last ten lines, in words."""
        (oldest_time, oldest), (last_time, last) = self._times[0], self._times[-1]
        if last == oldest:
            return 'unknown time'
        seconds = (self.max_steps - step) * (last_time - oldest_time) / (last - oldest)
        return datetime.timedelta(seconds=round(seconds))

    def evaluation(self, step: int, found: held_out.Evaluation, best: str | None,
                   **facts: object) -> None:
        """A line, mAP and loss among the scalars, and a line of evaluations.jsonl.

        Args:
            step: that was evaluated.
            found: on the held-out images.
            best: prefix of the checkpoint, if this is the best so far.
            facts: what evaluations.jsonl says of it, such as run and records.
        """
        result, loss = found.result, sum(found.losses.values())
        print(f'step {step}: mAP 07 {voc_eval.number(result.mean_ap)}, over classes with 20+ '
              f'objects {voc_eval.number(result.mean_over(20))}, loss {loss:.3f} '
              f'({_terms(found.losses)}), {found.images} held-out images'
              + (f'; best so far, kept in {os.path.dirname(best)}' if best else ''), flush=True)
        self.scalars(step, {'mean_ap': result.mean_ap, 'held_out_loss': loss})
        with self._guarded(collect.LOG):
            if collect.LOG not in self._failed:
                collect.append_to_log(self.folder, result, checkpoint=best, step=step,
                                      loss=found.losses, **facts)

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


def _replace(path, lines):
    """Writes a text file, in place of what was there."""
    with open(f'{path}.writing', 'w', encoding='utf-8') as file:
        file.writelines(f'{line}\n' for line in lines)
    os.replace(f'{path}.writing', path)


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


def _terms(losses):
    return ', '.join(f'{name} {value:.3f}' for name, value in losses.items())


def read_settings(path: checkpoint.Path) -> dict[str, object]:
    """The keys of a settings.json, {} where there is none that can be read."""
    try:
        return dict(json.loads(pathlib.Path(path).read_text(encoding='utf-8'))['settings'])
    except (OSError, ValueError, KeyError, TypeError):
        return {}


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


def earlier_scores(folder: str, step: int, about: Mapping[str, object]) -> list[float]:
    """mAP of the evaluations that a training had up to a step, in order.

    Args:
        folder: of the training.
        step: later evaluations are passed over.
        about: run, records_id and images; evaluations of another training or of other images are
            passed over, and so are those of ssd_test.py.
    """
    lines = read_scalars(os.path.join(folder, collect.LOG))
    rows = {row['step']: row.get('mean_ap_07') for row in lines
            if row['step'] <= step and 'loss' in row
            and identity.agree(row, about, identity.RUN, *identity.MEASURED_ON)}
    return [score for _, score in sorted(rows.items()) if score is not None]


@plots.literal
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
        if name == 'held_out_loss':  # with what it is compared with
            _plot_curve(axis, _without_l2(rows), 'C0')
        points = np.array([(row['step'], row[name]) for row in rows if name in row])
        _plot_curve(axis, points, 'C1' if name == 'held_out_loss' else 'C0')
        axis.set_title(_TITLES.get(name, name), fontsize=9)
        axis.set_xlabel('step', fontsize=8)
        axis.tick_params(labelsize=7)
        axis.set_ylim(bottom=min(0, points[:, 1].min()))
        axis.grid(alpha=0.3)
    figure.savefig(path, dpi=110, format='png')


def _without_l2(rows):
    """[N, 2]: steps, and the loss of the training's batches without its L2 penalty."""
    found = [(row['step'], row['loss'] - row['l2']) for row in rows if 'l2' in row]
    return np.array(found or np.empty([0, 2]))


def _plot_curve(axis, points, color):
    """Few points one by one; many faintly, with a running mean over a twentieth of them."""
    steps, values = points.T
    if len(values) < 40:
        axis.plot(steps, values, color=color, linewidth=1, marker='o', markersize=3)
        return
    axis.plot(steps, values, color=color, linewidth=1, alpha=0.35)
    axis.plot(steps, _running_mean(values, len(values) // 20), color=color, linewidth=1.5)


def _running_mean(values, width):
    """Mean of up to `width` values around each; fewer at the ends."""
    window = np.ones(width)
    return np.convolve(values, window, 'same') / np.convolve(np.ones(len(values)), window, 'same')
