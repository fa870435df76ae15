"""Which images of which origin are for training and which for test. No TensorFlow."""
import os
import pathlib
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from datasets import annotations, coco, split, voc
from utils.errors import DataError

TRAINING_SETS = ('train', 'trainval')
# What a COCO file may be named after: instances_train2017.json, or train/_annotations.coco.json.
_SETS = ('trainval', 'train', 'minival', 'val', 'valid', 'test')


class Part(NamedTuple):
    """Some images of a source. image_set: 'train', 'val', ...; '' where nothing tells."""
    source: annotations.Source
    image_set: str
    ids: list[str]

    @property
    def label(self) -> str:
        """E.g. 'VOC2007/train'."""
        return f'{self.source.name}/{self.image_set or "all"}'


def voc_folders(folders: Iterable[str]) -> list[voc.Folder]:
    """Each folder once; DataError names the first that does not exist."""
    return [voc.Folder(folder) for folder in dict.fromkeys(folder.rstrip('/') or folder for folder in folders)]


def coco_files(files: Sequence[str], image_folders: Sequence[str]) -> list[coco.Instances]:
    """image_folders: one for each file, or one for all, or none: then each file's own folder."""
    if len(image_folders) not in (0, 1, len(files)):
        raise DataError(f'{len(files)} COCO files, but {len(image_folders)} image folders; name one, or one for each')
    image_folders = list(image_folders) or ['']
    return [coco.Instances(*pair) for pair in zip(files, image_folders * (len(files) // len(image_folders)), strict=True)]


def listed(folders: Sequence[voc.Folder], image_sets: Iterable[str]) -> tuple[list[Part], list[str]]:
    """The lists of ImageSets/Main -> (parts, one line per list that one folder lacks while another has it).

    DataError where a list is in no folder.
    """
    parts, problems = [], []
    for image_set in image_sets:
        missing = []
        for folder in folders:
            try:
                parts.append(Part(folder, image_set, voc.image_ids(folder.path, image_set)))
            except DataError as error:
                missing.append(str(error))
        if len(missing) == len(folders):
            raise DataError(f'{missing[0]}. Without lists: --split=0.8')
        problems += missing
    return parts, [f'left out: {problem}' for problem in problems]


def named(files: Sequence[coco.Instances]) -> tuple[list[Part], list[str]]:
    """Each COCO file as one part, which is called after a word of the file's name, or else after the file's folder.

    -> (parts, lines about what is left out).
    """
    return [Part(file, _image_set(file.path), file.image_ids()) for file in files], _notes(files)


def _image_set(path: pathlib.Path) -> str:
    words = re.split('[^a-z]+', path.stem.lower())
    folder = os.path.basename(os.path.dirname(os.path.abspath(path)))
    return next((name for name in _SETS if name in words), folder if folder in _SETS else '')


def divided(origins: Sequence[annotations.Source], share: float, seed: int) -> tuple[list[Part], list[str]]:
    """All images of each source, split into the parts train and test (see datasets.split).

    -> (parts, lines about the sizes and about what is left out).
    """
    parts, sizes = [], []
    for source in origins:
        try:
            training, test = split.divide(source.image_ids(), share, seed)
        except DataError as error:
            raise DataError(f'{source.name}: {error}') from None
        parts += [Part(source, 'train', training), Part(source, 'test', test)]
        sizes.append(f'{source.name}: {len(training)} images for training and {len(test)} for test, split by seed {seed}')
    return parts, sizes + _notes(origins)


def _notes(origins):
    return [f'note: {line}' for source in origins for line in source.notes()]
