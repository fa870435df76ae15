"""Does a checkpoint fit a network? One comparison, for starting a training and for loading.

It compares what the description (model.json) says, and what the variables show by their names and
by the shapes of the heads. Without a description, the variables alone tell.
"""
import dataclasses
import typing
from collections.abc import Iterator, Mapping, Sequence

from checkpoints import io as checkpoint
from nets import backbones, overrides
from nets.spec import BackboneSpec
from nets.ssd import SCOPE
from preprocessing import normalize
from utils.errors import CheckpointError

# Overrides that a backbone needs, whatever is built on it.
_OF_BACKBONE = ('normalization',)
# How much of a checkpoint a network can use.
SAME = 'same'  # all of it
HEADS = 'heads'  # all of it, but its heads learned other classes or other default boxes
BACKBONE = 'backbone'  # the backbone: it is a classifier, or has heads on other layers
NONE = 'none'  # it is of another backbone


class Difference(typing.NamedTuple):
    """What a checkpoint is, that the network is not (it follows the prefix), and the way out."""
    text: str
    way_out: str = ''


@dataclasses.dataclass(frozen=True)
class Fit:
    """How a checkpoint fits a network.

    Attributes:
        prefix: of the checkpoint.
        spec: the network's, with what the checkpoint's weights need instead (see `spec_of`).
        kind: SAME, HEADS, BACKBONE or NONE.
        differences: the reasons, none for SAME.
    """
    prefix: str
    spec: BackboneSpec
    kind: str
    differences: tuple[Difference, ...] = ()

    def require(self, *kinds: str, way_out: str = '') -> None:
        """Raises CheckpointError, with the first difference, where the kind is none of `kinds`.

        Args:
            kinds: that are enough.
            way_out: replaces that of the difference.
        """
        if self.kind not in kinds:
            first = self.differences[0]
            way_out = way_out or first.way_out
            raise CheckpointError('; '.join(filter(None, (f'{self.prefix} {first.text}', way_out))))

    def used(self) -> str:
        """What of the checkpoint a training that starts from it can use, in one line."""
        reasons = '; '.join(difference.text for difference in self.differences)
        return {SAME: 'all of it is used',
                HEADS: f'all of it is used, the heads as a start: it {reasons}',
                BACKBONE: f'its backbone is used: it {reasons}',
                NONE: f'nothing of it can be used: it {reasons}'}[self.kind]


def compare(prefix: str, configured: BackboneSpec | None = None,
            classes: Sequence[str] | None = None, new: bool = False) -> Fit:
    """Compares a checkpoint with a network.

    Args:
        prefix: as checkpoints.io.find returns it.
        configured: the network's spec; None: what the description says.
        classes: names of the network's labels 1, 2, ...; None: they do not matter.
        new: see `spec_of`.

    Raises:
        CheckpointError: see `spec_of`.
    """
    facts, spec = checkpoint.read_description(prefix), spec_of(prefix, configured, new)
    shapes = checkpoint.layers(checkpoint.read(prefix).get_variable_to_shape_map())
    for kind, found in ((NONE, _of_backbone(facts, spec, shapes)),
                        (BACKBONE, _of_heads(spec, shapes)),
                        (HEADS, _of_what_heads_learned(facts, spec, shapes, classes))):
        if differences := tuple(found):
            return Fit(prefix, spec, kind, differences)
    return Fit(prefix, spec, SAME)


def _of_backbone(facts, spec, shapes):
    """Another backbone: by the description, or as no variable has the scope of this one."""
    expected = {'backbone_network': 'ssd_' + spec.name, 'image_size': spec.image_size,
                'imagenet_scope': spec.imagenet.scope}
    described = _network({facts.get('imagenet_scope')}, facts.get('backbone_network'))
    for key, ours in expected.items():
        if facts.get(key, ours) != ours:
            yield _trained_with(key, facts[key], ours, described)
    scopes = {name.split('/')[0] for name in shapes}
    if spec.imagenet.scope not in scopes:
        yield Difference(f'holds no variable of {spec.name} (scope {spec.imagenet.scope})',
                         _network(scopes))


def _network(scopes, name=None):
    """The way out: the keys that choose a backbone whose variables have one of these scopes."""
    for known in backbones.names():
        for depth in backbones.depths(known):
            if (backbones.get(known, depth).imagenet.scope in scopes
                    and name in (None, f'ssd_{known}')):
                depth = f' --resnet_depth={depth}' if depth else ''
                return f'its network is --backbone_network=ssd_{known}{depth}'
    return 'is it of another network?'


