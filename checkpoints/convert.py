"""Converts an SSD of another project into a checkpoint of this project, once.

    python3 -m checkpoints.fetch ssd_mobilenet_v2_coco
    python3 -m checkpoints.convert checkpoints/ssd_mobilenet_v2_coco converted
    python3 ssd_demo.py image.jpg --backbone_network=ssd_mobilenet_v2 --checkpoint=converted

Read are the SSDs of checkpoints/published.py, and those with MobilenetV1 and MobilenetV2 of
TensorFlow's Object Detection API (checkpoints/object_detection.py): published ones, and your own
trainings with the API. The description (model.json) that is written beside the weights holds what
they need: default boxes, normalization, layers.
"""
import os
import pathlib
import sys
from collections.abc import Mapping, Sequence

from utils.script import imports, run

with imports():
    from checkpoints import identity, object_detection, published
    from checkpoints import io as checkpoint
    from datasets import class_lists
    from nets import ssd as network
    from utils import command_line
    from utils.errors import CheckpointError, DataError
    from utils.text import counted


def convert(source: str | os.PathLike[str], folder: str | os.PathLike[str],
            labels: Mapping[int, str] | None = None) -> str:
    """Writes folder/model.ckpt-<step> and folder/model.json; returns the prefix.

    Args:
        source: an SSD of another project, as checkpoints.io.find takes it.
        folder: must hold no checkpoint yet; it is made.
        labels: the checkpoint's ids of its classes, and their names; ids that have none are left
            out. None: VOC's or COCO's, where the checkpoint has as many.

    Raises:
        CheckpointError: the source is missing, unreadable or none that is known, has other classes,
            or folder has a checkpoint already.
    """
    prefix = checkpoint.find(source)
    reader = checkpoint.read(prefix, published_too=True)
    shapes = reader.get_variable_to_shape_map()
    ssd = _described(prefix, shapes)
    if missing := [name for name in ssd.variables.values() if name not in shapes]:
        raise CheckpointError(f'{prefix} is {ssd.name}, but has no {missing[0]}')
    labels = _labels(prefix, ssd.num_classes(shapes) - 1, labels, ssd.known_labels())
    checkpoint.refuse_used(folder)
    spec = ssd.spec
    tensors = ssd.convert(lambda name: checkpoint.tensor(reader, prefix, name), shapes, [*labels])
    wanted = {checkpoint.variable_name(variable): tuple(variable.shape)
              for variable in network.SSD(spec, len(labels) + 1).build().variables}
    for name, shape in wanted.items():
        found = tensors[name].shape if name in tensors else 'missing'
        if found != shape:
            raise CheckpointError(f'{prefix} is {ssd.name}, but its {name} is {found}, not {shape}')
    written = checkpoint.save(folder, checkpoint.step_of(prefix),
                              {name: tensors[name] for name in wanted})
    checkpoint.write_description(folder, **checkpoint.describe(spec, '', labels.values()),
                                 **{identity.RUN: identity.new_run()})
    return written


def _described(prefix, shapes):
    """What is known of the SSD with these variables; CheckpointError where nothing is."""
    if ssd := published.recognise(shapes):
        return ssd
    config = pathlib.Path(os.path.dirname(prefix), object_detection.CONFIG)
    try:
        if not object_detection.recognise(shapes):
            known = ', '.join((*published.catalogue(), *object_detection.PUBLISHED))
            raise CheckpointError(f'{prefix} is no SSD that is known: {known}, or trained from one')
        text = config.read_text(encoding='utf-8') if config.is_file() else ''
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(f'{config} cannot be read: {error}') from None
    try:
        return object_detection.described(shapes, text)
    except DataError as error:
        raise CheckpointError(f'{config if text else prefix}: {error}') from None


def _labels(prefix, count, given, known):
    """{id: name} of the classes of a checkpoint with so many of them."""
    way_out = 'name them with --classes_file=FILE: one name per line, or its label_map.pbtxt'
    if given is None and len(known) and max(known) != count:
        raise CheckpointError(f'{prefix} has {count} classes; {way_out}')
    labels = known if given is None else given
    if not labels:
        raise CheckpointError(f'{prefix} has {count} classes without names; {way_out}')
    if given and [*given] == [*range(1, len(given) + 1)] and len(given) != count:
        raise CheckpointError(f'{prefix} has {count} classes, not {len(given)}; {way_out}')
    if min(labels) < 1 or max(labels) > count:
        raise CheckpointError(f'{prefix} has classes 1 to {count}, but a name is given to '
                              f'{max(labels) if min(labels) > 0 else min(labels)}; {way_out}')
    return dict(labels)


def main(argv: Sequence[str] | None = None) -> None:
    parser = command_line.parser('python3 -m checkpoints.convert', __doc__)
    parser.add_argument('file', help='SSD of another project: a prefix, its .index file, or its '
                                     'folder (then the newest).')
    parser.add_argument('output', help='Folder that is written; it must hold no checkpoint yet.')
    parser.add_argument('--classes_file', metavar='FILE', default='',
                        help='Names of the classes, one per line, or the label_map.pbtxt of the '
                             'Object Detection API. Empty: those of VOC or COCO.')
    options = parser.parse_args(sys.argv[1:] if argv is None else argv)
    prefix = convert(options.file, options.output, class_lists.labels(options.classes_file)
                     if options.classes_file else None)
    facts = checkpoint.read_description(prefix)
    print(f'{prefix}: {counted(len(facts["classes"]), "class")}; use it with '
          f'--backbone_network={facts["backbone_network"]} --checkpoint={options.output}')


if __name__ == '__main__':
    run(main)
