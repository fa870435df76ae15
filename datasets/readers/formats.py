"""Recognises the format of annotated images by the files that are there. No TensorFlow.

Each reader looks at the same folder. One that is nearly right says what is wrong; its reason is the
answer where no other reader finds anything, and a note where one does.
"""
import collections
import itertools
import json
import os
import pathlib
import re
from collections.abc import Sequence
from typing import NamedTuple

from datasets import annotations, lists
from datasets.images import files_in, is_image, stem
from datasets.readers import boxes_csv, coco, labelme, voc, yolo
from utils.errors import DataError

KNOWN = ('VOC (XML files), COCO (JSON), YOLO (text files), LabelMe (JSON files) and CSV (columns '
         'like filename,class,xmin,ymin,xmax,ymax), each in one folder or in train, valid and test')
_PART = re.compile('annotations|images|labels|imagesets|jpegimages', re.IGNORECASE)
_MOST = 50  # JSON files that are looked into
# A key of a JSON file -> the program that writes it.
_OTHERS = {'_via_img_metadata': 'VIA', 'regions': 'VIA', 'file_attributes': 'VIA',
           'completions': 'Label Studio', 'data': 'Label Studio', 'coordinates': 'CreateML',
           'annotation': 'CreateML', 'Labeled Data': 'Labelbox', 'objects': 'Supervisely',
           'frames': 'BDD100K'}


class Found(NamedTuple):
    """What a path holds.

    Attributes:
        kind: name of the format.
        sources: of that format.
        notes: lines about files that are nearly of another format, and are not read.
    """
    kind: str
    sources: list[annotations.Source]
    notes: list[str]


def recognise(path: str | os.PathLike, images: Sequence[str | os.PathLike] = ()) -> Found:
    """The format of a folder or file that a user names.

    Sources of several folders are called after them: train, valid, test.

    Args:
        path: a folder, or a file of annotations.
        images: folders of the images; (): beneath `path`, or beside it.

    Raises:
        DataError: nothing that is read is there, or more than one format.
    """
    path = pathlib.Path(path)
    if not path.exists():
        raise DataError(f'nothing at {path}')
    if path.suffix.lower() in ('.yaml', '.yml', '.data'):
        path = path.parent
    try:
        found, reasons = _of_file(path, images) if path.is_file() else _of_path(path, images)
    except OSError as error:
        raise DataError(f'{path} cannot be read: {error.strerror}') from None
    if len(found) > 1:
        raise DataError(f'{path} holds {" and ".join(found)}; name the file or folder of one, or '
                        'write --voc=FOLDER or --coco=FILE')
    if not found:
        raise DataError(f'{path}: no annotations that are read; '
                        + ('; '.join(reasons) or f'{_contents(path)}. What is read: {KNOWN}'))
    kind, sources = next(iter(found.items()))
    for source in sources:
        if not source.lists() and not lists.is_split(source.name):
            source.listing = _listing(path if path.is_dir() else path.parent, source)
    notes = [f'not read: {reason}' for reason in reasons]
    return Found(kind, sources, notes + (_unannotated(path, sources) if path.is_dir() else []))


def _of_path(path, images):
    """({format: sources}, reasons) of all that is in a folder."""
    path = _root(path)
    if with_lists := voc.folders_in(path):
        return {'VOC': [voc.Folder(folder, (), images) for folder in with_lists]}, []
    folders = [folder for folder in sorted(path.iterdir()) if folder.is_dir()]
    split = [folder for folder in folders if lists.is_split(folder.name)]
    found, reasons, empty = {}, [], []
    for folder in split:
        parts, problems = _of_folder(folder, [folder, path], folder.name, images)
        for kind, sources in parts.items():
            found.setdefault(kind, []).extend(sources)
        reasons += problems
        empty += [] if parts or problems else [f'{folder}: no annotations']
    if not found:
        return _of_folder(path, [path, path.parent], path.resolve().name, images)
    others = [f'{folder} has annotations too, but is not called train, valid or test'
              for folder in folders if folder not in split and not folder.name.startswith('.')
              and _of_folder(folder, [folder, path], folder.name, images)[0]]
    return found, reasons + empty + others


def _root(path):
    """Where the parts of the data lie: an unpacked archive often is a folder in a folder."""
    folder = path
    while not (voc.folders_in(folder) or any(
            _PART.fullmatch(part.name) or lists.is_split(part.name) for part in folder.iterdir())):
        inner = [part for part in folder.iterdir() if not part.name.startswith(('.', '__MACOSX'))
                 and (part.is_dir() or part.suffix.lower() in ('.csv', '.json', '.xml'))]
        if len(inner) != 1 or not inner[0].is_dir():
            return path
        folder = inner[0]
    return folder


