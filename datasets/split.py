"""Images into training and test, where no lists do it: by a seed and each image's id alone."""
import hashlib
from collections.abc import Iterable

from utils.errors import DataError


def divide(ids: Iterable[str], share: float, seed: int) -> tuple[list[str], list[str]]:
    """-> (training, test), both in the order of `ids`, without an id in common.

    The ids are ranked by a hash of seed and id (SHA-256), and the first `share` of them are for training: the same on every
    machine, whatever the order in which a directory lists its files. At least one image goes to either side.

    Args:
        ids: different from each other.  share: of training, above 0 and below 1.

    Raises:
        DataError: fewer than two images.
    """
    ids = list(ids)
    if len(ids) < 2:
        raise DataError(f'{len(ids)} images cannot be split')
    ranked = sorted(ids, key=lambda image_id: hashlib.sha256(f'{seed} {image_id}'.encode(errors='surrogateescape')).digest())
    training = set(ranked[:min(max(round(share * len(ids)), 1), len(ids) - 1)])
    return [image_id for image_id in ids if image_id in training], [image_id for image_id in ids if image_id not in training]
