"""Which names of different datasets mean the same class. No TensorFlow."""
from collections.abc import Sequence

# Names of COCO -> VOC's for the same class. All others that both have are equal.
_OF_VOC = {'airplane': 'aeroplane', 'motorcycle': 'motorbike', 'couch': 'sofa',
           'potted plant': 'pottedplant', 'dining table': 'diningtable', 'tv': 'tvmonitor'}


def index(name: str, names: Sequence[str]) -> int | None:
    """The place of a class among others: of the same name, or else of one that means the same.

    Names mean the same in upper and lower case, and where COCO has another word than VOC.

    Returns:
        From 0; None where there is none, or several mean the same.
    """
    if name in names:
        return names.index(name)
    same = [place for place, other in enumerate(names) if _meaning(other) == _meaning(name)]
    return same[0] if len(same) == 1 else None


def _meaning(name):
    name = name.strip().casefold()
    return _OF_VOC.get(name, name)