def _of_heads(spec, shapes):
    """No heads like those of the spec: on the same layers, with as many boxes in a cell."""
    if not any(name.startswith(SCOPE + '/') for name in shapes):
        yield Difference('is a classifier, without heads', 'it is a start for ssd_train.py')
        return
    for layer, boxes in zip(spec.head_layers, spec.boxes_per_cell, strict=True):
        name = f'{_head(layer)}/offsets/biases'
        found = list(shapes.get(name, []))
        if found != [4 * boxes]:
            yield Difference(f'has no heads like those of {spec.name}: {name} is '
                             f'{found or "missing"}, wanted is [{4 * boxes}]')
            return


def _head(layer):
    return f'{SCOPE}/{layer.replace("/", "_")}'


def _of_what_heads_learned(facts, spec, shapes, classes) -> Iterator[Difference]:
    """Other default boxes or other classes of the same heads."""
    box_set = facts.get('default_box_set', spec.box_set)
    if box_set != spec.box_set:
        yield _trained_with('default_box_set', box_set, spec.box_set,
                            f'--default_box_set={box_set} has its default boxes')
    elif facts.get('default_boxes', spec.box_facts) != spec.box_facts:
        yield _trained_with('default_boxes', facts['default_boxes'], spec.box_facts)
    if classes is None:
        return
    if 'classes' in facts:
        if facts['classes'] != list(classes):
            yield _trained_with('classes', facts['classes'], classes)
        return
    layer, boxes = spec.head_layers[0], spec.boxes_per_cell[0]
    count = shapes.get(f'{_head(layer)}/logits/biases', [0])[0] // boxes - 1
    if count != len(classes):
        yield Difference(f'has {count} classes, not {len(classes)}',
                         f'it has no {checkpoint.DESCRIPTION} beside it; classes other than those '
                         'of VOC are named to ssd_demo.py with --classes_file=FILE')


def _trained_with(key, theirs, ours, way_out=''):
    return Difference(f'was trained with {key} {short(theirs)}, configured is {short(ours)}',
                      way_out)


def short(value: object) -> str:
    """A value as text for a line: lists without brackets, long ones cut."""
    if isinstance(value, Mapping):
        return ', '.join(f'{key} {part}' for key, part in value.items())
    text = ', '.join(value) if isinstance(value, list | tuple) else str(value)
    return text if len(text) < 60 else text[:57] + '...'


def spec_of(prefix: str, configured: BackboneSpec | None = None,
            new: bool = False) -> BackboneSpec:
    """The spec of a checkpoint's network.

    Args:
        prefix: as checkpoints.io.find returns it.
        configured: the configured spec; where the checkpoint is of that backbone, its overrides
            (see nets.overrides) are applied. None: all is as its description says.
        new: the network gets heads of its own; only what the checkpoint's backbone needs counts.

    Raises:
        CheckpointError: the checkpoint or its description is not readable, or describes no network
            that is known here.
    """
    facts = checkpoint.read_description(prefix)
    if not facts:
        checkpoint.read(prefix)  # a published SSD is named as such
    name = facts.get('backbone_network', '').removeprefix('ssd_')
    if configured is None and name not in backbones.names():
        raise CheckpointError(
            f'the backbone of {prefix} is unknown: no {checkpoint.DESCRIPTION} beside it names one '
            f'of {", ".join(backbones.names())}; name it')
    if configured is None:
        specs = [backbones.get(name, depth) for depth in backbones.depths(name)]
        scope, box_set = facts.get('imagenet_scope'), facts.get('default_box_set')
        configured = next((spec for spec in specs if spec.imagenet.scope == scope), specs[0])
        if box_set in configured.box_sets:
            configured = configured.with_box_set(box_set)
    needed = {key: value for key, value in facts.get('overrides', {}).items()
              if not new or key in _OF_BACKBONE}
    if name != configured.name or not needed:
        return configured
    try:
        spec = overrides.apply(configured, needed)
    except ValueError as error:
        raise CheckpointError(f'{checkpoint.DESCRIPTION} beside {prefix}: {error}') from None
    if spec.normalization not in normalize.NORMALIZATIONS:
        raise CheckpointError(f"{prefix} needs normalization '{spec.normalization}'; "
                              f'known: {", ".join(normalize.NORMALIZATIONS)}')
    return spec
