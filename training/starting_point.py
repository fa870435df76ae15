"""Where a training starts: its own last checkpoint, an SSD, an ImageNet classifier, or nothing.

One rule per training mode, and one for a folder that holds a training already. No checkpoint is
taken or passed over in silence: `restore` says which one it is and what fitted.
"""
import dataclasses
import itertools
import os
import shutil
import typing
from collections.abc import Sequence

import numpy as np

from checkpoints import fit, identity, restoring
from checkpoints import io as checkpoint
from checkpoints.fit import short
from datasets.class_names import renamed
from evaluation import collect, compare, report
from nets import backbones
from nets.spec import BackboneSpec
from nets.ssd import SCOPE
from training import distribution, keeper, log, state
from training.trainer import Trainer
from utils.choices import EXISTING, SCRATCH, STEP1
from utils.errors import CheckpointError, UserError
from utils.text import counted

_WAY_OUT = 'choose another --output, or move that training aside with --restart=True'
# What belongs to a training beside its checkpoints, also what ssd_test.py says of it.
_BELONGINGS = (checkpoint.DESCRIPTION, keeper.BEST, *log.NAMES, report.PAGE, report.NUMBERS,
               compare.FILE, collect.LOG)


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
        used: what of the checkpoint can be used, in one line.
        aside: the subfolder that what the folder holds now has to move to, or ''.
    """
    spec: BackboneSpec
    prefix: str | None
    step: int = 0
    resumed: bool = False
    imagenet: bool = False
    origin: str | None = None
    facts: dict[str, typing.Any] = dataclasses.field(default_factory=dict)
    used: str = ''
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
    if own and restart or not own and checkpoint.newest(os.path.join(folder, keeper.BEST)):
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
    """This training's own checkpoint, if it fits. found: its description."""
    fitting = fit.compare(own, spec, classes)
    fitting.require(fit.SAME, way_out=_WAY_OUT)
    origin = found.get('started_from')
    elsewhere = given and os.path.dirname(given) != os.path.dirname(own)
    if elsewhere and os.path.abspath(given) != origin:
        raise CheckpointError(f'{own} is a training that started from {origin}, not from {given}; '
                              f'{_WAY_OUT}')
    started = os.path.basename(origin or '') if os.path.dirname(origin or '') == os.path.abspath(
        os.path.dirname(own)) else ''
    written = found.get(keeper.WRITTEN) or sorted(
        step for step in checkpoint.steps_in(os.path.dirname(own))
        if f'{checkpoint.NAME}-{step}' != started)  # a training from before did not list them
    facts = checkpoint.describe(fitting.spec, mode, classes) | {
        'started_from': origin, identity.RUN: found.get(identity.RUN) or identity.new_run(),
        keeper.WRITTEN: written}
    return Start(fitting.spec, own, checkpoint.step_of(own), resumed=True, origin=origin,
                 facts=facts)


def _new(mode, spec, folder, given, classes, leaving):
    """A training that begins at step 0. leaving: a checkpoint that only `given` may name."""
    if mode == SCRATCH and given:
        raise CheckpointError(f'from_scratch starts from nothing, but checkpoint is {given}; '
                              'choose another training_mode')
    prefix, origin, used = None, None, ''
    if mode != SCRATCH:
        prefix = given or (imagenet_checkpoint(spec) if mode == STEP1
                           else _trained_before(mode, spec, folder, leaving))
        origin = os.path.abspath(prefix)
        fitting = fit.compare(prefix, spec, classes, new=mode == STEP1)
        fitting.require(fit.SAME, fit.HEADS, fit.BACKBONE)
        spec, used = fitting.spec, fitting.used()
    facts = checkpoint.describe(spec, mode, classes) | {
        'started_from': origin, identity.RUN: identity.new_run()}
    return Start(spec, prefix, imagenet=mode == STEP1, origin=origin, facts=facts, used=used)


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


def begin(start: Start, folder: str, trainer: Trainer) -> tuple[Start, str, str]:
    """Restores what the training starts from, and then moves aside what the folder holds.

    In this order, a checkpoint that does not fit changes nothing.

    Returns:
        `start` with its checkpoint where it is afterwards, and what `restore` returns.

    Raises:
        CheckpointError, UserError: see `restore` and `make_room`.
    """
    texts = restore(start, trainer)
    moved = distribution.chief_first(
        trainer.strategy, lambda chief: make_room(start, folder, chief))
    said, report = (text.replace(start.prefix or '', moved.prefix or '') if start.aside else text
                    for text in texts)
    return moved, said, report


