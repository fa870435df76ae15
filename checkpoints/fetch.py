"""Downloads ImageNet classifiers, and SSDs of other projects. Resumes an interrupted download.

python3 -m checkpoints.fetch --list
python3 -m checkpoints.fetch mobilenet_v1           # into checkpoints/mobilenet_v1/, for step 1
python3 -m checkpoints.fetch ssd_mobilenet_v2_coco  # then python3 -m checkpoints.convert
"""
import dataclasses
import os
import re
import sys
from collections.abc import Sequence
from typing import Any

from utils.errors import UserError, nearest
from utils.script import imports, run

with imports():
    from checkpoints import io as checkpoint
    from checkpoints import object_detection, published
    from nets import backbones
    from utils import command_line
    from utils.archive import unpack
    from utils.download import download
    from utils.errors import CheckpointError, DataError


@dataclasses.dataclass(frozen=True)
class Weights:
    """A checkpoint that can be downloaded."""
    name: str  # on the command line
    folder: str
    file: str  # name in the folder; '': any checkpoint there, as `url` is a page for people
    url: str

    @property
    def place(self) -> str:
        """Prefix of the checkpoint, or its folder with a '/'."""
        return f'{self.folder}/{self.file}'

    def present(self) -> bool:
        """Whether its files are there."""
        try:
            checkpoint.find(self.place)
        except CheckpointError:
            return False
        return True


def known() -> dict[str, Weights]:
    """Returns all that can be downloaded, by name; from the specs and what converts SSDs."""
    specs = [
        backbones.get(name, depth) for name in backbones.names() for depth in backbones.depths(name)
    ]
    found = [Weights(backbones.weights_name(spec), f'checkpoints/{spec.name}', spec.imagenet.file,
                     spec.imagenet.url) for spec in specs]
    found += [Weights(ssd.name, f'checkpoints/{ssd.name}', ssd.file, ssd.url)
              for ssd in published.catalogue().values()]
    found += [Weights(name, f'checkpoints/{name}', checkpoint.NAME, url)
              for name, url in object_detection.PUBLISHED.items()]
    return {weights.name: weights for weights in found}


def fetch(weights: Weights, keep: bool = False, **options: Any) -> str:
    """Downloads and unpacks one checkpoint, if it is not there; returns its place.

    Args:
        keep: keep the archive.
        options: of utils.download.download.

    Raises:
        DataError: the checkpoint cannot be downloaded or unpacked.
    """
    if weights.present():
        return weights.place
    if not weights.file:
        raise DataError(f'{weights.name} can only be downloaded by hand: open {weights.url} in a '
                        "browser, and unpack the checkpoint's .index and .data file into "
                        f'{weights.folder}/')
    archive = download(weights.url, f'{weights.folder}/{weights.url.rsplit("/", 1)[1]}', **options)
    wanted = re.compile(re.escape(weights.file) + r'(\.index|\.data-\d{5}-of-\d{5})?|'
                        + re.escape(object_detection.CONFIG))
    unpack(archive, weights.folder, last=lambda path: path.endswith('.index'),
           target=lambda name: base if wanted.fullmatch(base := os.path.basename(name)) else None)
    if not weights.present():
        raise DataError(
            f'{archive} holds no {weights.file}; remove it, and look what {weights.url} gives'
        )
    if not keep:
        archive.unlink()
    return weights.place


def table(everything: dict[str, Weights]) -> str:
    """Returns one line per name: whether it is there, where, and where it comes from."""
    width = max(map(len, everything))
    return '\n'.join(f'{"there" if weights.present() else "-":<6}{name:<{width}}  {weights.place}  '
                     f'from {weights.url}' + ('' if weights.file else ' (by hand)')
                     for name, weights in everything.items())


def main(argv: Sequence[str] | None = None) -> None:
    parser = command_line.parser('python3 -m checkpoints.fetch', __doc__)
    parser.add_argument('names', nargs='*', metavar='NAME',
                        help='What to download; --list shows the names.')
    parser.add_argument('--list', action='store_true',
                        help='List what can be downloaded, and what is there.')
    parser.add_argument('--keep', action='store_true', help='Keep the archives.')
    options = parser.parse_args(sys.argv[1:] if argv is None else argv)
    everything = known()
    for name in options.names:
        if name not in everything:
            raise UserError(
                f"nothing is known as '{name}'{nearest(name, everything)} (--list lists all)"
            )
    if options.list or not options.names:
        print(table(everything))
    for name in options.names:
        print(f'{name}: {fetch(everything[name], options.keep)}')


if __name__ == '__main__':
    run(main)
