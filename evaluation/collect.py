"""Runs a detector over evaluation batches, collects what evaluation.voc compares, and notes the result."""
import dataclasses
import datetime
import json
import math
import os
import time
from collections.abc import Callable, Iterable, Mapping

from datasets import voc
from evaluation.voc import METRICS, Detection, GroundTruth, Result
from utils.progress import Progress

LOG = 'evaluations.jsonl'


@dataclasses.dataclass(frozen=True)
class Found:
    """What evaluation.voc.evaluate takes, by image id. images_per_second: without the first batch, which holds the tracing;
    None where there is no other.
    """
    detections: dict[str, Detection]
    ground_truths: dict[str, GroundTruth]
    images_per_second: float | None


def detect_all(detect: Callable[..., Iterable], batches: Iterable[Mapping], progress: Progress | None = None) -> Found:
    """Detections and objects of all batches, in VOC pixels of the images as they were before resizing.

    Args:
        detect: uint8 images [B, S, S, 3] -> boxes [B, D, 4] corners in [0, 1], scores, classes [B, D], counts [B].
        batches: see preprocessing.pipeline.evaluation_batches.
        progress: of images; is closed at the end.
    """
    detections, truths, images, start = {}, {}, 0, None
    for batch in batches:
        found = [values.numpy() for values in detect(batch['images'])]
        batch = {name: values.numpy() for name, values in batch.items() if name != 'images'}
        for number, image in enumerate(batch['ids']):
            size = int(batch['heights'][number]), int(batch['widths'][number])
            detections[image.decode()] = _detection(*(values[number] for values in found), *size)
            truths[image.decode()] = _ground_truth(*(batch[n][number] for n in ('boxes', 'labels', 'difficult')), *size)
        if progress:
            progress.update(len(batch['ids']))
        # The first batch holds the tracing.
        if start is None:
            start = time.monotonic()
        else:
            images += len(batch['ids'])
    if progress:
        progress.close()
    return Found(detections, truths, images / (time.monotonic() - start) if images else None)


def _detection(boxes, scores, classes, count, height, width):
    return Detection(voc.corners_to_voc_pixels(boxes[:count], height, width), classes[:count], scores[:count])


def _ground_truth(boxes, labels, difficult, height, width):
    real = labels > 0
    return GroundTruth(voc.corners_to_voc_pixels(boxes[real], height, width), labels[real], difficult[real])


def append_to_log(folder: str | os.PathLike, result: Result, **facts: object) -> None:
    """Appends one line of JSON to <folder>/evaluations.jsonl: the time, `facts`, mean AP and AP per class by both metrics.

    One process writes. facts: checkpoint, step, records, images, thresholds, ...; what JSON can hold.
    A class without objects has the AP null. OSError where the file cannot be written.
    """
    line = {'time': datetime.datetime.now().astimezone().isoformat(timespec='seconds'), **facts}
    for metric in METRICS:
        measured = result.by(metric)
        line |= {f'mean_ap_{metric}': measured.mean_ap, f'ap_{metric}': {entry.name: entry.ap for entry in measured.classes}}
    os.makedirs(folder or '.', exist_ok=True)
    with open(os.path.join(folder, LOG), 'a', encoding='utf-8') as file:
        file.write(json.dumps(without_nan(line), allow_nan=False) + '\n')


def without_nan(value: object) -> object:
    """Nested dicts and lists with None, JSON's null, in the place of NaN."""
    if isinstance(value, dict):
        return {key: without_nan(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(entry) for entry in value]
    return None if isinstance(value, float) and math.isnan(value) else value
