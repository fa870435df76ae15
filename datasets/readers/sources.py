"""Which images of which source are for training and which for test. No TensorFlow."""
import hashlib
import os
import pathlib
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from datasets.readers import annotations, coco, formats, voc
from utils.errors import DataError

# Words in the name of a list or file -> what its images are for: cat_train, Validation,
# instances_train2017.json, train/_annotations.coco.json.
_PURPOSES = {'train': 'train', 'trainval': 'train', 'training': 'train', 'val': 'test',
             'valid': 'test', 'validation': 'test', 'minival': 'test', 'test': 'test',
             'testing': 'test'}


class Subset(NamedTuple):
    """Some images of a source. image_set: 'train', 'val', ...; '' if nothing says which."""
    source: annotations.Source
    image_set: str
    ids: list[str]

    @property
    def purpose(self) -> str:
        """'train' or 'test', by the last word of the image set that says it; '' if none does."""
        return next((_PURPOSES[word] for word in reversed(_words(self.image_set))
                     if word in _PURPOSES), '')

    @property
    def label(self) -> str:
        """For example 'VOC2007/train'."""
        return f'{self.source.name}/{self.image_set or "all"}'


def voc_folders(folders: Iterable[str]) -> list[voc.Folder]:
    """Each folder once, and those of a VOCdevkit; DataError names the first that is missing."""
    paths = [path for folder in folders
             for path in voc.folders_in(folder) or [pathlib.Path(folder)]]
    return [voc.Folder(path) for path in dict.fromkeys(paths)]


def coco_files(files: Sequence[str], image_folders: Sequence[str]) -> list[coco.Instances]:
    """COCO files with their image folders: one for each, one for all, or none (each file's own)."""
    if len(image_folders) not in (0, 1, len(files)):
        raise DataError(f'{len(files)} COCO files, but {len(image_folders)} image folders; name '
                        'one, or one for each')
    if len(image_folders) < 2:
        image_folders = [*image_folders, ''][:1] * len(files)
    return [coco.Instances(*pair) for pair in zip(files, image_folders, strict=True)]


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
    return chosen


def _image_set(path: pathlib.Path) -> str:
    folder = os.path.basename(os.path.dirname(os.path.abspath(path)))
    return next((word for word in (*reversed(_words(path.stem)), folder.lower())
                 if word in _PURPOSES), '')


def _words(name):
    return re.split('[^a-z]+', name.lower())


def recognised(paths: Iterable[str]) -> tuple[list[annotations.Source], list[str]]:
    """The sources of files and folders whose format their content tells, and lines that name it."""
    found, lines = [], []
    for path in paths:
        kind, origins = formats.recognise(path)
        found += origins
        lines.append(f'{path}: {kind}, ' + ', '.join(
            f'{len(origin.image_ids())} images of {origin.name}' for origin in origins))
    return found, lines


def by_name(origins: Sequence[annotations.Source], wanted: Sequence[str] = ()
            ) -> tuple[list[Subset], list[str]]:
    """Each source as one subset, called by its name; VOC's lists where a folder has them.

    Returns:
        The subsets, and lines about what is left out.

    Raises:
        DataError: none is called as one of `wanted`; with (), all are taken.
    """
    subsets = []
    for origin in origins:
        lists = voc.lists_of(origin.path) if isinstance(origin, voc.Folder) else []
        chosen = [name for name in lists if Subset(origin, name, []).purpose and '_' not in name]
        if wanted:
            chosen = [name for name in lists if name in wanted]
        elif {'train', 'trainval'} <= {*chosen}:
            chosen.remove('trainval')
        subsets += [Subset(origin, name, voc.image_ids(origin.path, name)) for name in chosen] or [
            Subset(origin, _image_set(origin.path) or origin.name, origin.image_ids())]
    return _called(subsets, wanted), _notes(origins)


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