def _of_file(path, images):
    ending = path.suffix.lower()
    if ending in ('.csv', '.tsv'):
        return {'CSV': [boxes_csv.Table(path, path.stem, images)]}, []
    if ending == '.json':
        return {'COCO': [coco.Instances(path, images)]}, []
    if ending == '.xml':
        voc.read_file(path)
        raise DataError(f'{path} is the XML file of one image; name its folder')
    if ending in ('.zip', '.tar', '.gz', '.tgz', '.7z', '.rar'):
        raise DataError(f'{path} is an archive; unpack it and name the folder')
    raise DataError(f'{path} is no file of annotations that is read: {KNOWN}')


def _of_folder(folder, beside, name, images):
    """({format: sources}, reasons) of a folder. beside: where data.yaml may be."""
    found, reasons = {}, []
    readers = {'COCO': lambda: _json(folder, name, images, 'COCO', reasons),
               'CSV': lambda: _tables(folder, name, images, reasons),
               'LabelMe': lambda: _json(folder, name, images, 'LabelMe', []),
               'VOC': lambda: voc.recognised(folder, images),
               'YOLO': lambda: yolo.recognised(folder, beside, name, images)}
    for kind, reader in readers.items():
        try:
            if sources := reader():
                found[kind] = sources
        except DataError as error:
            reasons.append(str(error))
    return found, reasons


def _json(folder, name, images, kind, reasons):
    """The sources of the JSON files of a folder that are COCO's, or LabelMe's."""
    paths = [path for path in files_in(folder) if path.suffix.lower() == '.json']
    direct = [path for path in paths if path.parent == folder
              or path.parent.name.lower() == 'annotations'] or paths
    # COCO's own folder also has captions, keypoints and others of the same images.
    paths = ([path for path in direct if path.stem.startswith('instances')] or direct)[:_MOST]
    problems, sources = [], []
    for path in paths:
        try:
            found = _kind_of_json(path)
        except DataError as error:
            found = ''
            problems.append(str(error))
        if found == kind == 'LabelMe':
            return [labelme.Shapes(folder, name, images)]
        if found == kind == 'COCO':
            sources.append(coco.Instances(path, images))
    reasons += problems[:1]
    return sources


def _kind_of_json(path):
    """'COCO' or 'LabelMe'; DataError says what else a file is."""
    keys = {*coco.read(path)}
    if len({'images', 'annotations', 'categories'} & keys) >= 2:
        return 'COCO'
    if 'shapes' in keys:
        return 'LabelMe'
    owner = next((program for key, program in _OTHERS.items() if key in _keys(path)), '')
    there = ', '.join(sorted(map(str, keys))[:8]) or 'a list'
    raise DataError(f'{path} has {there}' + (f' and looks like {owner}\'s' if owner else '')
                    + ', but neither images, annotations and categories (COCO) nor shapes '
                    '(LabelMe)' + ('; export as COCO' if owner else ''))


def _keys(path):
    """The keys of the outer and of the first inner objects of a JSON file."""
    content = json.loads(path.read_text(encoding='utf-8-sig'))
    found: set[str] = set()
    for _ in range(3):
        if isinstance(content, dict):
            found |= {*content}
            content = next((value for value in content.values()
                            if isinstance(value, (dict, list)) and value), None)
        elif isinstance(content, list) and content:
            content = content[0]
    return found | ({*content} if isinstance(content, dict) else set())


def _tables(folder, name, images, reasons):
    paths = [path for path in files_in(folder) if path.suffix.lower() in ('.csv', '.tsv')]
    direct = [path for path in paths if path.parent == folder] or paths
    tables, problems = [], []
    for path in direct[:_MOST]:
        try:
            boxes_csv.layout_of([*itertools.islice(boxes_csv.read(path), 2)], path)
            tables.append(path)
        except DataError as error:
            problems.append(str(error))
    reasons += [] if tables else problems[:1]
    return [boxes_csv.Table(path, name if len(tables) == 1 else path.stem, images)
            for path in tables]


def _listing(folder, source):
    """Text files beside the data that list images of a source for training or test."""
    found, known = {}, None
    for path in sorted(folder.glob('*.txt')):
        if lists.purpose(path.stem):
            known = known or lists.Known(source.files())
            ids, others = lists.read(path, known)
            if ids and len(ids) >= len(others):
                found[path.stem] = [path]
    return found


def _unannotated(folder, sources):
    """A line about images that no annotation is of, if no source says so itself."""
    if any('images without' in note for source in sources for note in source.notes()):
        return []
    known = {stem(re.split(r'[\\/]', name)[-1]) for source in sources
             for name in source.files().values()}
    others = [path for path in files_in(folder) if is_image(path.name)
              and stem(path.name) not in known]
    return [f'{folder}: images without an annotation, which are left out: {len(others)}, first '
            f'{others[0].relative_to(folder).as_posix()}'] if others else []


def _contents(folder):
    """What a folder holds, for people."""
    counts = collections.Counter(path.suffix.lower() or path.name for path in files_in(folder))
    texts = [ending for ending in counts if not is_image(f'a{ending}')]
    shown = [*sorted(texts), *sorted(set(counts) - set(texts))][:8]
    return 'it holds ' + (', '.join(f'{counts[ending]} {ending}' for ending in shown) or 'nothing')
