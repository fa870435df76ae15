"""What a detector finds where nothing is: false alarms, on images without objects."""
import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from evaluation import voc as voc_eval

USUAL = 0.5  # threshold of a class of which none is known
_SHOWN = 5  # images in the table


@dataclasses.dataclass(frozen=True)
class FalseAlarms:
    """Detections above the thresholds of their classes, on images without objects.

    Attributes:
        images: number of images without objects.
        thresholds: {class name: score that a detection has to exceed}.
        counts: {class name: number of false alarms}.
        touched: {class name: number of images with a false alarm}.
        by_image: {image id: number of false alarms}, the most first, of images that have any.
    """
    images: int
    thresholds: dict[str, float]
    counts: dict[str, int]
    touched: dict[str, int]
    by_image: dict[str, int]

    @property
    def total(self) -> int:
        """Number of all false alarms."""
        return sum(self.counts.values())

    def numbers(self) -> dict[str, object]:
        """As evaluation.json has them."""
        return {'images': self.images, 'count': self.total,
                'images_with_any': len(self.by_image),
                'classes': {name: {'threshold': self.thresholds[name], 'count': count,
                                   'images': self.touched[name]}
                            for name, count in self.counts.items()},
                'by_image': self.by_image}

    def line(self) -> str:
        """E.g. 'false alarms: 3 in 2 of 10 images without objects (0.300 an image)'; '' for none.
        """
        return (f'false alarms: {self.total} in {len(self.by_image)} of {self.images} images '
                f'without objects ({self.total / self.images:.3f} an image)') if self.images else ''

    def table(self) -> str:
        """One line per class, and the images with the most false alarms."""
        width = max(map(len, ('class', *self.counts)))
        lines = [f'{"class":<{width}} threshold  false alarms  an image  images with any',
                 *(f'{name:<{width}} {self.thresholds[name]:9.2f} {count:13d} '
                   f'{count / max(1, self.images):9.3f} {self.touched[name]:16d}'
                   for name, count in self.counts.items()), self.line()]
        worst = list(self.by_image.items())[:_SHOWN]
        if worst:
            lines.append('most in: ' + ', '.join(f'{image} ({count})' for image, count in worst))
        return '\n'.join(lines)


def count(rows: voc_eval.Rows, classes: Sequence[str], thresholds: Mapping[str, float]
          ) -> FalseAlarms:
    """Counts false alarms.

    Args:
        rows: all detections and objects; difficult objects are objects too.
        classes: names of labels 1, 2, ...
        thresholds: by class name; USUAL for those that are missing.
    """
    bounds = {name: thresholds.get(name, USUAL) for name in classes}
    empty = np.ones(len(rows.names), bool)
    empty[rows.object_image] = False
    alarm = empty[rows.image] & (rows.scores > np.array([1., *bounds.values()])[rows.labels])
    labels, images = rows.labels[alarm], rows.image[alarm]
    found, numbers = np.unique(images, return_counts=True)
    order = np.argsort(-numbers, kind='stable')
    return FalseAlarms(
        int(empty.sum()), bounds,
        {name: int((labels == label).sum()) for label, name in enumerate(classes, start=1)},
        {name: len({*images[labels == label].tolist()})
         for label, name in enumerate(classes, start=1)},
        {rows.names[found[place]]: int(numbers[place]) for place in order})
