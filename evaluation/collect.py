"""Runs a detector over evaluation batches, collects its detections, and logs the result."""
import dataclasses
import datetime
import json
import math
import os
import time
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from evaluation.voc import METRICS, Detection, GroundTruth, VocResult
from utils.progress import Progress

LOG = 'evaluations.jsonl'
_DIGITS = 2  # of an object's edge in pixels, as annotation files write it; records hold float32
_Labelled = typing.TypeVar('_Labelled', Detection, GroundTruth)


@dataclasses.dataclass(frozen=True)
class Found:
    """What evaluation.voc.evaluate takes, and the speed.

    Attributes:
        detections: by image id.
        ground_truths: by image id.
        images_per_second: without the first batch, which includes tracing; None if fewer images
            than it has follow it.
    """
    detections: dict[str, Detection]
    ground_truths: dict[str, GroundTruth]
    images_per_second: float | None

    def of_classes(self, classes: Sequence[str], detected: Sequence[str], annotated: Sequence[str]
                   ) -> 'Found':
        """Only the detections and objects of some classes, which go by their names.

        Args:
            classes: names of the result's labels 1, 2, ...
            detected: names of the detections' labels.
            annotated: names of the objects' labels.
        """
        return dataclasses.replace(
            self, detections={image: _named(entry, detected, classes)
                              for image, entry in self.detections.items()},
            ground_truths={image: _named(entry, annotated, classes)
                           for image, entry in self.ground_truths.items()})


def _named(entry: _Labelled, names: Sequence[str], classes: Sequence[str]) -> _Labelled:
    """The rows of `classes`, whose positions are the new labels; names: of the old labels."""
    labels = np.array([classes.index(name) + 1 if name in classes else 0 for name in names], int)
    columns = vars(entry) | {'labels': labels[entry.labels - 1]}
    kept = columns['labels'] > 0
    return type(entry)(**{name: None if values is None else values[kept]
                          for name, values in columns.items()})


def detect_all(detect: Callable[..., Iterable], batches: Iterable[Mapping],
               progress: Progress | None = None) -> Found:
    """Detections and objects of all batches, in pixels of the images before resizing.

    Whole pixels of an annotation are whole again, and so are areas: one of 32 x 32 is COCO's limit
    of small objects, and not above it.

    Args:
        detect: uint8 images [B, S, S, 3] -> boxes [B, D, 4] corners in [0, 1], scores [B, D],
            classes [B, D], counts [B].
        batches: see preprocessing.pipeline.evaluation_batches.
        progress: of images; is closed at the end.
    """
    detections, truths, first, images, start = {}, {}, 0, 0, None
    for batch in batches:
        found = [np.asarray(values) for values in detect(batch['images'])]
        batch = {name: values.numpy() for name, values in batch.items() if name != 'images'}
        for number, image in enumerate(batch['ids']):
            height, width = (float(batch[side][number]) for side in ('heights', 'widths'))
            scale = np.array([height, width, height, width])
            boxes, scores, classes, count = (values[number] for values in found)
            detections[image.decode()] = Detection(boxes[:count] * scale, classes[:count],
                                                   scores[:count])
            real = batch['labels'][number] > 0
            boxes, labels, difficult, crowd = (
                batch[key][number][real] for key in ('boxes', 'labels', 'difficult', 'crowd'))
            truths[image.decode()] = GroundTruth((boxes * scale).round(_DIGITS), labels, difficult,
                                                 crowd)
        if progress:
            progress.update(len(batch['ids']))
        if start is None:  # the first batch includes tracing
            start, first = time.monotonic(), len(batch['ids'])
        else:
            images += len(batch['ids'])
    if progress:
        progress.close()
    pace = images / (time.monotonic() - start) if images and images >= first else None
    return Found(detections, truths, pace)


def append_to_log(folder: str | os.PathLike, result: VocResult, **facts: object) -> None:
    """Appends one line of JSON to <folder>/evaluations.jsonl.

    Args:
        folder: is made if it does not exist.
        result: mean AP and the AP of each class are logged by both metrics; null for NaN.
        **facts: checkpoint, step, records, images, thresholds, ...; what JSON can hold.

    Raises:
        OSError: the file cannot be written.
    """
    now = datetime.datetime.now().astimezone()
    line = {'time': now.isoformat(timespec='seconds'), **facts}
    for metric in METRICS:
        measured = result.by(metric)
        line[f'mean_ap_{metric}'] = measured.mean_ap
        line[f'ap_{metric}'] = {entry.name: entry.ap for entry in measured.classes}
    os.makedirs(folder or '.', exist_ok=True)
    with open(os.path.join(folder, LOG), 'a', encoding='utf-8') as file:
        file.write(json.dumps(without_nan(line), allow_nan=False) + '\n')


def without_nan(value: typing.Any) -> typing.Any:
    """Nested dicts and lists with None, JSON's null, instead of NaN."""
    if isinstance(value, dict):
        return {key: without_nan(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(entry) for entry in value]
    return None if isinstance(value, float) and math.isnan(value) else value
