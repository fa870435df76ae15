"""The course of a training: scalars, pictures and settings for TensorBoard, and the scalars again as lines of JSON.

What cannot be written, as on a full disk, is told in one line, and the training goes on; once there is room, the log does too.
"""
import contextlib
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from nets import checkpoint
from nets.slim_compat import tf

EVENTS, SCALARS, CURVES = 'logs', 'scalars.jsonl', 'training_curves.png'
# What a training's folder holds of its course.
NAMES = (EVENTS, SCALARS, CURVES)


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
