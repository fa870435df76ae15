"""Lists of classes: one name per line, label maps, and the names in a data.yaml. No TensorFlow.

A line `cat = kitten, tabby` makes several names of the annotations one class.
"""
import collections
import os
import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import yaml

from datasets.annotations import is_one_line
from utils import prototext
from utils.errors import DataError

VOC = ('aeroplane', 'bicycle', 'bird', 'boat', 'bottle', 'bus', 'car', 'cat', 'chair', 'cow',
       'diningtable', 'dog', 'horse', 'motorbike', 'person', 'pottedplant', 'sheep', 'sofa',
       'train', 'tvmonitor')
# What other programs write before the first class, in small letters. Here it is always label 0.
_BACKGROUND = ('background', '__background__', '_background_', '???', '__ignore__',
               'none_of_the_above')
_MOST_BYTES = 1 << 20  # of a file; a thousand names take 30 KiB
_FILES = ('classes.txt', '*.names', 'labels.txt', 'predefined_classes.txt', '*.pbtxt')


class ClassList(NamedTuple):
    """Classes, in the order of their labels. merged: {another name in annotations: its class}."""
    names: tuple[str, ...]
    merged: Mapping[str, str] = {}


def names(path: str | os.PathLike | None) -> tuple[str, ...]:
    """The class names in a file; '': VOC's 20. DataError as for `read`."""
    return read(path).names if path else VOC


def read(path: str | os.PathLike) -> ClassList:
    """A list of classes: one per line, a label map (.pbtxt), or a YAML file with names.

    Blank lines and lines that start with # do not count. A line 'cat = kitten, tabby' names one
    class and other names of it; 'cat,0' or '0: cat' are numbered lines.

    Raises:
        DataError: the file cannot be read, has no name, or one name twice.
    """
    path, origin = pathlib.Path(path), f'class list {path}'
    if path.suffix.lower() in ('.yaml', '.yml'):
        if found := of_yaml(path):
            return ClassList(found)
        raise DataError(f'{origin} has no names')
    text = text_of(path, origin)
    if found := _label_map(path, text):
        return ClassList(check(list(found.values()), origin))
    lines = [line.strip() for line in text.splitlines()]
    lines = _unnumbered([line for line in lines if line and not line.startswith('#')])
    found = [re.split(r'\s+=\s+', line, maxsplit=1) for line in lines]
    merged = [(other.strip(), name) for name, *rest in found
              for other in ','.join(rest).split(',') if other.strip() not in ('', name)]
    known = check([name for name, *_ in found], origin)
    doubles = [other for other, count in collections.Counter(other for other, _ in merged).items()
               if count > 1 or other in known]
    if doubles:
        raise DataError(f'{origin} names {", ".join(doubles[:5])} twice')
    return ClassList(known, dict(merged))


def labels(path: str | os.PathLike) -> dict[int, str]:
    """{id: name}: the ids of a label map, which may have gaps, or 1, 2, ... of another list.

    Raises:
        DataError: as for `read`.
    """
    path = pathlib.Path(path)
    found = {} if path.suffix.lower() in ('.yaml', '.yml') else _label_map(
        path, text_of(path, f'class list {path}'))
    return found or dict(enumerate(read(path).names, start=1))


def _label_map(path, text):
    """{id: name} of a label_map.pbtxt; {} for another file."""
    if path.suffix.lower() != '.pbtxt' and not re.match(
            r'\s*(#.*\n\s*)*item\s*:?\s*\{', text):
        return {}
    try:
        return prototext.labels(text)
    except DataError as error:
        raise DataError(f'class list {path}: {error}') from None


