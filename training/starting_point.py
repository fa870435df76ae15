"""Where a training starts: its own last checkpoint, an SSD, an ImageNet classifier, or nothing.

One rule per training mode, and one for a folder that holds a training already. No checkpoint is
taken or passed over in silence: `restore` says which one it is and what fitted.
"""
import dataclasses
import os
import pathlib
import shutil
from collections.abc import Sequence

from checkpoints import io as checkpoint
from nets import backbones
from nets.spec import BackboneSpec
from training import log
from training.trainer import Trainer
from utils.choices import EXISTING, SCRATCH, STEP1
from utils.errors import CheckpointError, UserError

_WAY_OUT = 'choose another --output, or move that training aside with --restart=True'


@dataclasses.dataclass(frozen=True)
class Start:
    """What a training begins with.

    Attributes:
        spec: the backbone's, as the checkpoint needs it.
        prefix: the checkpoint; None for none.
        step: the global step to go on with.
        resumed: the checkpoint is this training's own.
        imagenet: the checkpoint is a classifier's, for the backbone alone.
        origin: the checkpoint that the training started from when it was new.
        facts: what model.json says of the training.
    """
    spec: BackboneSpec
    prefix: str | None
    step: int = 0
    resumed: bool = False
    imagenet: bool = False
    origin: str | None = None
    facts: dict[str, object] = dataclasses.field(default_factory=dict)


def choose(mode: str, spec: BackboneSpec, folder: str, given: str, restart: bool,
           classes: Sequence[str]) -> Start:
    """Decides what a training starts from; makes its folder.

    What another stage left in the folder is moved aside.

    Args:
        mode: training mode.
        spec: the configured backbone.
        folder: the training's output.
        given: the user's checkpoint; '' for none.
        restart: do not resume.
        classes: names, without background.

    Raises:
        CheckpointError: names the path that was looked for, and where to get it; or what the folder
            holds that does not agree.
        UserError: the folder cannot be made.
    """
    start = _choose(mode, spec, folder, given, restart, classes)
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise UserError(f'folder {folder} cannot be made: {error.strerror}; '
                        'choose another --output') from None
    return start


def _choose(mode, spec, folder, given, restart, classes):
    own = checkpoint.newest(folder)
    given = checkpoint.find(given) if given else ''
    if own and restart:
        given, own = _move_aside(folder, 'earlier', given), None
    if own:
        found = checkpoint.read_description(own)
        earlier_mode = found.get('training_mode', 'earlier')
        if not found and not (mode == EXISTING and checkpoint.step_of(own) == 0):
            raise CheckpointError(
                f'{folder} holds {os.path.basename(own)}, which no training here wrote; {_WAY_OUT}')
        if found and earlier_mode == mode:
            return _resumed(mode, spec, own, given, found, classes)
        if found and mode in (STEP1, SCRATCH):
            raise CheckpointError(f'{folder} holds a training of mode {earlier_mode}; {_WAY_OUT}')
        given = given or own
        if found:
            given = _move_aside(folder, earlier_mode, given)
    return _new(mode, spec, folder, given, classes)


def _resumed(mode, spec, own, given, found, classes):
    """This training's own checkpoint, if `found`, its description, agrees."""
    spec = checkpoint.spec_of(own, spec)
    facts = checkpoint.describe(spec, mode, classes)
    origin = found.get('started_from')
    for key, value in facts.items():
        if key in found and found[key] != value:
            raise CheckpointError(f'{own} was trained with {key} {_short(found[key])}, now it is '
                                  f'{_short(value)}; {_WAY_OUT}')
    elsewhere = given and os.path.dirname(given) != os.path.dirname(own)
    if elsewhere and os.path.abspath(given) != origin:
        raise CheckpointError(f'{own} is a training that started from {origin}, not from {given}; '
                              f'{_WAY_OUT}')
    return Start(spec, own, checkpoint.step_of(own), resumed=True, origin=origin,
                 facts=facts | {'started_from': origin})


def _short(value):
    text = ', '.join(value) if isinstance(value, list | tuple) else str(value)
    return text if len(text) < 60 else text[:57] + '...'


