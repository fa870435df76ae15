"""COCO's average precision and recall for boxes, computed by faster-coco-eval.

The rule: of each image and class the 100 best detections by descending score. Each takes the object
of its class that it overlaps most and that is not taken yet, if their IoU reaches the threshold; an
object that counts goes before one that is ignored. A detection on an ignored object is neither
right nor wrong. AP is the mean of the best precision at recall >= 0, .01, ..., 1, over the IoU
thresholds .5, .55, ..., .95, then over the classes that have objects. Small, medium and large are
areas up to 32 x 32, up to 96 x 96 and from 96 x 96 pixels on; other objects are ignored.

* Areas are those of boxes; COCO's own data have areas of masks.
* A difficult object is ignored: one detection may take it.
* A crowd region is ignored, and any number of detections may take it. Their overlap is the part of
  the detection that lies inside the region.
"""
import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster

from evaluation import voc as voc_eval

# The order of faster-coco-eval's results.
AREAS = ('all', 'small', 'medium', 'large')
LIMITS = (1, 10, 100)


@dataclasses.dataclass(frozen=True)
class CocoResult:
    """Average precision and recall of every class; NaN if it has no object of that area.

    Attributes:
        classes: names, C.
        ap: float64 [C, areas, IoU thresholds].
        recall: float64 [C, areas, IoU thresholds, LIMITS of detections per image and class].
    """
    classes: tuple[str, ...]
    ap: np.ndarray
    recall: np.ndarray

    def summary(self) -> dict[str, float]:
        """COCO's twelve numbers over all classes; NaN (COCO's -1) if no class has objects."""
        return _summary(self.ap, self.recall)

    def of_class(self, name: str) -> dict[str, float]:
        """The twelve numbers of one class; ValueError if it is unknown."""
        number = self.classes.index(name)
        return _summary(self.ap[[number]], self.recall[[number]])


def _summary(ap, recall):
    areas = [(number, area) for number, area in enumerate(AREAS) if area != 'all']
    numbers = {'AP': ap[:, 0], 'AP50': ap[:, 0, 0], 'AP75': ap[:, 0, 5]}
    numbers |= {f'AP_{area}': ap[:, number] for number, area in areas}
    numbers |= {f'AR{limit}': recall[:, 0, :, number] for number, limit in enumerate(LIMITS)}
    numbers |= {f'AR_{area}': recall[:, number, :, -1] for number, area in areas}
    return {name: _mean(values[~np.isnan(values)]) for name, values in numbers.items()}


def _mean(values):
    return float(values.mean()) if values.size else float('nan')


def evaluate(detections: Mapping[str, voc_eval.Detection],
             ground_truths: Mapping[str, voc_eval.GroundTruth], classes: Sequence[str]
             ) -> CocoResult:
    """Arguments and errors are those of evaluation.voc.evaluate.

    Equal scores come in the order of the images, and in an image in the order of its detections.
    """
    rows = voc_eval.Rows(detections, ground_truths)
    objects = _annotations(rows.object_image, rows.object_boxes, rows.object_labels,
                           iscrowd=rows.crowd, difficult=rows.difficult)
    found = _annotations(rows.image, rows.boxes, rows.labels, score=rows.scores)
    base = {'images': [{'id': number} for number in range(len(rows.names))],
            'categories': [{'id': label} for label in range(1, len(classes) + 1)]}
    evaluation = _WithIgnore(*(COCO(base | {'annotations': part}) for part in (objects, found)),
                             'bbox')
    evaluation.evaluate()
    evaluation.accumulate()
    # precision [thresholds, levels, C, areas, limits], recall [thresholds, C, areas, limits]
    ap = evaluation.eval['precision'][..., -1].mean(axis=1).transpose(1, 2, 0)
    recall = evaluation.eval['recall'].transpose(1, 2, 0, 3)
    return CocoResult(tuple(classes), *(np.where(v < 0, np.nan, v) for v in (ap, recall)))


class _WithIgnore(COCOeval_faster):
    """With COCO's `ignore` flag for difficult objects; the library takes it from iscrowd alone."""

    def _prepare(self):
        super()._prepare()
        for row in self.cocoGt.anns.values():
            row['ignore'] = row['difficult']


def _annotations(images, boxes, labels, **more):
    """Columns -> COCO's annotations, a list of dicts. Ids start at 1, as 0 means no match."""
    corners, sides = boxes[:, 1::-1], (boxes[:, 2:] - boxes[:, :2])[:, ::-1]  # x, y
    columns = {'id': np.arange(len(labels)) + 1, 'image_id': images, 'category_id': labels,
               'bbox': np.concatenate([corners, sides], axis=1), 'area': sides.prod(axis=1),
               'iscrowd': np.zeros(len(labels), int)} | more
    values = [column.astype(int) if column.dtype == bool else column for column in columns.values()]
    return [dict(zip(columns, row, strict=True))
            for row in zip(*(column.tolist() for column in values), strict=True)]
