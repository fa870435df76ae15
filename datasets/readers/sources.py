"""Which images of which source are for training and which for test. No TensorFlow."""
import hashlib
import os
import pathlib
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from datasets import annotations, lists
from datasets.readers import coco, formats, voc
from utils.errors import DataError


class Subset(NamedTuple):
    """Some images of a source. image_set: 'train', 'val', ...; '' if nothing says which."""
    source: annotations.Source
    image_set: str
    ids: list[str]

    @property
    def purpose(self) -> str:
        """'train' or 'test', by the last word of the image set that says it; '' if none does."""
        return lists.purpose(self.image_set)

    @property
    def label(self) -> str:
        """For example 'VOC2007/train'."""
        return f'{self.source.name}/{self.image_set or "all"}'


def voc_folders(folders: Iterable[str], images: Sequence[str] = ()) -> list[voc.Folder]:
    """Each folder once, and those of a VOCdevkit; DataError names the first that is missing."""
    paths = [path for folder in folders
             for path in voc.folders_in(folder) or [pathlib.Path(folder)]]
    return [voc.Folder(path, images=images) for path in dict.fromkeys(paths)]


def coco_files(files: Sequence[str], image_folders: Sequence[str]) -> list[coco.Instances]:
    """COCO files with their image folders: one for each, one for all, or none (each file's own)."""
    if len(image_folders) not in (0, 1, len(files)):
        raise DataError(f'{len(files)} COCO files, but {len(image_folders)} image folders; name '
                        'one, or one for each')
    own = [[folder] for folder in image_folders] if len(image_folders) == len(files) \
        else [image_folders] * len(files)
    return [coco.Instances(*pair) for pair in zip(files, own, strict=True)]


def listed(folders: Sequence[voc.Folder], image_sets: Iterable[str]
           ) -> tuple[list[Subset], list[str]]:
    """The lists in ImageSets/Main of VOC folders.

    Returns:
        The subsets, and one line per list that one folder has and another has not.

    Raises:
        DataError: no folder has one of the lists.
    """
    subsets, problems = [], []
    for image_set in image_sets:
        missing = []
        for folder in folders:
            try:
                subsets.append(Subset(folder, image_set, voc.image_ids(folder.path, image_set)))
            except DataError as error:
                missing.append(str(error))
        if len(missing) == len(folders):
            raise DataError(f'{missing[0]}. Without lists: --split=0.8')
        problems += missing
    return subsets, [f'left out: {problem}' for problem in problems]


def named(files: Sequence[coco.Instances], wanted: Sequence[str] = ()
          ) -> tuple[list[Subset], list[str]]:
    """Each COCO file as one subset, called by a word of its name, or else by its folder.

    Returns:
        The subsets, and lines about what is left out.

    Raises:
        DataError: no file is called as one of `wanted`; with (), all are taken.
    """
    subsets = [Subset(file, _image_set(file.path), file.image_ids()) for file in files]
    return _called(subsets, wanted), _notes(files)


def _called(subsets, wanted):
    chosen = [one for one in subsets if not wanted or one.image_set in wanted]
    if wanted and not chosen:
        raise DataError(f'there are no images called {", ".join(wanted)}; there are: '
                        + ', '.join(one.label for one in subsets))
    if not chosen:
        raise DataError('no list names an annotated image; --split=0.8 divides the images instead')
    return chosen


def _image_set(path: pathlib.Path) -> str:
    return lists.set_of(path.stem, os.path.basename(os.path.dirname(os.path.abspath(path))))


def recognised(paths: Iterable[str], images: Sequence[str] = ()
               ) -> tuple[list[annotations.Source], list[str]]:
    """The sources of files and folders whose format their content tells, and lines that name it.

    images: folders of the images; (): beneath each path, or beside it.
    """
    origins, lines = [], []
    for path in paths:
        found = formats.recognise(path, images)
        origins += found.sources
        lines.append(f'{path}: {found.kind}, ' + ', '.join(
            f'{len(origin.image_ids())} images of {origin.name}' for origin in found.sources))
        lines += [f'note: {note}' for note in found.notes]
    return origins, lines


def by_name(origins: Sequence[annotations.Source], wanted: Sequence[str] = ()
            ) -> tuple[list[Subset], list[str]]:
    """The lists of each source, or its folders train, val, ...; else it is one subset of its name.

    Returns:
        The subsets, and lines about what is left out.

    Raises:
        DataError: none is called as one of `wanted`; with (), all are taken.
    """
    subsets, notes = [], []
    for origin in origins:
        names = origin.lists()
        chosen = [name for name in names if lists.purpose(name) and '_' not in name]
        if wanted:
            chosen = [name for name in names if name in wanted]
        elif {'train', 'trainval'} <= {*chosen}:
            chosen.remove('trainval')
        for name in chosen:
            ids, others = origin.listed(name)
            subsets += [Subset(origin, name, ids)] if ids else []
            notes += [f'note: {origin.name}/{name}: names of no annotated image, which are left '
                      f'out: {len(others)}, first {others[0]}'] if others else []
        if not chosen:
            subsets += _folders_of(origin) or [
                Subset(origin, _image_set(origin.path) or origin.name, origin.image_ids())]
    return _called(subsets, wanted), notes + _notes(origins)


def _folders_of(origin):
    """Subsets by the first folder in what a source calls its images, if all lie in train, ..."""
    grouped: dict[str, list[str]] = {}
    for image_id, name in origin.files().items():
        grouped.setdefault(re.split(r'[\\/]', name)[0], []).append(image_id)
    if len(grouped) > 1 and all(lists.is_split(name, loose=True) for name in grouped):
        return [Subset(origin, name, ids) for name, ids in grouped.items()]
    return []


def divided(origins: Sequence[annotations.Source], share: float, seed: int
            ) -> tuple[list[Subset], list[str]]:
    """All images of each source, divided into train and test; arguments as in `divide`.

    Returns:
        The subsets, and lines about their sizes and about what is left out.
    """
    subsets, sizes = [], []
    for source in origins:
        try:
            training, test = divide(source.image_ids(), share, seed)
        except DataError as error:
            raise DataError(f'{source.name}: {error}') from None
        subsets += [Subset(source, 'train', training), Subset(source, 'test', test)]
        sizes.append(f'{source.name}: {len(training)} images for training and {len(test)} for '
                     f'test, split by seed {seed}')
    return subsets, sizes + _notes(origins)


def divide(ids: Iterable[str], share: float, seed: int) -> tuple[list[str], list[str]]:
    """Divides images by a hash of the seed and their ids.

    The ids with the lowest SHA-256 are for training: the same ids on every machine, in whatever
    order a folder lists its files. Each side gets at least one image.

    Args:
        ids: all different.
        share: part for training, above 0 and below 1.
        seed: another seed divides differently.

    Returns:
        (training, test), both in the order of `ids`.

    Raises:
        DataError: fewer than two images.
    """
    ids = list(ids)
    if len(ids) < 2:
        raise DataError(f'{len(ids)} images cannot be split')

    def digest(image_id):
        return hashlib.sha256(f'{seed} {image_id}'.encode(errors='surrogateescape')).digest()

    count = min(max(round(share * len(ids)), 1), len(ids) - 1)
    training = set(sorted(ids, key=digest)[:count])
    return [i for i in ids if i in training], [i for i in ids if i not in training]


def _notes(origins):
    return [f'note: {line}' for source in origins for line in source.notes()]
