"""Runs a detector over evaluation batches and collects what datasets.voc_eval compares."""
import dataclasses
import time

from datasets import voc
from datasets.voc_eval import Detection, GroundTruth


@dataclasses.dataclass(frozen=True)
class Found:
    """detections: {image id: Detection}.  ground_truths: {image id: GroundTruth}.  images_per_second: without the
    first batch, which holds the tracing; None where there is no other."""
    detections: dict
    ground_truths: dict
    images_per_second: float | None


def detect_all(detect, batches, progress=None) -> Found:
    """Args:
        detect: uint8 images [B, S, S, 3] -> boxes [B, D, 4] corners in [0, 1], scores, classes [B, D], counts [B].
        batches: see preprocessing.pipeline.evaluation_batches.
    """
    detections, truths, images, start = {}, {}, 0, None
    for batch in batches:
        found = [values.numpy() for values in detect(batch['images'])]
        batch = {name: values.numpy() for name, values in batch.items() if name != 'images'}
        for number, image in enumerate(batch['ids']):
            size = batch['heights'][number], batch['widths'][number]
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
