"""Checkpoints: finding, reading with a list of what fitted, and writing them.

Files are TensorFlow's name-based V2 checkpoints, prefix 'model.ckpt-<step>', keys = slim variable names, so that
`tf.train.load_checkpoint(prefix)` and any slim code read them. V1 checkpoints, as slim's older classifiers are, can be read.
"""
import contextlib
import dataclasses
import json
import os
import pathlib
import re
import shutil
from collections.abc import Callable, Iterable, Mapping

import numpy as np

from checkpoints import convert
from nets.slim_compat import tf
from nets.spec import BackboneSpec
from utils.errors import CheckpointError

Path = str | os.PathLike[str]

NAME = 'model.ckpt'
DESCRIPTION = 'model.json'
ENDINGS = ('.data-00000-of-00001', '.index')
_UNFINISHED = '.writing-'
SHIPPED = 'shipped'  # subfolder of `default_folder` with weights that come with the repository
REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
MOMENTUM = '/Momentum'  # what SGD's slots add to a variable's name
AVERAGE = '/ExponentialMovingAverage'  # what tf.train.ExponentialMovingAverage adds to a variable's name


@dataclasses.dataclass
class Restored:
    """What a restore did, by variable name.

    prefix: of the checkpoint.  restored: taken over.  mismatched: 'name checkpoint shape -> model shape', left as they are.
    fresh: not in the checkpoint, left as they are.  unused: in the checkpoint, not in the model.
    """
    prefix: str
    restored: list[str] = dataclasses.field(default_factory=list)
    mismatched: list[str] = dataclasses.field(default_factory=list)
    fresh: list[str] = dataclasses.field(default_factory=list)
    unused: list[str] = dataclasses.field(default_factory=list)

    def summary(self) -> str:
        """Some lines for the log: counts, and the names of what did not fit, grouped by scope."""
        lines = [f'restored {len(self.restored)} variables from {self.prefix}']
        for what, found in (('other shape, start fresh', self.mismatched), ('not in the checkpoint, start fresh', self.fresh),
                            ('in the checkpoint, not used', self.unused)):
            if found:
                lines.append(f'  {len(found)} {what}: {_grouped(found)}')
        return '\n'.join(lines)


def _grouped(found):
    """Names cut to their first two scopes, each with its count."""
    counts = {}
    for name in found:
        head = name if ' ' in name else '/'.join(name.split('/')[:2])
        counts[head] = counts.get(head, 0) + 1
    shown = [head if count == 1 else f'{head} ({count})' for head, count in counts.items()]
    return ', '.join(shown[:12]) + (f', and {len(shown) - 12} more groups' if len(shown) > 12 else '')


def find(path: Path) -> str:
    """A prefix from what a user may give: a prefix, its .index or .data file, or a folder (see `newest_or_shipped`).

    CheckpointError names the path that was looked for.
    """
    path = str(path)
    if os.path.isdir(path):
        return _newest_or_error(path)
    prefix = re.sub(r'\.(index|data-\d{5}-of-\d{5}|meta)$', '', path)
    if not os.path.exists(prefix + '.index') and not os.path.isfile(prefix):  # a V1 checkpoint is one file
        raise CheckpointError(f'no checkpoint at {path} (looked for {prefix}.index)')
    return prefix


def default_folder(spec: BackboneSpec) -> str:
    """Where the detectors of a backbone are kept, and looked for where the user names no folder."""
    return f'checkpoints/ssd_{spec.name}'


def newest(folder: Path) -> str | None:
    """Prefix of the folder's checkpoint with the highest step, None where there is none."""
    prefixes = [str(index)[:-len('.index')] for index in pathlib.Path(folder).glob('*.ckpt*.index')]
    prefixes += [str(file) for file in pathlib.Path(folder).glob('*.ckpt')]  # V1: one file, as most classifiers of slim
    return max(prefixes, key=lambda prefix: (step_of(prefix), prefix), default=None)


def newest_or_shipped(folder: Path) -> str | None:
    """Prefix of the folder's newest checkpoint, else that of the weights shipped in it, else None."""
    return newest(folder) or newest(os.path.join(folder, SHIPPED))


def trained(spec: BackboneSpec) -> str | None:
    """Prefix of a backbone's detector where the user names none: of `default_folder` below the present folder, else what comes
    with the repository, from whatever folder a script is called; None where there is none.
    """
    return newest_or_shipped(default_folder(spec)) or newest(REPOSITORY / default_folder(spec) / SHIPPED)


def _newest_or_error(folder):
    prefix = newest_or_shipped(folder)
    if prefix is None:
        raise CheckpointError(f'no checkpoint in {folder} (looked for *.ckpt*.index)')
    return prefix