def make_room(start: Start, folder: str, move: bool = True) -> Start:
    """Moves a training (checkpoints, description, log, best, evaluation) into folder/<start.aside>.

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
        for name in (*names, *_BELONGINGS):
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
        CheckpointError: it does not fill the backbone.
    """
    if start.prefix is None:
        return 'all variables start fresh', ''
    if start.resumed:
        state.resume(trainer, start.prefix)
        return (f'resumed {start.prefix} at step {trainer.step} '
                f'(it started from {start.origin or "nothing"})'), ''
    ours, variables = start.facts.get('classes'), trainer.model.variables
    theirs = checkpoint.read_description(start.prefix).get('classes')
    theirs = theirs and renamed(theirs, ours)
    merge = {checkpoint.variable_name(v): _rows(ours, theirs) for v in variables
             if '/logits/' in v.name} if theirs not in (None, ours) else {}
    if start.imagenet:
        variables = _of_new_ssd(variables, start)
    result = restoring.restore(variables, start.prefix, start.spec.imagenet.derive, averages=True,
                               merge=merge)
    trainer.average.start()
    _check_backbone(result, start)
    lines = [result.summary(), f'  {start.used}', *_about_classes(ours, theirs, start.imagenet)]
    return '\n'.join(lines), result.report()


def _of_new_ssd(variables, start):
    """The backbone, and of an SSD's extra layers those whose kernels fit."""
    shapes = checkpoint.read(start.prefix).get_variable_to_shape_map()
    fitting = tuple(v.name.removesuffix('weights:0') for v in variables
                    if v.name.startswith(f'{SCOPE}/extra_') and v.name.endswith('/weights:0')
                    and shapes.get(checkpoint.variable_name(v)) == v.shape.as_list())
    return [v for v in variables
            if v.name.startswith((start.spec.imagenet.scope + '/', *fitting))]


def _check_backbone(result, start):
    """Refuses to train a backbone of random weights, where a checkpoint is to fill it."""
    scope = start.spec.imagenet.scope + '/'
    restored, fresh, mismatched = (
        [name for name in names if name.startswith(scope)]
        for names in (result.restored, result.fresh, result.mismatched))
    if mismatched or len(fresh) > len(restored) or start.imagenet and fresh:
        raise CheckpointError(f'{start.prefix} does not fill the backbone'
                              + (', which step 1 freezes. ' if start.imagenet else '. ')
                              + result.summary())


def _about_classes(ours, theirs, imagenet):
    """Lines on the heads of a checkpoint's classes."""
    if imagenet or theirs == ours:
        return []
    if theirs is None:
        return ['  the checkpoint does not name its classes: heads of the same shape are taken as '
                'they are']
    kinds = {'known from the checkpoint': [name for name in ours if name in theirs],
             'start from the mean of its classes': [name for name in ours if name not in theirs],
             'of the checkpoint, left out': [name for name in theirs if name not in ours]}
    return [f'  {counted(len(names), "class")} {what}: {short(names)}'
            for what, names in kinds.items() if names]


def _rows(ours, theirs):
    """A function for checkpoints.restoring.restore: class scores go by the names of the classes.

    The kernels and biases of a head end in [boxes of a cell * (background and classes)]. A class
    that the checkpoint does not know begins with the mean of those that it knows: a score of
    whether there is an object.

    Args:
        ours: names of labels 1, 2, ... of the training.
        theirs: those of the checkpoint.
    """
    def merged(value, fresh):
        boxes = fresh.shape[-1] // (len(ours) + 1)
        if value.shape != (*fresh.shape[:-1], boxes * (len(theirs) + 1)):
            return value  # of another network
        rows = value.reshape(*fresh.shape[:-1], boxes, -1).astype(np.float32)
        unknown = rows[..., 1:].mean(axis=-1)
        return np.stack([rows[..., 0], *(
            rows[..., theirs.index(name) + 1] if name in theirs else unknown for name in ours)],
            axis=-1).reshape(fresh.shape)

    return merged
