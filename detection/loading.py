"""Loads the detector of a checkpoint."""
import dataclasses
import os
from collections.abc import Sequence

from checkpoints import fit, restoring, thresholds
from checkpoints import io as checkpoint
from detection.detector import Detector
from nets import backbones, postprocess, ssd
from nets.spec import BackboneSpec
from utils import process
from utils.errors import CheckpointError


def load(given: str | os.PathLike[str] = '', backbone: BackboneSpec | str | None = None,
         precision: str = 'float32', classes: Sequence[str] = (),
         limits: postprocess.Limits | None = None, best: bool = False) -> Detector:
    """Builds the network of a checkpoint and restores all of it; see detection.load.

    best: the thresholds of its classes, where they are known, take the place of the limit's.

    Raises:
        CheckpointError: there is no such checkpoint, it is of another network, lacks some variable,
            or has no classes.
    """
    process.check()
    if isinstance(backbone, str) or (backbone is None and not given):
        backbone = backbones.get((backbone or 'mobilenet_v2').removeprefix('ssd_'))
    prefix = checkpoint.find(given) if given else _default(backbone)
    classes = tuple(checkpoint.read_description(prefix).get('classes') or classes)
    found = fit.compare(prefix, backbone, classes or None)
    if not classes:
        raise CheckpointError(
            f'the classes of {prefix} are unknown: no {checkpoint.DESCRIPTION} beside it lists '
            'them, and none are named')
    found.require(fit.SAME)
    model = ssd.SSD(found.spec, len(classes) + 1, precision=precision).build()
    result = restoring.restore(model.variables, prefix, averages=True)
    if result.fresh or result.mismatched:
        raise CheckpointError(
            f'{prefix} does not fit ssd_{found.spec.name} with {len(classes)} classes: '
            f'{_first(result.mismatched, "of another shape")}{_first(result.fresh, "missing")}')
    limits, by_label = limits or postprocess.Limits(), []
    if best and (known := thresholds.known(prefix)):
        by_label = [known.get(name, limits.score_threshold) for name in classes]
        limits = dataclasses.replace(limits, score_threshold=min(by_label))
    return Detector(model, classes, limits, folded=True, prefix=prefix, thresholds=by_label)


def _default(spec):
    prefix = checkpoint.default(spec)
    if prefix is None:
        raise CheckpointError(
            f'no trained detector in {checkpoint.default_folder(spec)}; train one: '
            f'python3 ssd_train.py --backbone_network=ssd_{spec.name}, '
            'or name one with --checkpoint=PATH')
    return prefix


def _first(names, what):
    return f'{len(names)} variables {what}, first {names[0]}. ' if names else ''
