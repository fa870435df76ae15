"""A trained detector for images, videos and cameras; drawing, files of detections.

    import detection

    detector = detection.load()         # the shipped detector; load('own') for one you trained
    for found in detector('cat.jpg'):
        print(found.name, found.score, found.box)
"""
import contextlib
import os
import typing
from collections.abc import Sequence

import rooms  # noqa: F401

if typing.TYPE_CHECKING:
    from detection.detector import Detector
    from nets.spec import BackboneSpec


def load(checkpoint: str | os.PathLike[str] = '', backbone: 'BackboneSpec | str | None' = None, *,
         precision: str = 'float32', classes: Sequence[str] = (),
         score_threshold: float | str = 'best', **limits: float) -> 'Detector':
    """Loads a trained detector. TensorFlow is imported here, without its messages.

    Args:
        checkpoint: a prefix (.../model.ckpt-1000), its .index file or its folder (then the newest).
            Empty: the newest of checkpoints/ssd_<backbone>/, or what is shipped there.
        backbone: name, such as 'mobilenet_v1', or spec; the checkpoint must agree with it. None:
            what the checkpoint's description says, and mobilenet_v2 where no checkpoint is given.
        precision: of activations, 'float32', 'bfloat16' or 'float16'.
        classes: names, for a checkpoint without a description (model.json) beside it.
        score_threshold: only detections of a higher score; 'best': of a score above that at which
            their class had its best F1 in the checkpoint's evaluation (0.5 where there is none).
        limits: other fields of nets.postprocess.Limits.

    Raises:
        CheckpointError: no such checkpoint, or it does not fit.
        ValueError: a limit is out of its range.
    """
    best = score_threshold == 'best'
    if isinstance(score_threshold, str) and not best:
        raise ValueError(f"score_threshold: {score_threshold!r} is neither a number nor 'best'")
    from utils.script import quiet
    with quiet():
        from detection import loading
        from nets.postprocess import Limits
        from nets.slim_compat import prepare_devices
    with contextlib.suppress(RuntimeError):  # the GPU is in use already, as its user set it up
        prepare_devices()
    settings: dict[str, typing.Any] = {
        'score_threshold': 0.5 if best else score_threshold} | limits
    limit = Limits(**settings)
    return loading.load(checkpoint, backbone, precision, classes, limit, best)