def _new(mode, spec, folder, given, classes):
    """A training that begins at step 0."""
    if mode == SCRATCH and given:
        raise CheckpointError(f'from_scratch starts from nothing, but checkpoint is {given}; '
                              'choose another training_mode')
    prefix, origin = None, None
    if mode != SCRATCH:
        prefix = given or (imagenet_checkpoint(spec) if mode == STEP1
                           else _trained_before(mode, spec, folder))
        origin = os.path.abspath(prefix)
        spec = checkpoint.spec_of(prefix, spec)
    facts = checkpoint.describe(spec, mode, classes) | {'started_from': origin}
    return Start(spec, prefix, imagenet=mode == STEP1, origin=origin, facts=facts)


def imagenet_checkpoint(spec: BackboneSpec) -> str:
    """Prefix of the classifier in checkpoints/<backbone>/; CheckpointError says where to get it."""
    path = f'checkpoints/{spec.name}/{spec.imagenet.file}'
    try:
        return checkpoint.find(path)
    except CheckpointError:
        raise CheckpointError(
            f'no ImageNet checkpoint at {path}; python3 -m checkpoints.fetch '
            f'{backbones.weights_name(spec)} fetches it (from {spec.imagenet.url}), or name one '
            'with --checkpoint=PATH') from None


def _trained_before(mode, spec, folder):
    """The SSD that step 2 or a fine-tuning starts from when the user names none."""
    default = checkpoint.default_folder(spec)
    if mode == EXISTING:
        prefix, places = checkpoint.default(spec), [default]
        way_out = 'fetch a published SSD (python3 -m checkpoints.fetch --list)'
    else:
        places = [f'{folder}/{STEP1}', default, f'{default}/{STEP1}']
        prefix = next(filter(None, map(checkpoint.newest, places)), None)
        way_out = f'train {STEP1} first'
    if not prefix:
        raise CheckpointError(f'no checkpoint to start from in {" or ".join(places)}; {way_out}, '
                              'or name one with --checkpoint=PATH')
    return prefix


def _move_aside(folder, name, given) -> str:
    """Moves a training (checkpoints, description, log, best) into folder/<name>, or <name>-2, ...

    Returns:
        `given`, a checkpoint or '', where it is afterwards.
    """
    folder = pathlib.Path(folder)
    target, number = folder / name, 2
    while target.exists():
        target, number = folder / f'{name}-{number}', number + 1
    target.mkdir()
    others = [folder / name for name in (checkpoint.DESCRIPTION, 'best', *log.NAMES)]
    for path in [*folder.glob('*.ckpt*'), *others]:
        if path.exists():
            shutil.move(path, target / path.name)
    print(f'moved the earlier training in {folder} to {target}')
    inside = given and os.path.abspath(os.path.dirname(given)) == os.path.abspath(folder)
    return os.path.join(target, os.path.basename(given)) if inside else given


def restore(start: Start, trainer: Trainer) -> str:
    """Restores the checkpoint of `start` into the trainer's model; returns lines for the log.

    Raises:
        CheckpointError: it holds nothing of the network, or too little of a backbone that step 1
            freezes.
    """
    if start.prefix is None:
        return 'all variables start fresh'
    if start.resumed:
        trainer.resume(start.prefix)
        return (f'resumed {start.prefix} at step {trainer.step} '
                f'(it started from {start.origin or "nothing"})')
    imagenet = start.spec.imagenet
    result = checkpoint.restore(
        trainer.model.variables, start.prefix, imagenet.derive,
        scope=imagenet.scope + '/' if start.imagenet else '', averages=True)
    trainer.start_average()
    if not result.restored:
        raise CheckpointError(f'{start.prefix} holds no variable of {start.spec.name} (scope '
                              f'{imagenet.scope}); is it of another network?')
    if start.imagenet and (result.fresh or result.mismatched):
        raise CheckpointError(f'{start.prefix} does not fill the backbone, which step 1 freezes.\n'
                              f'{result.summary()}')
    return result.summary()
