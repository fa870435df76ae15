"""Sets as strangers bring them: folders renamed, files moved, ids retyped, columns renamed, formats
mixed. Each must become right objects for the right image, or be refused with one line.

Image number k is gray of one level and has one box of its own, so that a wrong pair is seen.
Nothing is written: annotations are read and judged as by ssd_image_to_tf.py, without TensorFlow.
"""
import contextlib
import csv
import io
import json
import pathlib
import shutil

import numpy as np
from PIL import Image

import configs
import ssd_image_to_tf
from benchmarks.faults import Case, Random, pick
from datasets import annotations, judgement, voc_xml
from utils.errors import DataError

_HEIGHT, _WIDTH, _COUNT = 30, 40, 6
_NAMES = ('cat', 'dog')


def strangers(random: Random, folder: pathlib.Path) -> Case:
    """A set of one format, on which strangers worked three times."""
    root = folder / 'set'
    layout = pick(random, ('beside', 'apart', 'split'))
    kind = pick(random, tuple(_WRITERS))
    facts = {'kind': kind, 'layout': layout, 'root': root, 'changed': []}
    _write(random, facts)
    for _ in range(int(random.integers(0, 4))):
        change = pick(random, _CHANGES)
        facts['changed'].append(change.__name__)
        change(random, facts)
    return (), lambda: _read(facts)


def _box(number):
    """xmin, ymin, xmax, ymax of image `number`, pixel edges."""
    return 2 + number, 3 + 2 * number, 20 + 2 * number, 15 + 2 * number


def _write(random, facts):
    """The images, and their annotations."""
    facts['ending'] = pick(random, ('.jpg', '.png', '.JPG'))
    prefix = pick(random, ('', 'img_', 'IMG ', 'a.b-'))
    for number in range(_COUNT):
        part = ('train', 'val')[number % 3 == 2] if facts['layout'] == 'split' else ''
        facts.setdefault('images', {})[number] = (part, f'{prefix}{number}')
        folder = _folders(facts, part)[0]
        folder.mkdir(parents=True, exist_ok=True)
        image = Image.new('L', (_WIDTH, _HEIGHT), 20 + 30 * number)
        image.save(folder / f'{prefix}{number}{facts["ending"]}',
                   'PNG' if facts['ending'] == '.png' else 'JPEG')
    _WRITERS[facts['kind']](random, facts)


def _folders(facts, part):
    """Folders of images and of annotations."""
    root = facts['root']
    if facts['layout'] == 'beside':
        return root, root
    if facts['layout'] == 'apart':
        return root / 'images', root / 'labels'
    return root / part / 'images', root / part / 'labels'


def _by_part(facts):
    parts: dict[str, list] = {}
    for number, (part, name) in facts['images'].items():
        parts.setdefault(part, []).append((number, name))
    return parts.items()


def _text(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding='utf-8')


def _voc(random, facts):
    for part, images in _by_part(facts):
        for number, name in images:
            xmin, ymin, xmax, ymax = _box(number)
            called = pick(random, (name + facts['ending'], name, f'C:\\me\\{name}.png', 'x.jpg'))
            _text(_folders(facts, part)[1] / f'{name}.xml', voc_xml.annotation(
                called, _HEIGHT, _WIDTH,
                [(_NAMES[number % 2], (ymin + 1, xmin + 1, ymax, xmax), 0)]))


def _coco(random, facts):
    identity = pick(random, (int, float, str, '{:06d}'.format))
    kind = pick(random, (int, float, str))
    path = pick(random, ('{}', '{}', 'images/{}', 'C:\\data\\{}', '/home/me/{}',
                         'https://host/a/{}', './{}'))
    shift = pick(random, (0,) * 6 + (1, -1))
    for part, images in _by_part(facts):
        content = {'images': [], 'annotations': [], 'categories': [
            {'id': number + 1, 'name': name} for number, name in enumerate(_NAMES)]}
        for number, name in images:
            xmin, ymin, xmax, ymax = _box(number)
            content['images'].append({'id': number, 'width': _WIDTH, 'height': _HEIGHT,
                                      'file_name': path.format(name + facts['ending'])})
            content['annotations'].append({
                'id': kind(number), 'image_id': identity(number), 'iscrowd': kind(0),
                'category_id': kind(number % 2 + 1 + shift),
                'bbox': [xmin, ymin, xmax - xmin, ymax - ymin]})
        name = f'{part}.json' if part else 'annotations.json'
        _text(facts['root'] / part / name, json.dumps(content))


