"""Checkpoints and their descriptions: finding, reading and writing the files.

Files are TensorFlow's name-based V2 checkpoints, prefix 'model.ckpt-<step>', keys = slim variable
names, so that `tf.train.load_checkpoint(prefix)` and any slim code read them. V1 checkpoints, as
slim's older classifiers are, can be read.
"""
import contextlib
import json
import os
import pathlib
import re
import shutil
import typing
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from checkpoints import published
from nets.slim_compat import tf
from nets.spec import BackboneSpec
from utils.errors import CheckpointError, DataError

Path = str | os.PathLike[str]

NAME = 'model.ckpt'
DESCRIPTION = 'model.json'
ENDINGS = ('.data-00000-of-00001', '.index')
_UNFINISHED = '.writing-'
SHIPPED = 'shipped'  # subfolder of `default_folder` with weights that come with the repository
REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
MOMENTUM = '/Momentum'  # what SGD's slots add to a variable's name
_OBJECTS = '_CHECKPOINTABLE_OBJECT_GRAPH'
AVERAGE = '/ExponentialMovingAverage'  # what tf.train.ExponentialMovingAverage adds


# Ending of a file that is no checkpoint -> what it is.
_FORMATS = {
    'saved_model.pb': 'an exported SavedModel', '.pb': 'a frozen graph (GraphDef)',
    '.h5': 'a file of Keras weights', '.hdf5': 'a file of Keras weights',
    '.keras': 'a Keras model', '.pth': 'a PyTorch checkpoint', '.pt': 'a PyTorch checkpoint',
    '.tflite': 'an exported TFLite model', '.onnx': 'an exported ONNX model',
    '.npz': 'a NumPy archive', '.safetensors': 'a file of safetensors'}


def find(path: Path) -> str:
    """The prefix of the checkpoint that a user names.

    Args:
        path: a prefix, its .index or .data file, or a folder: then its newest checkpoint, or where
            it has none, that of its subfolder shipped/.

    Raises:
        CheckpointError: there is none; names the path that was looked for.
    """
    path = str(path)
    if os.path.isdir(path):
        prefix = newest(path) or newest(os.path.join(path, SHIPPED))
        if prefix is None:
            raise CheckpointError(_foreign(path) or
                                  f'no checkpoint in {path} (looked for *.ckpt*.index)')
        return prefix
    prefix = re.sub(r'\.(index|data-\d{5}-of-\d{5}|meta)$', '', path)
    # A V1 checkpoint is one file.
    if not os.path.exists(prefix + '.index') and not os.path.isfile(prefix):
        raise CheckpointError(f'no checkpoint at {path} (looked for {prefix}.index)')
    check_path(prefix)
    if not os.path.exists(prefix + '.index') and (mistake := _foreign(prefix)):
        raise CheckpointError(mistake)
    return prefix


def _foreign(path):
    """The message about a file or folder that holds a network in another format; '' for others."""
    names = os.listdir(path) if os.path.isdir(path) else [os.path.basename(path)]
    kind = next((kind for ending, kind in _FORMATS.items()
                 if any(name.lower().endswith(ending) for name in names)), '')
    if not kind and os.path.isdir(path):
        kind = next((f'a checkpoint of another name ({name}), perhaps of TensorFlow 2 or Keras'
                     for name in names if name.endswith('.index')), '')
    if not kind:
        return ''
    return (f'{path} is {kind}; wanted is a checkpoint of ssd_train.py or slim: model.ckpt-1000 '
            'beside its .index and .data files, or their folder')


def newest(folder: Path) -> str | None:
    """The prefix of the folder's checkpoint with the highest step, None where there is none.

    Raises:
        CheckpointError: see `check_path`.
    """
    check_path(folder)
    try:
        names = os.listdir(folder)
    except OSError:
        return None
    # A V1 checkpoint is one file, as most classifiers of slim.
    found = [name.removesuffix('.index') for name in names
             if re.fullmatch(r'.*\.ckpt(.*\.index)?', name, re.DOTALL)]
    prefixes = [os.path.join(folder, name) for name in found]
    return max(prefixes, key=lambda prefix: (step_of(prefix), prefix), default=None)


def default(spec: BackboneSpec) -> str | None:
    """The prefix of a backbone's detector where the user names none, None where there is none."""
    return next(filter(None, map(newest, default_places(spec))), None)


