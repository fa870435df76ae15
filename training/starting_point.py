"""Where a training starts: its own last checkpoint, another network's, an ImageNet classifier's, or nothing.

One rule per training mode, and one for a folder that holds a training already. No checkpoint is taken or passed over in
silence: `Start.text` and `apply` say which one it is and what fitted.
"""
import dataclasses
import os
import pathlib
import shutil

from checkpoints import io as checkpoint
from nets import backbones
from nets.spec import BackboneSpec
from training import log
from training.trainer import Trainer
from utils.choices import EXISTING, SCRATCH, STEP1, STEP2
from utils.errors import CheckpointError


@dataclasses.dataclass(frozen=True)
class Start:
    """What a training begins with.

    prefix: the checkpoint, None for none.  step: the global step to go on with.
    resumed: it is this training's own checkpoint.  imagenet: it is a classifier's, for the backbone alone.
    origin: the checkpoint that the training started from when it was new.
    """
    prefix: str | None
    step: int = 0
    resumed: bool = False
    imagenet: bool = False
    origin: str | None = None


def record(mode: str, spec: BackboneSpec, folder: str, given: str, restart: bool) -> BackboneSpec:
    """The configured spec with the overrides of the checkpoint that a training starts from, or is resumed from.

    Arguments as for `choose`; a folder of '' is the default one. See `checkpoints.io.spec_of`.
    """
    own = None if restart else checkpoint.newest(folder or checkpoint.default_folder(spec))
    prefix = checkpoint.find(given) if given else own or _earlier(mode, spec, folder)
    return checkpoint.spec_of(prefix, spec) if prefix else spec


def choose(mode: str, spec: BackboneSpec, folder: str, given: str, restart: bool, facts: dict) -> Start:
    """Decides what a training in `folder` starts from; moves aside what another stage left there.

    Args:
        mode: training mode.  folder: the training's output.
        given: the user's checkpoint, '' for none.  restart: do not resume.
        facts: what model.json will say (see `describe`); a training that is resumed must agree with it.

    Raises:
        CheckpointError: names the path that was looked for, and where to get it; or what the folder holds that does not agree.
    """
    own = checkpoint.newest(folder)
    given = checkpoint.find(given) if given else ''
    if own and restart:
        moved = _move_aside(folder, 'earlier')
        given = _after_move(given, folder, moved)
        own = None
    if own:
        return _in_used_folder(mode, spec, folder, given, own, facts)
    return _new(mode, spec, folder, given)


def _in_used_folder(mode, spec, folder, given, own, facts):
    found = checkpoint.read_description(own)
    way_out = 'choose another --output, or move that training aside with --restart=True'
    if not found and not (mode == EXISTING and checkpoint.step_of(own) == 0):
        raise CheckpointError(f'{folder} holds {os.path.basename(own)}, which no training here wrote; {way_out}')
    if not found:
        return _new(mode, spec, folder, given or own)
    if found.get('training_mode') == mode:
        _check_same(found, facts, given, own, way_out)
        return Start(own, checkpoint.step_of(own), resumed=True, origin=found.get('started_from'))
    if mode in (STEP1, SCRATCH):
        raise CheckpointError(f'{folder} holds a training of mode {found.get("training_mode")}; {way_out}')
    moved = _move_aside(folder, found.get('training_mode', 'earlier'))
    return _new(mode, spec, folder, _after_move(given or own, folder, moved))


def _check_same(found, facts, given, own, way_out):
    for key, value in facts.items():
        if key in found and found[key] != value:
            raise CheckpointError(f'{own} was trained with {key} {_short(found[key])}, now it is {_short(value)}; {way_out}')
    if given and os.path.dirname(given) != os.path.dirname(own) and os.path.abspath(given) != found.get('started_from'):
        raise CheckpointError(f'{own} is a training that started from {found.get("started_from")}, not from {given}; {way_out}')


def _short(value):
    text = ', '.join(value) if isinstance(value, list | tuple) else str(value)
    return text if len(text) < 60 else text[:57] + '...'


