"""What a data.yaml says, or Darknet's obj.data: names of classes and lists. No TensorFlow."""
import os
import pathlib
import re
from collections.abc import Sequence
from typing import NamedTuple

from datasets import class_lists

_LISTS = ('train', 'val', 'valid', 'test')


class Setup(NamedTuple):
    """The file of a set of YOLO.

    Attributes:
        names: of the classes 0, 1, ...; () if no file beside the set has any.
        lists: {'train': text files of image names, or folders of images}.
        pose: whether lines of the text files hold key points behind their box.
        notes: lines about what the file names and is not there.
    """
    names: tuple[str, ...] = ()
    lists: dict[str, list[pathlib.Path]] = {}
    pose: bool = False
    notes: tuple[str, ...] = ()


def beside(folders: Sequence[pathlib.Path]) -> Setup:
    """The first data.yaml or obj.data in some folders, and else a list of classes there.

    Raises:
        DataError: a file cannot be read, or its names are no list of names.
    """
    for folder in folders:
        for path in sorted([*folder.glob('*.yaml'), *folder.glob('*.yml'), *folder.glob('*.data')]):
            content = _darknet(path) if path.suffix == '.data' else class_lists.read_yaml(path)
            if 'names' in content or {*_LISTS} & {*content}:
                return _setup(path, content, folders)
    return Setup(class_lists.beside(folders))


def _darknet(path):
    """{key: value} of lines 'train = data/train.txt'."""
    text = class_lists.text_of(path, str(path))
    return dict(re.findall(r'^\s*(\w+)\s*=\s*(.*\S)\s*$', text, re.MULTILINE))


def _setup(path, content, folders):
    named, missing = {}, []
    for key in _LISTS:
        entries = content.get(key) or []
        found = []
        for entry in [entries] if isinstance(entries, str) else entries:
            place = _place(path.parent, [str(content.get('path') or ''), ''], str(entry))
            if place:
                found.append(place)
            else:
                missing.append(f'{path}: {key}: {entry} is not there')
        if found:
            named[key] = found
    if named.get('train') and named.get('train') == named.get('val', named.get('valid')):
        missing.append(f'{path}: train and val are the same images, so there are none to test '
                       'with; --split=0.8 divides them')
        named = {}
    names = _names(path, content.get('names')) or class_lists.beside(folders)
    return Setup(names, named, 'kpt_shape' in content, tuple(missing))


def _names(path, found):
    if isinstance(found, str) and found:
        place = _place(path.parent, [''], found)
        if place and place.is_file():
            return class_lists.read(place).names
    return class_lists.of_yaml(path) if path.suffix != '.data' else ()


def _place(folder, roots, entry):
    """The file or folder that an entry means: as it stands, or by its last parts; or None."""
    parts = [part for part in re.split(r'[\\/]', entry) if part not in ('', '.', '..')]
    for root in roots:
        for start in range(len(parts)):
            place = pathlib.Path(os.path.normpath(folder / root)).joinpath(*parts[start:])
            if os.path.exists(place) and (start == 0 or place != folder):
                return place
    return None