def step_of(prefix: Path) -> int:
    """The step in a prefix's name; 0 where it has none."""
    match = re.search(r'ckpt-(\d+)$', str(prefix))
    return int(match[1]) if match else 0


def read(prefix: Path) -> convert.Reader:
    """-> a reader of the checkpoint; of a published SSD one that has this project's names (`convert.TranslatedReader`).

    CheckpointError where the files are not a whole checkpoint.
    """
    try:
        return convert.translated(tf.train.load_checkpoint(prefix))
    except (tf.errors.OpError, ValueError, RuntimeError, IndexError) as error:
        raise CheckpointError(f'{prefix} is not a readable checkpoint: {str(error).splitlines()[0]}') from None


def record_of(prefix: str, spec: BackboneSpec) -> tuple[BackboneSpec, str]:
    """The record that a checkpoint's weights need -> (record, one line that says so; '' where it is the given one).

    A published SSD brings its own record, and so does a training that began with one.

    Args:
        prefix: as `find` returns it.
        spec: the configured record.

    Raises:
        CheckpointError: the checkpoint is not readable, or follows a published SSD that is not known here.
    """
    facts = read_description(prefix)
    reader = None if facts else read(prefix)
    if isinstance(reader, convert.TranslatedReader):
        return reader.record.spec, f'{prefix} is {reader.text()}'
    name = facts.get('conventions')
    if not name or facts.get('backbone_network') != 'ssd_' + spec.name:
        return spec, ''
    if name not in convert.records():
        raise CheckpointError(f"{prefix} follows '{name}'; known are {', '.join(convert.records())}")
    record = convert.records()[name]
    return record.spec, f'{prefix} follows {record.text()}'


def variable_name(variable: tf.Variable) -> str:
    """Name without TensorFlow's ':0'."""
    return variable.name.split(':')[0]


def restore(variables: Iterable[tf.Variable], prefix: Path, derive: Mapping[str, tuple[str, Callable]] | None = None,
            scope: str = '', averages: bool = False) -> Restored:
    """Assigns from a checkpoint every variable whose name and shape fit; the others stay as they are.

    Args:
        prefix: as `find` returns it.
        derive: {variable name: (name in the checkpoint, function of its array)} for those without a namesake.
        scope: only variables whose names start with it.
        averages: take a variable's moving average where the checkpoint holds one.

    Raises:
        CheckpointError: the checkpoint is not readable.
    """
    reader = read(prefix)
    shapes = reader.get_variable_to_shape_map()
    result, used = Restored(str(prefix)), set()
    for variable in variables:
        name = variable_name(variable)
        if not name.startswith(scope):
            continue
        source, transform = _source(name, shapes, derive or {}, averages)
        if source not in shapes:
            result.fresh.append(name)
            continue
        used |= {name, source}
        value = tensor(reader, prefix, source)
        value = transform(value) if transform else value
        no_number = f'{value.dtype} ' if value.dtype.kind in 'OSUc' else ''
        if no_number or value.shape != tuple(variable.shape):
            result.mismatched.append(f'{name} {no_number}{value.shape} -> {tuple(variable.shape)}')
            continue
        variable.assign(value.astype(variable.dtype.as_numpy_dtype))  # published weights may be float16
        result.restored.append(name)
    result.unused = sorted(set(shapes) - used)
    return result


def _source(name, shapes, derive, averages):
    """What a variable is restored from -> (name in the checkpoint, function of its array or None). A namesake comes first."""
    if name not in shapes:
        return derive.get(name, (name, None))
    return name + AVERAGE if averages and name + AVERAGE in shapes else name, None


def tensor(reader: convert.Reader, prefix: Path, name: str) -> np.ndarray:
    """One array of a checkpoint, [] for a scalar; CheckpointError where the file is damaged."""
    try:
        return np.asarray(reader.get_tensor(name))
    except (tf.errors.OpError, ValueError, IndexError, RuntimeError) as error:
        raise CheckpointError(f'{prefix}: {name} cannot be read: {str(error).splitlines()[0]}') from None


