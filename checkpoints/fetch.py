"""Downloads weights to start from: ImageNet classifiers, and SSDs that others published. Interrupted, it goes on where it was.

    python3 -m checkpoints.fetch --list
    python3 -m checkpoints.fetch mobilenet_v1             # into checkpoints/mobilenet_v1/, for step 1
    python3 -m checkpoints.fetch balancap_ssd_300_vgg     # then python3 -m checkpoints.convert
"""
import dataclasses
import os
import re
import sys
from collections.abc import Callable, Sequence

from utils.errors import UserError, nearest
from utils.script import quiet, run

with quiet():
    from checkpoints import io as checkpoint
    from checkpoints import published
    from nets import backbones
    from utils import command_line
    from utils.archive import unpack
    from utils.download import download
    from utils.errors import CheckpointError, DataError


@dataclasses.dataclass(frozen=True)
class Weights:
    """name: for the command line.  folder, file: the checkpoint's place.  url: of its archive.

    Where `file` is '', the url is a page that asks a person, and any checkpoint in the folder is the one.
    """
    name: str
    folder: str
    file: str
    url: str

    @property
    def place(self) -> str:
        """Prefix of the checkpoint, or the folder that any checkpoint will do in, with its '/'."""
        return f'{self.folder}/{self.file}'

    def present(self) -> bool:
        """Whether it is there, as far as its files' names tell."""
        try:
            checkpoint.find(self.place)
        except CheckpointError:
            return False
        return True


def known() -> dict[str, Weights]:
    """Everything that can be fetched, by name: the facts stand in the backbones' specs and in checkpoints.published."""
    specs = [backbones.get(name, depth) for name in backbones.names() for depth in backbones.depths(name)]
    found = [Weights(backbones.weights_name(spec), f'checkpoints/{spec.name}', spec.imagenet.file, spec.imagenet.url)
             for spec in specs]
    found += [Weights(ssd.name, f'checkpoints/{ssd.name}', ssd.file, ssd.url) for ssd in published.catalogue().values()]
    return {weights.name: weights for weights in found}


def fetch(weights: Weights, keep: bool = False, **options: float) -> str:
    """Downloads and unpacks one checkpoint, if it is not there; returns its place.

    Args:
        keep: leave the archive.  options: of utils.download.download.

    Raises:
        DataError: it cannot be had; the line says what to do.
    """
    if weights.present():
        return weights.place
    if not weights.file:
        raise DataError(f'{weights.name} can only be downloaded by hand: open {weights.url} in a browser, and unpack the '
                        f"checkpoint's .index and .data file into {weights.folder}/")
    archive = download(weights.url, f'{weights.folder}/{weights.url.rsplit("/", 1)[1]}', **options)
    unpack(archive, weights.folder, checkpoint_files(weights.file), last=lambda path: path.endswith('.index'))
    if not weights.present():
        raise DataError(f'{archive} holds no {weights.file}; remove it, and look what {weights.url} gives')
    if not keep:
        archive.unlink()
    return weights.place


def checkpoint_files(file: str) -> Callable[[str], str | None]:
    """For utils.archive.unpack: takes one checkpoint's files, of either format, out of whatever folder; nothing else."""
    wanted = re.compile(re.escape(file) + r'(\.index|\.data-\d{5}-of-\d{5})?')

    def target(name):
        base = os.path.basename(name)
        return base if wanted.fullmatch(base) else None
    return target


def table(everything: dict[str, Weights]) -> str:
    """One line per name: whether it is there, where, and where it comes from."""
    width = max(map(len, everything))
    return '\n'.join(f'{"there" if weights.present() else "-":<6}{name:<{width}}  {weights.place}  from {weights.url}'
                     + ('' if weights.file else ' (by hand)') for name, weights in everything.items())


def main(argv: Sequence[str] | None = None) -> None:
    parser = command_line.parser('python3 -m checkpoints.fetch', __doc__)
    parser.add_argument('names', nargs='*', metavar='NAME', help='What to fetch; --list shows the names.')
    parser.add_argument('--list', action='store_true', help='List what can be fetched, and what is there.')
    parser.add_argument('--keep', action='store_true', help='Leave the archives where they were downloaded to.')
    options = parser.parse_args(sys.argv[1:] if argv is None else argv)
    everything = known()
    for name in options.names:
        if name not in everything:
            raise UserError(f"nothing is known as '{name}'{nearest(name, everything)} (--list lists all)")
    if options.list or not options.names:
        print(table(everything))
    for name in options.names:
        print(f'{name}: {fetch(everything[name], options.keep)}')


if __name__ == '__main__':
    run(main)
