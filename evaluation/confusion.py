"""Which class a detector takes for which: its confusion matrix, and a drawing of it."""
import dataclasses
import io
from collections.abc import Sequence

import numpy as np

from evaluation import voc as voc_eval
from utils import plots

MISSED, BACKGROUND = 'missed', 'background'


@dataclasses.dataclass(frozen=True)
class Confusion:
    """A confusion matrix.

    Attributes:
        classes: names of labels 1, 2, ...
        score: least score of the detections that are counted.
        table: int [C + 1, C + 1]. Row: what an object is, the last one background. Column: what it
            was taken for, the last one for missed objects.
    """
    classes: tuple[str, ...]
    score: float
    table: np.ndarray

    @property
    def rows(self) -> tuple[str, ...]:
        """Names of the rows."""
        return *self.classes, BACKGROUND

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns."""
        return *self.classes, MISSED


def confusion(rows: voc_eval.Rows, classes: Sequence[str], threshold: float = 0.5,
              score: float = 0.3) -> Confusion:
    """Right detections first, as average precision counts them; then each other one, best first.

    A detection that is not right takes the object of any class that it overlaps most, if nothing
    else has taken it; or it is one of background, where it overlaps none by more than the
    threshold. Difficult objects and crowds count neither way.

    Args:
        rows: all detections and objects.
        classes: names of labels 1, 2, ...
        threshold: IoU above which a detection is on an object.
        score: least score of the detections that are counted.
    """
    table = np.zeros([len(classes) + 1] * 2, int)
    strong, free, wrong = rows.scores >= score, ~rows.difficult, np.zeros(len(rows.labels), bool)
    for label in range(1, len(classes) + 1):
        matched = voc_eval.matches(label, rows, threshold)
        right = (matched.hit == 1) & strong[matched.detection]
        free[matched.object[right]] = False
        table[label - 1, label - 1] = right.sum()
        wrong[matched.detection[matched.hit == -1]] = True
    rest = np.flatnonzero(wrong & strong)
    for row in rest[np.argsort(-rows.scores[rest], kind='stable')].tolist():
        here = np.flatnonzero(rows.object_image == rows.image[row])
        overlaps = voc_eval.paired_iou(np.broadcast_to(rows.boxes[row], [len(here), 4]),
                                       rows.object_boxes[here])
        on = here[overlaps > threshold]
        able = here[free[here] & (overlaps > threshold)]
        column = rows.labels[row] - 1
        if len(able):
            taken = able[np.argmax(overlaps[np.isin(here, able)])]
            free[taken] = False
            table[rows.object_labels[taken] - 1, column] += 1
        elif not rows.difficult[on].any():
            table[-1, column] += 1
    np.add.at(table[:, -1], rows.object_labels[free] - 1, 1)
    return Confusion(tuple(classes), score, table)


@plots.literal
def drawn(found: Confusion) -> bytes:
    """A PNG file: the counts, coloured by their share of the row's objects."""
    from matplotlib.figure import Figure  # takes a second, which only a report needs

    side = 2.2 + 0.36 * len(found.table)
    figure = Figure(figsize=(side, side), layout='constrained')
    axis = figure.subplots()
    shares = found.table / np.maximum(found.table.sum(axis=1, keepdims=True), 1)
    axis.imshow(shares, cmap='Blues', vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(found.table):
        if count:
            axis.text(column, row, count, ha='center', va='center', fontsize=7,
                      color='white' if shares[row, column] > 0.6 else 'black')
    axis.set_xticks(range(len(found.columns)), found.columns, rotation=90, fontsize=8)
    axis.set_yticks(range(len(found.rows)), found.rows, fontsize=8)
    axis.set(xlabel='detected as', ylabel='object')
    file = io.BytesIO()
    figure.savefig(file, format='png', dpi=110)
    return file.getvalue()
