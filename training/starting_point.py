"""Where a training starts: its own last checkpoint, an SSD, an ImageNet classifier, or nothing.

One rule per training mode, and one for a folder that holds a training already. No checkpoint is
taken or passed over in silence: `restore` says which one it is and what fitted.
"""
import dataclasses
import itertools
import os
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
        aside: the subfolder that what the folder holds now has to move to, or ''.
    """
    spec: BackboneSpec
    prefix: str | None
    step: int = 0
    resumed: bool = False
    imagenet: bool = False
    origin: str | None = None
    facts: dict[str, object] = dataclasses.field(default_factory=dict)
    aside: str = ''


def choose(mode: str, spec: BackboneSpec, folder: str, given: str, restart: bool,
           classes: Sequence[str]) -> Start:
    """Decides what a training starts from; changes no file.

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
    """
    own = checkpoint.newest(folder)
    given = checkpoint.find(given) if given else ''
    aside = ''
    if own and restart:
        aside = 'earlier'
    elif own:
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
        aside = earlier_mode if found else ''
    start = _new(mode, spec, folder, given, classes, leaving=own if aside else None)
    return dataclasses.replace(start, aside=_free(folder, aside)) if aside else start


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


def _new(mode, spec, folder, given, classes, leaving):
    """A training that begins at step 0. leaving: a checkpoint that only `given` may name."""
    if mode == SCRATCH and given:
        raise CheckpointError(f'from_scratch starts from nothing, but checkpoint is {given}; '
                              'choose another training_mode')
    prefix, origin = None, None
    if mode != SCRATCH:
        prefix = given or (imagenet_checkpoint(spec) if mode == STEP1
                           else _trained_before(mode, spec, folder, leaving))
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


def _trained_before(mode, spec, folder, leaving):
    """The SSD that step 2 or a fine-tuning starts from when the user names none."""
    default = checkpoint.default_folder(spec)
    if mode == EXISTING:
        places, told = checkpoint.default_places(spec), [default]
        way_out = 'fetch a published SSD (python3 -m checkpoints.fetch --list)'
    else:
        places = told = [f'{folder}/{STEP1}', default, f'{default}/{STEP1}']
        way_out = f'train {STEP1} first'
    for prefix in map(checkpoint.newest, places):
        if prefix and prefix != leaving:
            return prefix
    folders = ' or '.join(dict.fromkeys(told))
    raise CheckpointError(f'no checkpoint to start from in {folders}; {way_out}, or name one with '
                          '--checkpoint=PATH')


def _free(folder, name):
    """A name like `name` that the folder does not hold."""
    names = itertools.chain([name], (f'{name}-{number}' for number in itertools.count(2)))
    return next(free for free in names if not os.path.lexists(os.path.join(folder, free)))


def make_room(start: Start, folder: str, move: bool = True) -> Start:
    """Moves a training (checkpoints, description, log, best) into folder/<start.aside>.

    Args:
        start: as `choose` returned it.
        folder: the training's output.
        move: False where another process has moved it.

    Returns:
        `start`, with its checkpoint where it is afterwards.

    Raises:
        UserError: the disk refuses.
    """
    if not start.aside:
        return start
    target = os.path.join(folder, start.aside)
    if move:
        _move(folder, target)
    here = os.path.abspath(folder)
    if not start.prefix or os.path.dirname(os.path.abspath(start.prefix)) != here:
        return start
    prefix = os.path.join(target, os.path.basename(start.prefix))
    origin = os.path.abspath(prefix)
    return dataclasses.replace(start, prefix=prefix, origin=origin,
                               facts=start.facts | {'started_from': origin})


def _move(folder, target):
    names = [name for name in sorted(os.listdir(folder)) if '.ckpt' in name]
    try:
        os.mkdir(target)
        for name in (*names, checkpoint.DESCRIPTION, 'best', *log.NAMES):
            if os.path.exists(os.path.join(folder, name)):
                shutil.move(os.path.join(folder, name), os.path.join(target, name))
    except OSError as error:
        raise UserError(f'the earlier training in {folder} cannot be moved to {target}: '
                        f'{error.strerror}; choose another --output') from None
    print(f'moved the earlier training in {folder} to {target}')


def restore(start: Start, trainer: Trainer) -> tuple[str, str]:
    """Restores the checkpoint of `start` into the trainer's model.

    Returns:
        Lines that say so, and a report with the names of all variables, or ''.

    Raises:
        CheckpointError: it holds nothing of the network, or too little of a backbone that step 1
            freezes.
    """
    if start.prefix is None:
        return 'all variables start fresh', ''
    if start.resumed:
        trainer.resume(start.prefix)
        return (f'resumed {start.prefix} at step {trainer.step} '
                f'(it started from {start.origin or "nothing"})'), ''
    imagenet = start.spec.imagenet
    ours = start.facts.get('classes')
    theirs = checkpoint.read_description(start.prefix).get('classes')
    merge = {checkpoint.variable_name(v): _rows(ours, theirs) for v in trainer.model.variables
             if '/logits/' in v.name} if theirs not in (None, ours) else {}
    result = checkpoint.restore(
        trainer.model.variables, start.prefix, imagenet.derive,
        scope=imagenet.scope + '/' if start.imagenet else '', averages=True, merge=merge)
    trainer.start_average()
    if not result.restored:
        raise CheckpointError(f'{start.prefix} holds no variable of {start.spec.name} (scope '
                              f'{imagenet.scope}); is it of another network?')
    if start.imagenet and (result.fresh or result.mismatched):
        raise CheckpointError(f'{start.prefix} does not fill the backbone, which step 1 freezes. '
                              f'{result.summary()}')
    return ('\n'.join([result.summary(), *_about_classes(ours, theirs, start.imagenet)]),
            result.report())


def _about_classes(ours, theirs, imagenet):
    """Lines on the heads of a checkpoint's classes."""
    if imagenet or theirs == ours:
        return []
    if theirs is None:
        return ['  the checkpoint does not name its classes: heads of the same shape are taken as '
                'they are']
    kinds = {'known from the checkpoint': [name for name in ours if name in theirs],
             'start fresh': [name for name in ours if name not in theirs],
             'of the checkpoint, left out': [name for name in theirs if name not in ours]}
    return [f'  {len(names)} classes {what}: {_short(names)}' for what, names in kinds.items()
            if names]


def _rows(ours, theirs):
    """A function for checkpoints.io.restore: class scores go by the names of the classes.

    The kernels and biases of a head end in [boxes of a cell * (background and classes)].

    Args:
        ours: names of labels 1, 2, ... of the training.
        theirs: those of the checkpoint.
    """
    pairs = [(label, theirs.index(name) + 1) for label, name in enumerate(ours, 1)
             if name in theirs]

    def merged(value, fresh):
        boxes = fresh.shape[-1] // (len(ours) + 1)
        if value.shape != (*fresh.shape[:-1], boxes * (len(theirs) + 1)):
            return value  # of another network
        if not pairs:
            return None if value.shape == fresh.shape else value
        to, source = zip((0, 0), *pairs, strict=True)
        rows = fresh.reshape(*fresh.shape[:-1], boxes, -1).copy()
        rows[..., to] = value.reshape(*fresh.shape[:-1], boxes, -1)[..., source]
        return rows.reshape(fresh.shape)

    return merged
