"""Takes over from a checkpoint what fits a model's variables, and lists the rest."""
import collections
import dataclasses
from collections.abc import Callable, Iterable, Mapping

from checkpoints import io as checkpoint
from checkpoints.io import AVERAGE, Path, variable_name
from nets.slim_compat import tf


@dataclasses.dataclass
class Restored:
    """What a restore did, by variable name.

    Attributes:
        prefix: of the checkpoint.
        restored: taken over.
        mismatched: 'name checkpoint shape -> model shape', left as they are.
        fresh: not in the checkpoint, left as they are.
        unused: layers' variables in the checkpoint, not in the model.
    """
    prefix: str
    restored: list[str] = dataclasses.field(default_factory=list)
    mismatched: list[str] = dataclasses.field(default_factory=list)
    fresh: list[str] = dataclasses.field(default_factory=list)
    unused: list[str] = dataclasses.field(default_factory=list)

    def summary(self) -> str:
        """Up to three lines: what was restored, what starts fresh, what was left out."""
        lines = [f'restored {len(self.restored)} variables from {self.prefix}']
        for what, found in (('start fresh', self.mismatched + self.fresh),
                            ('of the checkpoint are not used', self.unused)):
            if found:
                lines.append(f'  {len(found)} {what}: {_grouped(found)}')
        return '\n'.join(lines)

    def report(self) -> str:
        """The names of all variables, by what became of them."""
        parts = {'restored': self.restored, 'of another shape, start fresh': self.mismatched,
                 'not in the checkpoint, start fresh': self.fresh,
                 'in the checkpoint, not used': self.unused}
        return '\n'.join([self.prefix, *(
            line for what, names in parts.items()
            for line in (f'{len(names)} {what}', *(f'  {name}' for name in names)))])


def _grouped(found):
    """Names, without shapes, cut to their first two scopes, each with its count."""
    counts = collections.Counter('/'.join(name.split(' ')[0].split('/')[:2]) for name in found)
    shown = [head if count == 1 else f'{head} ({count})' for head, count in counts.items()]
    more = f', and {len(shown) - 12} more groups' if len(shown) > 12 else ''
    return ', '.join(shown[:12]) + more


def restore(variables: Iterable[tf.Variable], prefix: Path,
            derive: Mapping[str, tuple[str, Callable]] | None = None,
            averages: bool = False, merge: Mapping[str, Callable] | None = None) -> Restored:
    """Assigns from a checkpoint every variable whose name and shape fit; the others stay.

    Args:
        variables: of the model.
        prefix: as checkpoints.io.find returns it.
        derive: variable name -> (name in the checkpoint, function of its array), for variables
            without a namesake.
        averages: take a variable's moving average where the checkpoint holds one; where it holds
            nothing else, that is taken in any case.
        merge: variable name -> function of (array of the checkpoint, the variable's present array),
            which returns what to assign, or None for nothing.

    Raises:
        CheckpointError: the checkpoint is not readable.
    """
    reader = checkpoint.read(prefix)
    shapes = reader.get_variable_to_shape_map()
    result, used = Restored(str(prefix)), set()
    for variable in variables:
        name = variable_name(variable)
        source, transform = _source(name, shapes, derive or {}, averages)
        if source not in shapes:
            result.fresh.append(name)
            continue
        used |= {name, source}
        value = checkpoint.tensor(reader, prefix, source)
        value = transform(value) if transform else value
        if merge and name in merge and (value := merge[name](value, variable.numpy())) is None:
            result.mismatched.append(f'{name} of other classes')
            continue
        no_number = f'{value.dtype} ' if value.dtype.kind in 'OSUc' else ''
        if no_number or value.shape != tuple(variable.shape):
            result.mismatched.append(
                f'{name} {no_number}{value.shape} -> {tuple(variable.shape)}')
            continue
        variable.assign(value.astype(variable.dtype.as_numpy_dtype))  # files may hold float16
        result.restored.append(name)
    result.unused = sorted(set(checkpoint.layers(shapes)) - used)
    return result


def _source(name, shapes, derive, averages):
    """What a variable is restored from: (name in the checkpoint, function of its array or None)."""
    if name + AVERAGE in shapes and (averages or name not in shapes):
        return name + AVERAGE, None
    return (name, None) if name in shapes else derive.get(name, (name, None))