def default_places(spec: BackboneSpec) -> tuple[str, ...]:
    """The folders where a backbone's detector may be, first choice first.

    First `default_folder` below the current folder, last what comes with the repository, from
    whatever folder a script is called.
    """
    folder = default_folder(spec)
    return folder, f'{folder}/{SHIPPED}', str(REPOSITORY / folder / SHIPPED)


def default_folder(spec: BackboneSpec) -> str:
    """Where the detectors of a backbone are kept where the user names no folder."""
    return f'checkpoints/ssd_{spec.name}'


def is_own(folder: Path) -> bool:
    """Whether reports may be written beside a checkpoint.

    Not to what comes with the repository, and not to where the user may not write.
    """
    path = pathlib.Path(folder).resolve()
    shipped = path.name == SHIPPED and path.parents[1] == REPOSITORY / 'checkpoints'
    return not shipped and os.access(path, os.W_OK)


def check_path(path: Path) -> None:
    """Refuses a path that TensorFlow could write to, but not read from: it takes it for a pattern.

    Raises:
        CheckpointError: the path holds [ or a backslash.
    """
    if found := re.search(r'[\[\\]', str(path)):
        raise CheckpointError(f"TensorFlow reads no file in {path}: '{found[0]}' is part of a "
                              'pattern there; rename the folder')


def refuse_used(folder: Path) -> None:
    """Raises CheckpointError where a folder that is to be written holds a checkpoint."""
    if found := newest(folder):
        raise CheckpointError(f'{found} is there already; remove it, or name another folder')


def step_of(prefix: Path) -> int:
    """The step in a prefix's name; 0 where it has none."""
    match = re.search(r'ckpt-(\d+)$', str(prefix))
    return int(match[1]) if match else 0


def read(prefix: Path, published_too: bool = False) -> typing.Any:
    """Opens a checkpoint; returns what `tf.train.load_checkpoint` does.

    Args:
        prefix: as `find` returns it.
        published_too: also an SSD of another project, which nothing but its conversion can use.

    Raises:
        CheckpointError: the files are no whole checkpoint, or of an SSD of another project.
    """
    try:
        reader = tf.train.load_checkpoint(prefix)
        names = reader.get_variable_to_shape_map()
    except (tf.errors.OpError, ValueError, RuntimeError, IndexError) as error:
        raise CheckpointError(f'{prefix} is not a readable checkpoint: '
                              f'{str(error).splitlines()[0]}') from None
    if _OBJECTS in names:
        raise CheckpointError(f'{prefix} is an object-based checkpoint of TensorFlow 2 (tf.train.'
                              'Checkpoint or Keras); only checkpoints of named variables are read, '
                              'as ssd_train.py, slim and TensorFlow 1 write them')
    try:
        foreign = published.name_of(names)
    except DataError as error:
        raise CheckpointError(f'{prefix} is {error}') from None
    if foreign and not published_too:
        raise CheckpointError(f'{prefix} is {foreign}, an SSD of another project; '
                              f'convert it once: python3 -m checkpoints.convert {prefix} OUTPUT')
    return reader


def layers(shapes: Mapping[str, Sequence[int]]) -> dict[str, Sequence[int]]:
    """The variables of a network's layers, out of {name: shape} of all that a checkpoint holds.

    An optimizer's slots, such as <variable>/Momentum, and moving averages have the variable's name
    as their scope; its counters (global_step, beta1_power) are scalars.
    """
    return {name: shape for name, shape in shapes.items()
            if len(shape) and name.rpartition('/')[0] not in shapes and not name.endswith(AVERAGE)}


def variable_name(variable: tf.Variable) -> str:
    """Name without TensorFlow's ':0'."""
    return variable.name.split(':')[0]


def tensor(reader: typing.Any, prefix: Path, name: str) -> np.ndarray:
    """One array of a checkpoint, [] for a scalar; CheckpointError where the file is damaged."""
    try:
        return np.asarray(reader.get_tensor(name))
    except (tf.errors.OpError, ValueError, IndexError, RuntimeError) as error:
        raise CheckpointError(f'{prefix}: {name} cannot be read: '
                              f'{str(error).splitlines()[0]}') from None