def text_of(path: pathlib.Path, origin: str) -> str:
    """The text of a small file; DataError, which begins with `origin`, if it cannot be read."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise DataError(f'more than {_MOST_BYTES >> 20} MiB are no list of classes')
        return path.read_text(encoding='utf-8-sig')
    except (OSError, ValueError) as error:
        reason = getattr(error, 'strerror', None) or str(error).splitlines()[0]
        raise DataError(f'{origin} cannot be read: {reason}') from None


def _unnumbered(lines):
    """Names of lines that are all numbered from 0 or 1 (cat,0 or 0: cat), else the lines."""
    for pattern in (r'(?P<name>.*\S)\s*[,;\t]\s*(?P<n>\d{1,5})',
                    r'(?P<n>\d{1,5})\s*[,:;\t]\s*(?P<name>\S.*)'):
        found = [re.fullmatch(pattern, line) for line in lines]
        if lines and all(found):
            numbers = [int(match['n']) for match in found]
            if sorted(numbers) in (list(range(len(lines))), list(range(1, len(lines) + 1))):
                return [match['name'] for _, match in sorted(zip(numbers, found, strict=True))]
    return lines


def check(names: Sequence[str], origin: str) -> tuple[str, ...]:
    """Checks class names; DataError, which begins with `origin`, if they cannot be a class list."""
    doubles = sorted(name for name, count in collections.Counter(names).items() if count > 1)
    if doubles:
        raise DataError(f'{origin} names {", ".join(doubles[:5])} twice')
    if not names:
        raise DataError(f'{origin} is empty')
    for name in names:
        # In the file of a class list, # begins a comment.
        if name != name.strip() or not is_one_line(name) or name.startswith('#'):
            raise DataError(f'{origin} has the class name {name!r}, which a list with one name '
                            'per line cannot hold')
    return tuple(names)


def is_background(name: str) -> bool:
    """Whether other programs call so what is no object."""
    return name.casefold() in _BACKGROUND


def beside(folders: Sequence[pathlib.Path]) -> tuple[str, ...]:
    """The names in the first data.yaml, classes.txt, obj.names or label map of some folders.

    Returns:
        () for none.

    Raises:
        DataError: the file cannot be read, or holds no list of names.
    """
    for folder in folders:
        for path in sorted(folder.glob('*.y*ml')):
            if found := of_yaml(path):
                return found
        for pattern in _FILES:
            for path in sorted(folder.glob(pattern)):
                return read(path).names
    return ()


class _Loader(yaml.BaseLoader):
    """Values as they are written, as text: a class 'no' or '01' is none of YAML's other types."""

    def compose_node(self, parent, index):
        if self.check_event(yaml.AliasEvent):  # of which a few can stand for billions of values
            raise DataError('it repeats a part by an alias (*name), which is not read')
        return super().compose_node(parent, index)


def read_yaml(path: pathlib.Path) -> dict:
    """The content of a YAML file, all values as text; {} for another than a dict.

    DataError if it cannot be read.
    """
    try:
        content = yaml.load(text_of(path, str(path)), _Loader)
    except (DataError, yaml.YAMLError, RecursionError) as error:
        reason = str(error).removeprefix(f'{path} cannot be read: ').splitlines()[0]
        raise DataError(f'{path} cannot be read: {reason}') from None
    return content if isinstance(content, dict) else {}


def of_yaml(path: pathlib.Path) -> tuple[str, ...]:
    """The names of a data.yaml: a list, numbered, or a file beside it; () if it has none."""
    found = read_yaml(path).get('names')
    if isinstance(found, dict):
        numbers = {number.strip(): name for number, name in found.items()}
        missing = [str(n) for n in range(len(numbers)) if str(n) not in numbers]
        if missing:
            raise DataError(f'{path}: names lacks the number {missing[0]}')
        found = [numbers[str(number)] for number in range(len(numbers))]
    if isinstance(found, str) and found and (path.parent / found).is_file():
        return read(path.parent / found).names
    if found is None or found == '':
        return ()
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise DataError(f'{path}: names is {found!r:.60}, no list of names: write [cat, dog], or '
                        'the file of one name per line')
    return check(found, f'{path}: names')