def _new(mode, spec, folder, given):
    """A training that begins at step 0."""
    if mode == SCRATCH:
        if given:
            raise CheckpointError(f'from_scratch starts from nothing, but checkpoint is {given}; choose another training_mode')
        return Start(None)
    prefix = given or (imagenet_checkpoint(spec) if mode == STEP1 else _trained_before(mode, spec, folder))
    return Start(prefix, imagenet=mode == STEP1, origin=os.path.abspath(prefix))


def imagenet_checkpoint(spec: BackboneSpec) -> str:
    """Prefix of the classifier in checkpoints/<backbone>/; CheckpointError says where to get it."""
    path = f'checkpoints/{spec.name}/{spec.imagenet.file}'
    try:
        return checkpoint.find(path)
    except CheckpointError:
        raise CheckpointError(f'no ImageNet checkpoint at {path}; python3 -m checkpoints.fetch {backbones.weights_name(spec)} '
                              f'fetches it (from {spec.imagenet.url}), or name one with --checkpoint=PATH') from None


def _trained_before(mode, spec, folder):
    """The SSD that step 2 or a fine-tuning starts from when the user names none."""
    if prefix := _earlier(mode, spec, folder):
        return prefix
    before = f'train {STEP1} first' if mode == STEP2 else 'fetch a published SSD (python3 -m checkpoints.fetch --list)'
    raise CheckpointError(f'no checkpoint to start from in {" or ".join(_places(mode, spec, folder))}; {before}, '
                          'or name one with --checkpoint=PATH')


def _earlier(mode, spec, folder) -> str | None:
    """The newest checkpoint of the places where `mode` looks for an SSD."""
    if mode == EXISTING:
        return checkpoint.default(spec)
    return next(filter(None, map(checkpoint.newest, _places(mode, spec, folder))), None)


def _places(mode, spec, folder):
    default = checkpoint.default_folder(spec)
    return {STEP2: [f'{folder or default}/{STEP1}', default, f'{default}/{STEP1}'], EXISTING: [default]}.get(mode, [])


def _move_aside(folder, name) -> str:
    """Moves a training (checkpoints, description, log, best) into folder/<name>, or <name>-2, ...; returns that folder."""
    folder = pathlib.Path(folder)
    target, number = folder / name, 2
    while target.exists():
        target, number = folder / f'{name}-{number}', number + 1
    target.mkdir()
    for path in [*folder.glob('*.ckpt*'), *(folder / name for name in (checkpoint.DESCRIPTION, 'best', *log.NAMES))]:
        if path.exists():
            shutil.move(path, target / path.name)
    print(f'moved the earlier training in {folder} to {target}')
    return str(target)


def _after_move(prefix, folder, moved):
    """Where a checkpoint is after its folder was moved aside."""
    if prefix and os.path.abspath(os.path.dirname(prefix)) == os.path.abspath(folder):
        return os.path.join(moved, os.path.basename(prefix))
    return prefix


def apply(start: Start, trainer: Trainer, spec: BackboneSpec) -> str:
    """Restores what `start` names into the trainer's model; returns lines for the log.

    CheckpointError where it holds nothing of the network, or too little of a backbone that step 1 freezes.
    """
    if start.prefix is None:
        return 'all variables start fresh'
    if start.resumed:
        trainer.resume(start.prefix)
        return f'resumed {start.prefix} at step {trainer.step} (it started from {start.origin or "nothing"})'
    scope = spec.imagenet.scope + '/' if start.imagenet else ''
    result = checkpoint.restore(trainer.model.variables, start.prefix, spec.imagenet.derive, scope, averages=not start.imagenet)
    trainer.start_average()
    if not result.restored:
        raise CheckpointError(f'{start.prefix} holds no variable of {spec.name} (scope {spec.imagenet.scope}); '
                              'is it of another network?')
    if start.imagenet and (result.fresh or result.mismatched):
        raise CheckpointError(f'{start.prefix} does not fill the backbone, which step 1 freezes.\n{result.summary()}')
    return result.summary()
