"""Writes the weights of a trained detector alone: no optimizer slots, moving averages as weights.

    python3 -m checkpoints.publish checkpoints/ssd_mobilenet_v1/best shipped --dtype=float16

After ssd_test.py, the best score thresholds of the classes go along.

Trainings of one network that started from each other can be mixed, which often gives better weights
than each of them (Wortsman et al. 2022, "Model soups"):

    python3 -m checkpoints.publish first/model.ckpt-2600 mixed \\
        --mix second/model.ckpt-4000=0.5 --mix third/model.ckpt-400=0.25
"""
import argparse
import contextlib
import os
import sys
from collections.abc import Sequence

import numpy as np

from utils.script import imports, run

with imports():
    from checkpoints import identity, thresholds
    from checkpoints import io as checkpoint
    from utils import command_line
    from utils.errors import CheckpointError

_TYPES = ('float32', 'float16')
# Facts of model.json that go with the weights. Others, such as paths, stay behind.
_FACTS = ('backbone_network', 'imagenet_scope', 'image_size', 'default_box_set', 'classes')
# These go too, where they are: older trainings did not write them, and most have no overrides.
_LATER_FACTS = ('default_boxes', 'overrides')


def publish(source: str | os.PathLike[str], folder: str | os.PathLike[str], dtype: str = 'float16',
            mix: Sequence[tuple[str | os.PathLike[str], float]] = ()) -> str:
    """Writes folder/model.ckpt-<step> and folder/model.json; returns the prefix.

    Args:
        source: as checkpoints.io.find takes it.
        folder: must hold no checkpoint yet; it is made.
        dtype: of the file. Loaded, weights are float32 again; float16 keeps 11 significant bits,
            from 6e-8 to 65504.
        mix: (source, share) of others, whose weights are averaged with those of source; that has
            the share that is left of 1.

    Raises:
        CheckpointError: a source is missing, unreadable or of another network, holds values that
            dtype cannot, the shares leave nothing to source, or folder has a checkpoint already.
    """
    prefix = checkpoint.find(source)
    reader, facts = checkpoint.read(prefix), checkpoint.read_description(prefix)
    if missing := [key for key in _FACTS if key not in facts]:
        raise CheckpointError(f'{prefix} has no {checkpoint.DESCRIPTION} with '
                              f'{", ".join(missing)} beside it')
    checkpoint.refuse_used(folder)
    weights = _mixed(_weights(reader, prefix), prefix, mix)
    weights = {name: _converted(name, value, dtype, prefix) for name, value in weights.items()}
    written = checkpoint.save(folder, checkpoint.step_of(prefix), weights)
    kept = {key: facts[key] for key in _FACTS + _LATER_FACTS if key in facts}
    kept[identity.RUN] = identity.new_run()  # these weights are none of the training's
    found = thresholds.known(prefix)
    if found and not mix:  # of a mean of weights, an evaluation of its own has to tell
        kept[thresholds.KEY] = found
    checkpoint.write_description(folder, **kept)
    return written


def _mixed(weights, prefix, mix):
    """Weighted mean of the weights and those of others."""
    left = 1 - sum(share for _, share in mix)
    if left <= 0:
        raise CheckpointError(f'the shares of the others make {1 - left:g}, which leaves nothing '
                              f'to {prefix}; together they must be below 1')
    result = {name: left * value for name, value in weights.items()}
    for source, share in mix:
        other = checkpoint.find(source)
        values = _weights(checkpoint.read(other), other)
        if _shapes(values) != _shapes(weights):
            raise CheckpointError(f'{other} is of another network than {prefix}')
        for name, value in values.items():
            result[name] = result[name] + share * value
    return result


def _shapes(weights):
    return {name: value.shape for name, value in weights.items()}


def _weights(reader, prefix):
    """{variable name: float32 array} of the model, averages where there are any; no slots."""
    names = reader.get_variable_to_shape_map()
    sources = {name: name + checkpoint.AVERAGE if name + checkpoint.AVERAGE in names else name
               for name in checkpoint.layers(names)}
    # A file may hold float16, which a mean would round anew at each step.
    return {name: checkpoint.tensor(reader, prefix, source).astype(np.float32)
            for name, source in sources.items()}


def _converted(name, value, dtype, prefix):
    with np.errstate(over='ignore'):
        converted = value.astype(dtype)
    if not np.isfinite(converted).all():
        raise CheckpointError(f'{prefix}: {name} reaches {np.abs(value).max():g}, '
                              f'which is no {dtype}; write float32')
    return converted


def _share(text):
    """'PATH=SHARE' -> (path, share)."""
    path, _, share = text.rpartition('=')
    with contextlib.suppress(ValueError):
        if path and 0 < float(share) < 1:
            return path, float(share)
    raise argparse.ArgumentTypeError(f"'{text}' is not CHECKPOINT=SHARE with a share between 0 "
                                     'and 1')


def main(argv: Sequence[str] | None = None) -> None:
    parser = command_line.parser('python3 -m checkpoints.publish', __doc__)
    parser.add_argument('source', help='Checkpoint: a prefix (.../model.ckpt-1000), its .index '
                                       'file or its folder (then the newest).')
    parser.add_argument('folder', help='Folder that is written; it must hold no checkpoint yet.')
    parser.add_argument('--dtype', choices=_TYPES, default='float16',
                        help='Number format of the file.')
    parser.add_argument('--mix', metavar='CHECKPOINT=SHARE', action='append', type=_share,
                        default=[], help='Another training of the same network, and its share of '
                                         'the mean, 0..1. May be given several times.')
    options = parser.parse_args(sys.argv[1:] if argv is None else argv)
    prefix = publish(options.source, options.folder, options.dtype, options.mix)
    size = sum(os.path.getsize(prefix + ending) for ending in checkpoint.ENDINGS)
    print(f'{prefix}: {size / 1e6:.1f} MB')


if __name__ == '__main__':
    run(main)