def _yolo(random, facts):
    first = pick(random, (0,) * 6 + (1,))
    extra = pick(random, ('', '', ' 0.9'))
    for part, images in _by_part(facts):
        for number, name in images:
            xmin, ymin, xmax, ymax = _box(number)
            _text(_folders(facts, part)[1] / f'{name}.txt', (
                f'{number % 2 + first} {(xmin + xmax) / 2 / _WIDTH:.6f} '
                f'{(ymin + ymax) / 2 / _HEIGHT:.6f} {(xmax - xmin) / _WIDTH:.6f} '
                f'{(ymax - ymin) / _HEIGHT:.6f}{extra}\n'))
    _text(*pick(random, ((facts['root'] / 'data.yaml', 'nc: 2\nnames: [cat, dog]\n'),
                         (facts['root'] / 'data.yaml', 'names:\n  0: cat\n  1: dog\n'),
                         (facts['root'] / 'classes.txt', 'cat\ndog\n'),
                         (facts['root'] / 'obj.names', 'cat\ndog\n'))))


def _labelme(random, facts):
    inside = pick(random, ('{}', '..\\images\\{}', '/home/me/{}', ''))
    for part, images in _by_part(facts):
        for number, name in images:
            xmin, ymin, xmax, ymax = _box(number)
            _text(_folders(facts, part)[1] / f'{name}.json', json.dumps({
                'imagePath': inside.format(name + facts['ending']), 'imageHeight': _HEIGHT,
                'imageWidth': _WIDTH, 'shapes': [{
                    'label': _NAMES[number % 2], 'shape_type': 'rectangle',
                    'points': [[xmin, ymin], [xmax, ymax]]}]}))


_COLUMNS = {'image': ('filename', 'Image', 'ImageID', 'image_path', 'file', 'picture'),
            'class': ('class', 'label', 'LabelName', 'category', 'kind'),
            'xmin': ('xmin', 'x1', 'XMin', 'x_from'), 'ymin': ('ymin', 'y1', 'YMin', 'y_from'),
            'xmax': ('xmax', 'x2', 'XMax', 'x_to'), 'ymax': ('ymax', 'y2', 'YMax', 'y_to'),
            'x': ('x', 'bbox_x'), 'y': ('y', 'bbox_y'), 'w': ('width', 'bbox_width', 'w'),
            'h': ('height', 'bbox_height', 'h'), 'bbox': ('bbox', 'box')}


def _csv(random, facts):
    keys = pick(random, (('image', 'class', 'xmin', 'ymin', 'xmax', 'ymax'),
                         ('image', 'class', 'x', 'y', 'w', 'h'), ('image', 'class', 'bbox'),
                         ('image', 'xmin', 'ymin', 'xmax', 'ymax')))
    keys = [keys[at] for at in random.permutation(len(keys))] if random.random() < .3 else keys
    header = [pick(random, _COLUMNS[key][:-1] if random.random() < .9 else _COLUMNS[key])
              for key in keys]
    scale = pick(random, (1, 1, 1, 0))
    separator = pick(random, (',', ';', '\t'))
    for part, images in _by_part(facts):
        file = io.StringIO()
        rows = csv.writer(file, delimiter=separator)
        rows.writerow(header)
        for number, name in images:
            box = np.array(_box(number)) / (1 if scale else [_WIDTH, _HEIGHT] * 2)
            xmin, ymin, xmax, ymax = (float(f'{edge:.7g}') for edge in box)
            values = {'image': pick(random, (name + facts['ending'], name)),
                      'class': _NAMES[number % 2], 'xmin': xmin, 'ymin': ymin, 'xmax': xmax,
                      'ymax': ymax, 'x': xmin, 'y': ymin, 'w': xmax - xmin, 'h': ymax - ymin,
                      'bbox': f'[{xmin}, {ymin}, {xmax - xmin}, {ymax - ymin}]'}
            rows.writerow([values[key] for key in keys])
        _text(facts['root'] / part / f'{part or "boxes"}.csv', file.getvalue())


_WRITERS = {'VOC': _voc, 'COCO': _coco, 'YOLO': _yolo, 'LabelMe': _labelme, 'CSV': _csv}


# ---- what strangers do


def _folder_renamed(random, facts):
    folders = [path for path in facts['root'].rglob('*') if path.is_dir()]
    if folders:
        path = pick(random, sorted(folders))
        target = path.with_name(pick(random, ('pics', 'annots', 'My Images', 'gt', 'JPEGImages',
                                              'data', 'xmls')))
        if not target.exists():
            path.rename(target)


