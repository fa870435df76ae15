"""Recognises the format of annotated images by the files that are there. No TensorFlow."""
import contextlib
import os
import pathlib
import re
from collections.abc import Iterable

from datasets.readers import annotations, boxes_csv, coco, labelme, voc, yolo
from utils.errors import DataError

KNOWN = ('VOC (XML files), COCO (JSON), YOLO (text files), LabelMe (JSON files) and CSV (columns '
         'like filename,class,xmin,ymin,xmax,ymax), each in one folder or in train, valid and test')
_SPLIT = re.compile('(train|training|val|valid|validation|test|testing)[^a-z]*', re.IGNORECASE)
_PART = re.compile(f'{_SPLIT.pattern}|annotations|images|labels', re.IGNORECASE)
_MOST = 50  # JSON files that are looked into


def recognise(path: str | os.PathLike) -> tuple[str, list[annotations.Source]]:
    """(name of the format, its sources) of a folder or file that a user names.

    Sources of several folders are called after them: train, valid, test.

    Raises:
        DataError: nothing that is read is there, or more than one format.
    """
    path = pathlib.Path(path)
    if not path.exists():
        raise DataError(f'nothing at {path}')
    if path.suffix.lower() in ('.yaml', '.yml'):
        path = path.parent
    found = {kind: sources for kind, sources in _found(path).items() if sources}
    if len(found) > 1:
        raise DataError(f'{path} holds {" and ".join(found)}; name the file or folder of one, or '
                        'write --voc=FOLDER or --coco=FILE')
    if not found:
        raise DataError(f'{path}: no annotations that are read: {KNOWN}{_stranger(path)}')
    return next(iter(found.items()))


def _found(path):
    """{format: sources} of all that is there."""
    if path.is_file():
        return _of_file(path)
    path = _root(path)
    if with_lists := voc.folders_in(path):
        return {'VOC': [voc.Folder(folder, classes=()) for folder in with_lists]}
    folders = [folder for folder in sorted(path.iterdir()) if folder.is_dir()]
    split = [folder for folder in folders if _SPLIT.fullmatch(folder.name)]
    if split:
        found = {}
        for folder in split:
            for kind, sources in _of_folder(folder, [folder, path], folder.name).items():
                found.setdefault(kind, []).extend(sources)
        if any(found.values()):
            return found
    return _of_folder(path, [path, path.parent], path.resolve().name)


def _root(path):
    """Where the parts of the data lie: an unpacked archive often is a folder in a folder."""
    folder = path
    while not (voc.folders_in(folder)
               or any(_PART.fullmatch(part.name) for part in folder.iterdir())):
        inner = [part for part in folder.iterdir() if not part.name.startswith(('.', '__MACOSX'))
                 and (part.is_dir() or part.suffix.lower() in ('.csv', '.json', '.xml'))]
        if len(inner) != 1 or not inner[0].is_dir():
            return path
        folder = inner[0]
    return folder


def _of_file(path):
    if path.suffix.lower() == '.csv':
        return {'CSV': [boxes_csv.Table(path, path.stem)]}
    if path.suffix.lower() == '.json':
        return {'COCO': [coco.Instances(path)]}
    raise DataError(f'{path} is no file of annotations that is read: {KNOWN}')


def _of_folder(folder, lists, name):
    """{format: sources} of a folder. lists: where YOLO's names of classes may be."""
    files = sorted(path for path in folder.iterdir() if path.is_file())
    found = [path for path in files if path.suffix.lower() == '.json']
    nested = sorted(folder.glob('[Aa]nnotations/*.json')) or [
        path for path in sorted(folder.rglob('*.json')) if not found]
    found = [*found, *nested][:_MOST]
    # COCO's own folder also has captions, keypoints and others of the same images.
    found = [path for path in found if path.stem.startswith('instances')] or found
    kinds = {path: _kind_of_json(path) for path in found}
    cocos = [path for path, kind in kinds.items() if kind == 'COCO']
    tables = [path for path in files if path.suffix.lower() == '.csv' and _is_table(path)]
    return {
        'COCO': [coco.Instances(path) for path in cocos],
        'CSV': [boxes_csv.Table(path, name if len(tables) == 1 else path.stem) for path in tables],
        'LabelMe': [labelme.Shapes(folder, name)] if 'LabelMe' in kinds.values() else [],
        'VOC': [voc.Folder(folder, classes=())] if voc.has_xml(folder) else [],
        'YOLO': _yolo(folder, lists, name)}


def _kind_of_json(path):
    keys = set()
    with contextlib.suppress(DataError):
        keys |= {*coco.read(path)}
    return ('COCO' if len({'images', 'annotations', 'categories'} & keys) >= 2
            else 'LabelMe' if {'shapes', 'imagePath'} <= keys else '')


def _is_table(path):
    with contextlib.suppress(DataError):
        return boxes_csv.columns_of(next(boxes_csv.read(path), [])) is not None
    return False


def _stranger(folder):
    """The first file that could be meant, and why it is not read; '' if there is none."""
    for path in sorted(folder.rglob('*')):
        if path.suffix.lower() == '.json':
            try:
                labelme.content_of(path)
            except DataError as error:
                return f'; {error}'
        if path.suffix.lower() in ('.json', '.csv', '.txt') and 'readme' not in path.name.lower():
            return f'; {path} is none of them'
    return ''


def _yolo(folder, lists, name):
    """Labels of images/ and labels/, with or without folders train, ... in both; or of one folder.

    DataError if there are text files of boxes, but no names of the classes.
    """
    images, labels = folder / 'images', folder / 'labels'
    if not (images.is_dir() and labels.is_dir()):
        images = labels = folder
    texts = {path.with_suffix('').relative_to(labels): path for path in labels.rglob('*.txt')}
    pairs = [path for path in images.rglob('*') if voc.is_image(path.name)
             and path.relative_to(images).with_suffix('') in texts]
    if not pairs or not _are_boxes(texts[path.relative_to(images).with_suffix('')]
                                   for path in pairs[:_MOST]):
        return []
    classes = yolo.class_names([*lists, labels, *filter(pathlib.Path.is_dir, labels.iterdir())])
    if not classes:
        raise DataError(f'{folder} has text files of boxes, but no data.yaml, classes.txt or '
                        'obj.names with the names of the classes')
    parts = [part for part in sorted(images.iterdir())
             if part.is_dir() and _SPLIT.fullmatch(part.name) and (labels / part.name).is_dir()]
    return [yolo.Labels(part, labels / part.name, classes, part.name) for part in parts] or [
        yolo.Labels(images, labels, classes, name)]


def _are_boxes(paths: Iterable[pathlib.Path]) -> bool:
    """Whether the first line of some text file is a box; the reader names lines that are none."""
    for path in paths:
        with contextlib.suppress(OSError, ValueError):
            yolo.parse(path.read_text(encoding='utf-8-sig').strip().split('\n')[0])
            return True
    return False