def save(folder: Path, step: int, tensors: Mapping[str, tf.types.experimental.TensorLike], keep: int = 0) -> str:
    """Writes {name: variable or array} as folder/model.ckpt-<step>; returns the prefix.

    Written under another name and renamed, the .index last, so that a checkpoint that can be seen is whole. Works with
    variables of any tf.distribute strategy. With `keep`, only this one stays and the newest of the others, so many in all. One
    process writes to a folder.

    Raises:
        CheckpointError: the disk is full or refuses; what was there before stays.
    """
    prefix = os.path.join(folder, f'{NAME}-{step}')
    try:
        os.makedirs(folder, exist_ok=True)
        _drop_unfinished(folder)
        temporary = os.path.join(folder, f'{_UNFINISHED}{os.getpid()}')
        _write(temporary, tensors)
        for ending in ENDINGS:
            os.replace(temporary + ending, prefix + ending)
    except (OSError, tf.errors.OpError) as error:
        with contextlib.suppress(OSError):
            _drop_unfinished(folder)
        raise CheckpointError(f'cannot write {prefix}: {reason(error)}; {room(folder)}; '
                              f'last checkpoint: {newest(folder) or "none"}') from None
    if keep:
        _drop_old(folder, step, keep)
    return prefix


def _write(prefix, tensors):
    names = sorted(tensors)
    with tf.device('/CPU:0'):
        tf.raw_ops.SaveV2(prefix=prefix, tensor_names=names, shape_and_slices=[''] * len(names),
                          tensors=[tf.convert_to_tensor(tensors[name]) for name in names])


def _drop_unfinished(folder):
    """Removes what a killed process, or a full disk, left half written."""
    for path in pathlib.Path(folder).glob(_UNFINISHED + '*'):
        path.unlink(missing_ok=True)


def reason(error: OSError | tf.errors.OpError) -> str:
    """What an OSError or a tf.errors.OpError says, in one line."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return re.sub(r'^{{function_node \S+}} ', '', str(error.message).splitlines()[0])


def room(folder: Path) -> str:
    """How much the folder's disk has left, in words."""
    try:
        return f'{shutil.disk_usage(folder).free / 1e9:.2f} GB are free on the disk of {folder}'
    except OSError:
        return f'{folder} cannot be reached'


def _drop_old(folder, present, keep):
    """Removes what `save` wrote, but for the step `present` and the `keep` - 1 highest others."""
    steps = {step_of(str(index)[:-len('.index')]) for index in pathlib.Path(folder).glob(f'{NAME}-*.index')} - {present}
    for step in sorted(steps, reverse=True)[keep - 1:]:
        remove(os.path.join(folder, f'{NAME}-{step}'))


def remove(prefix: str) -> None:
    """Deletes a checkpoint's files, the .index first."""
    for ending in reversed(ENDINGS):
        pathlib.Path(prefix + ending).unlink(missing_ok=True)


def write_description(folder: Path, **facts: object) -> None:
    """Writes folder/model.json: what a reader of its checkpoints must know (backbone, classes, ...), as JSON can say it.

    CheckpointError where the disk is full or refuses.
    """
    temporary = os.path.join(folder, f'{_UNFINISHED}{DESCRIPTION}-{os.getpid()}')
    try:
        os.makedirs(folder, exist_ok=True)
        with open(temporary, 'w', encoding='utf-8') as file:
            json.dump(facts, file, indent=1)
            file.write('\n')
        os.replace(temporary, os.path.join(folder, DESCRIPTION))
    except OSError as error:
        raise CheckpointError(f'cannot write {os.path.join(folder, DESCRIPTION)}: {reason(error)}; {room(folder)}') from None


def describe(spec: BackboneSpec, mode: str, classes: Iterable[str]) -> dict[str, object]:
    """What model.json says of a training, beside where it started from."""
    return {'backbone_network': 'ssd_' + spec.name, 'imagenet_scope': spec.imagenet.scope, 'image_size': spec.image_size,
            'default_box_set': spec.box_set, 'default_boxes': spec.box_facts, 'conventions': spec.conventions,
            'training_mode': mode, 'classes': list(classes)}


def read_description(prefix: Path) -> dict:
    """The model.json beside a checkpoint, {} where there is none; CheckpointError where it is no such file."""
    path = os.path.join(os.path.dirname(prefix), DESCRIPTION)
    try:
        with open(path, encoding='utf-8') as file:
            facts = json.load(file)
    except FileNotFoundError:
        return {}
    except (ValueError, OSError, RecursionError) as error:
        raise CheckpointError(f'{path} is not readable JSON: {error}') from None
    if not (isinstance(facts, dict) and _names(facts.get('classes', [])) and isinstance(facts.get('mean_ap', 0), int | float)):
        raise CheckpointError(f'{path} does not describe a detector: an object with "classes", a list of names, is wanted')
    return facts


def _names(classes):
    return isinstance(classes, list) and all(isinstance(name, str) for name in classes)


def parameters(variables: Iterable[tf.Variable]) -> int:
    """Number of values in variables."""
    return int(sum(np.prod(variable.shape) for variable in variables))