def _files_moved(random, facts):
    """All files of one ending go to another folder."""
    ending = pick(random, (facts['ending'], '.xml', '.json', '.txt', '.csv'))
    target = facts['root'] / pick(random, ('', 'images', 'annotations', 'moved/here'))
    target.mkdir(parents=True, exist_ok=True)
    for path in sorted(facts['root'].rglob(f'*{ending}')):
        if not (target / path.name).exists():
            shutil.move(path, target / path.name)


def _ending_changed(random, facts):
    """Images or annotations are called otherwise."""
    before, after = pick(random, ((facts['ending'], '.jpeg'), (facts['ending'], '.Jpg'),
                                  ('.xml', '.jpg.xml'), ('.xml', '.XML'), ('.json', '.JSON'),
                                  ('.txt', '.TXT')))
    for path in sorted(facts['root'].rglob(f'*{before}')):
        path.rename(path.with_name(path.name.removesuffix(before) + after))


def _names_in_other_case(random, facts):
    for path in sorted(facts['root'].rglob(f'*{facts["ending"]}')):
        path.rename(path.with_name(path.name.upper()))


def _something_lost(random, facts):
    files = [path for path in sorted(facts['root'].rglob('*')) if path.is_file()]
    pick(random, files).unlink()


def _something_beside(random, facts):
    name, text = pick(random, (
        ('README.txt', 'From ...'), ('notes.json', '{"categories": [], "info": {}}'),
        ('.DS_Store', 'x'), ('Thumbs.db', 'x'), ('package.json', '{"name": "a"}'),
        ('data.csv', 'a,b\n1,2\n'), ('project.xml', '<project/>'), ('train.txt', 'nothing\n'),
        ('docker.yaml', 'services: {}\n'), ('captions/0.txt', 'a cat on a mat\n')))
    _text(facts['root'] / name, text)


def _another_format(random, facts):
    _WRITERS[pick(random, tuple(_WRITERS))](random, facts)


def _copied(random, facts):
    """A part stands there twice."""
    paths = [path for path in sorted(facts['root'].rglob('*')) if path.is_file()]
    path = pick(random, paths)
    shutil.copy(path, path.with_name(pick(random, ('copy of ', 'old_')) + path.name))


def _as_one_folder_more(random, facts):
    facts['root'].rename(facts['root'].with_name('inner'))
    facts['root'].mkdir()
    shutil.move(facts['root'].with_name('inner'), facts['root'] / 'inner')


_CHANGES = (_folder_renamed, _folder_renamed, _files_moved, _files_moved, _ending_changed,
            _names_in_other_case, _something_lost, _something_beside, _another_format, _copied,
            _as_one_folder_more)


# ---- what is read


def _read(facts):
    """Whether all images are read; prints what is refused, AssertionError for what is wrong."""
    split = () if facts['layout'] == 'split' else ('--split=0.5',)
    config = configs.load('ssd_image_to_tf', ['--data=set', *split])
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        subsets = ssd_image_to_tf.select(config)
    print(said.getvalue())
    ssd_image_to_tf.destinations(subsets, config.output)
    found = judgement.survey(subsets)
    classes = ssd_image_to_tf.class_list(config.classes_file, subsets, found)
    ssd_image_to_tf.judge(found, subsets, classes)
    numbers, refused = [], []
    for one in subsets:
        for image_id in one.ids:
            try:
                annotation = one.source.read(image_id)
                with Image.open(annotation.image) as image:
                    level = int(np.median(np.asarray(image.convert('L'))))
            except (DataError, OSError) as error:
                refused.append(str(error))
                continue
            numbers.append(_checked(annotation, classes.names, round((level - 20) / 30), facts))
            refused += annotation.refused
    print(*refused, sep='\n')
    missing = sorted({*range(_COUNT)} - {*numbers})
    assert not missing or refused or 'note: ' in said.getvalue(), (
        f'images {missing} are lost without a word: {facts}')
    return not refused and not missing


def _checked(annotation, names, number, facts):
    """The number of the image, whose objects are its own."""
    usable = annotations.usable(annotation.objects, _HEIGHT, _WIDTH, names, annotation.where)
    xmin, ymin, xmax, ymax = _box(number)
    wanted = np.array([ymin / _HEIGHT, xmin / _WIDTH, ymax / _HEIGHT, xmax / _WIDTH])
    told = f'{annotation.where}, image {number}: {facts}'
    for box, label in zip(usable.boxes, usable.labels, strict=True):
        assert np.abs(box - wanted).max() < 0.04, f'another box: {told}'
        assert names[label - 1] in (_NAMES[number % 2], 'object'), f'another class: {told}'
    assert len(usable.labels) or annotation.refused or usable.refused, f'no object: {told}'
    return number
