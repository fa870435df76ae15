"""Converts an SSD that another project published into a checkpoint of this project, once.

    python3 -m checkpoints.fetch balancap_ssd_300_vgg
    python3 -m checkpoints.convert checkpoints/balancap_ssd_300_vgg checkpoints/ssd_vgg_300
    python3 ssd_demo.py image.jpg --backbone_network=ssd_vgg_300

checkpoints/published.py has the ones that are known. The description (model.json) that is written
beside the weights holds what they need: default boxes, normalization, padding.
"""
import os
import sys
from collections.abc import Sequence

from utils.script import imports, run

with imports():
    from checkpoints import io as checkpoint
    from checkpoints import published
    from datasets import class_lists
    from datasets.readers import voc
    from utils import command_line
    from utils.errors import CheckpointError


def convert(source: str | os.PathLike[str], folder: str | os.PathLike[str],
            classes: Sequence[str] = voc.CLASSES) -> str:
    """Writes folder/model.ckpt-<step> and folder/model.json; returns the prefix.

    Args:
        source: a published SSD, as checkpoints.io.find takes it.
        folder: must hold no checkpoint yet; it is made.
        classes: names of labels 1, 2, ...

    Raises:
        CheckpointError: the source is missing, unreadable or none of the published SSDs, has
            another number of classes, or folder has a checkpoint already.
    """
    prefix = checkpoint.find(source)
    reader = checkpoint.read(prefix, published_too=True)
    shapes = reader.get_variable_to_shape_map()
    ssd = published.recognise(shapes)
    if ssd is None:
        raise CheckpointError(f'{prefix} is none of the published SSDs that are known: '
                              f'{", ".join(published.catalogue())}')
    if missing := [name for name in ssd.variables.values() if name not in shapes]:
        raise CheckpointError(f'{prefix} is {ssd.name}, but has no {missing[0]}')
    if (count := ssd.num_classes(shapes) - 1) != len(classes):
        raise CheckpointError(f'{prefix} has {count} classes, not {len(classes)}; '
                              'name them with --classes_file=FILE (one per line)')
    checkpoint.refuse_used(folder)
    tensors = ssd.convert(lambda name: checkpoint.tensor(reader, prefix, name), shapes)
    written = checkpoint.save(folder, checkpoint.step_of(prefix), tensors)
    checkpoint.write_description(folder, **checkpoint.describe(ssd.spec, '', classes))
    return written


def main(argv: Sequence[str] | None = None) -> None:
    parser = command_line.parser('python3 -m checkpoints.convert', __doc__)
    parser.add_argument('file', help='Published SSD: a prefix, its .index file or its folder.')
    parser.add_argument('output', help='Folder that is written; it must hold no checkpoint yet.')
    parser.add_argument('--classes_file', metavar='FILE', default='',
                        help='Class names of the SSD, one per line. Empty: those of VOC.')
    options = parser.parse_args(sys.argv[1:] if argv is None else argv)
    prefix = convert(options.file, options.output, class_lists.names(options.classes_file))
    network = checkpoint.read_description(prefix)['backbone_network']
    print(f'{prefix}: use it with --backbone_network={network} --checkpoint={options.output}')


if __name__ == '__main__':
    run(main)