def save(folder: Path, step: int,
         tensors: Mapping[str, tf.types.experimental.TensorLike]) -> str:
    """Writes folder/model.ckpt-<step>; returns the prefix.

    It is written under another name and renamed, the .index last, so that a visible checkpoint is
    whole. One process writes to a folder.

    Args:
        folder: is made.
        step: of the training.
        tensors: name -> array, or variable of any tf.distribute strategy.

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
    return prefix


def _write(prefix, tensors):
    names = sorted(tensors)
    with tf.device('/CPU:0'):
        tf.raw_ops.SaveV2(prefix=prefix, tensor_names=names, shape_and_slices=[''] * len(names),
                          tensors=[tf.convert_to_tensor(tensors[name]) for name in names])


def _drop_unfinished(folder):
    """Removes what a killed process, or a full disk, left half written."""
    for name in os.listdir(folder):
        if name.startswith(_UNFINISHED):
            pathlib.Path(folder, name).unlink(missing_ok=True)


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


def steps_in(folder: Path) -> set[int]:
    """The steps of all checkpoints in a folder that are named as `save` names them."""
    names = os.listdir(folder) if os.path.isdir(folder) else []
    found = (re.fullmatch(re.escape(NAME) + r'-(\d+)\.index', name) for name in names)
    return {int(match[1]) for match in found if match}


def remove(folder: Path, step: int) -> None:
    """Removes folder/model.ckpt-<step>, where it is there."""
    for ending in reversed(ENDINGS):  # the .index first
        pathlib.Path(folder, f'{NAME}-{step}{ending}').unlink(missing_ok=True)


def write_description(folder: Path, **facts: object) -> None:
    """Writes folder/model.json: what a reader of its checkpoints must know (see `describe`).

    Raises:
        CheckpointError: the disk is full or refuses.
    """
    temporary = os.path.join(folder, f'{_UNFINISHED}{DESCRIPTION}-{os.getpid()}')
    try:
        os.makedirs(folder, exist_ok=True)
        with open(temporary, 'w', encoding='utf-8') as file:
            json.dump(facts, file, indent=1)
            file.write('\n')
        os.replace(temporary, os.path.join(folder, DESCRIPTION))
    except OSError as error:
        raise CheckpointError(f'cannot write {os.path.join(folder, DESCRIPTION)}: '
                              f'{reason(error)}; {room(folder)}') from None


def describe(spec: BackboneSpec, mode: str, classes: Iterable[str]) -> dict[str, object]:
    """What model.json says of a network.

    Args:
        spec: of the network.
        mode: training mode; '' where there was no training.
        classes: names of labels 1, 2, ...
    """
    facts = {'backbone_network': 'ssd_' + spec.name, 'imagenet_scope': spec.imagenet.scope,
             'image_size': spec.image_size, 'default_box_set': spec.box_set,
             'default_boxes': spec.box_facts, 'classes': list(classes)}
    facts |= {'overrides': dict(spec.overrides)} if spec.overrides else {}
    return facts | ({'training_mode': mode} if mode else {})


def read_description(prefix: Path) -> dict:
    """The model.json beside a checkpoint, {} where there is none.

    Raises:
        CheckpointError: it is not readable, or describes no network.
    """
    path = os.path.join(os.path.dirname(prefix), DESCRIPTION)
    try:
        with open(path, encoding='utf-8') as file:
            facts = json.load(file)
    except FileNotFoundError:
        return {}
    except (ValueError, OSError, RecursionError) as error:
        raise CheckpointError(f'{path} is not readable JSON: {error}') from None
    if not (isinstance(facts, dict) and _well_formed(facts)):
        raise CheckpointError(f'{path} does not describe a detector: an object with "classes", '
                              'a list of names, is wanted')
    return facts


def _well_formed(facts):
    """Whether the facts that are used have the right types."""
    kinds = {'classes': list, 'overrides': dict, 'mean_ap': int | float, 'backbone_network': str,
             'imagenet_scope': str, 'default_box_set': str, 'thresholds': dict, 'written': list}
    return (all(isinstance(facts[key], kind) for key, kind in kinds.items() if key in facts)
            and all(isinstance(name, str) for name in facts.get('classes', []))
            and all(isinstance(step, int) for step in facts.get('written', []))
            and all(isinstance(score, int | float)
                    for score in facts.get('thresholds', {}).values()))


def parameters(variables: Iterable[tf.Variable]) -> int:
    """Number of values in variables."""
    return int(sum(np.prod(variable.shape) for variable in variables))
