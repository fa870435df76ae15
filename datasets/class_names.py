"""Which names of different datasets mean the same class. No TensorFlow."""
from collections.abc import Sequence

# Names of COCO -> VOC's for the same class. All others that both have are equal.
_OF_VOC = {'airplane': 'aeroplane', 'motorcycle': 'motorbike', 'couch': 'sofa',
           'potted plant': 'pottedplant', 'dining table': 'diningtable', 'tv': 'tvmonitor'}


def renamed(names: Sequence[str], others: Sequence[str]) -> list[str]:
    """`names`, where one of `others` stands in place of a name that means the same.

    Names mean the same in upper and lower case, and where COCO has another word than VOC. An equal
    name goes first, and a name that means the same as several of the others stays.
    """
    meanings = [_meaning(name) for name in others]
    result, free = [], set(others) - set(names)
    for name in names:
        same = [other for other, meaning in zip(others, meanings, strict=True)
                if meaning == _meaning(name) and other in free]
        if name in others or len(same) != 1:
            result.append(name)
        else:
            result.append(same[0])
            free.remove(same[0])
    return result


def _meaning(name):
    name = name.strip().casefold()
    return _OF_VOC.get(name, name)
