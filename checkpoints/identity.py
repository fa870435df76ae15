"""Who is who: the id of a training, and of the records on which something was evaluated.

A step number and a folder are no identity: a folder may see several trainings, and a conversion
writes other records to the same place. So a training has a random id, `run` in model.json, and
what was evaluated carries run, step and an id of the records.
"""
import hashlib
import os
import pathlib
import secrets
from collections.abc import Mapping

from checkpoints import io as checkpoint
from datasets import tfrecord

RUN = 'run'  # of model.json; trainings from before have none
MEASURED_ON = ('records_id', 'images')  # what agrees where two mAPs can be compared


def new_run() -> str:
    """An id for a training that begins."""
    return secrets.token_hex(6)


def of_checkpoint(prefix: str) -> dict[str, object]:
    """{'run': id of its training or None, 'step'} of a checkpoint.

    Raises:
        CheckpointError: see checkpoints.io.read_description.
    """
    return {RUN: checkpoint.read_description(prefix).get(RUN), 'step': checkpoint.step_of(prefix)}


def of_records(folder: str | os.PathLike[str]) -> dict[str, str]:
    """{'records': folder, 'records_id': of what its index says} of a record folder.

    The index has the classes, lists, and the number of images and of bytes of every shard.
    """
    content = pathlib.Path(folder, tfrecord.INDEX).read_bytes()
    return {'records': str(folder), 'records_id': hashlib.sha256(content).hexdigest()[:12]}


def agree(one: Mapping, other: Mapping, *keys: str) -> bool:
    """Whether two have the same values; a key that one lacks, being older, is passed over."""
    return all(one.get(key) == other.get(key) for key in keys if key in one and key in other)
