"""COCO's files of results: written for evaluation servers, and evaluated against annotations.

    python3 ssd_test.py --write_detections=results.json \
        --coco_annotations=instances_val2017.json
    python3 -m evaluation.coco_files --detections results.json --coco instances_val2017.json

The second command gives pycocotools' numbers: areas are those that the annotations state (of masks,
in COCO's own files), or else those of the boxes, and crowd regions have COCO's meaning. It reads
the results of any detector.
"""
import contextlib
import io
import json
import os
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster

from datasets.annotations import fractions_problem, identifier
from datasets.class_names import renamed
from evaluation.voc import Detection, number
from utils import command_line, files
from utils.errors import DataError

NUMBERS = ('AP', 'AP50', 'AP75', 'AP_small', 'AP_medium', 'AP_large', 'AR1', 'AR10', 'AR100',
           'AR_small', 'AR_medium', 'AR_large')


def write_results(path: str | os.PathLike, classes: Sequence[str],
                  detections: Mapping[str, Detection], annotations: str = '') -> None:
    """Writes one list of {image_id, category_id, bbox, score}; bbox is x, y, width, height.

    Args:
        path: of the JSON file.
        classes: names of labels 1, 2, ...
        detections: by image id, of which only the last part counts: coco/139 is image 139.
        annotations: COCO's file whose ids of images and categories are written. '': ids are the
            numbers of classes, and the images' names, as numbers where they are.

    Raises:
        DataError: a class or image is not in `annotations`, or the file cannot be written.
    """
    images, categories = _ids(annotations) if annotations else ({}, {})
    classes = renamed(classes, list(categories))
    rows = []
    for image, found in detections.items():
        name = os.path.basename(image)
        image_id = _known(images, name, f'image {name}', annotations) if annotations else (
            int(name) if name.isdecimal() else name)
        boxes = np.concatenate([found.boxes[:, 1::-1],
                                (found.boxes[:, 2:] - found.boxes[:, :2])[:, ::-1]], axis=1)
        for box, label, score in zip(boxes.round(2).tolist(), found.labels.tolist(),
                                     found.scores.tolist(), strict=True):
            category = _known(categories, classes[label - 1], f'category {classes[label - 1]}',
                              annotations) if annotations else label
            rows.append({'image_id': image_id, 'category_id': category, 'bbox': box,
                         'score': round(score, 6)})
    path = pathlib.Path(path)
    with files.writing(path):
        path.write_text(json.dumps(rows), encoding='utf-8')


def _ids(path):
    """({image id as text: its id}, {name of a category: its id}) of a file of annotations."""
    return _ids_of(_read(path), path)


def _ids_of(content, path):
    try:
        content['annotations'][:0]
        return ({identifier(row['id']): row['id'] for row in content['images']},
                {str(row['name']).strip(): row['id'] for row in content['categories']})
    except (TypeError, KeyError):
        raise DataError(f"{path} is no file of annotations: it lacks one of the tables 'images', "
                        "'categories' (both with ids) and 'annotations'") from None


def _known(table, key, what, path):
    if key not in table:
        raise DataError(f'{path} has no {what}; name the file that the records were made of')
    return table[key]


def _read(path):
    try:
        return json.loads(pathlib.Path(path).read_text(encoding='utf-8-sig'))
    except OSError as error:
        raise DataError(f'{path} cannot be read: {error.strerror}') from None
    except (ValueError, RecursionError) as error:
        raise DataError(f'{path}: malformed JSON: {str(error).splitlines()[0]}') from None


def evaluate(results: str | os.PathLike, annotations: str | os.PathLike) -> dict[str, float]:
    """COCO's twelve numbers, see NUMBERS; NaN where there is no object.

    DataError where a file is none of COCO's, or results are of other images.
    """
    content, rows = _read(annotations), _read(results)
    names, categories = _ids_of(content, annotations)
    # Of equal scores, pycocotools ranks those of the lowest image id first.
    images = {name: number for number, name in enumerate(sorted(names, key=_order))}
    labels = {identifier(identity): number for number, identity in enumerate(categories.values())}
    if not isinstance(rows, list):
        raise DataError(f'{results} is no list of results')
    found = [_row(row, images, labels, f'{results}, result {place}', ('score',))
             for place, row in enumerate(rows, start=1)]
    objects = [_row(row, images, labels, f'{annotations}, annotation {place}')
               for place, row in enumerate(content['annotations'], start=1)]
    for path, rows in ((results, found), (annotations, filter(None, objects))):
        farthest = max((abs(side) for row in rows for side in row['bbox']), default=0)
        if problem := fractions_problem(farthest):
            raise DataError(f'{path}: {problem}')
    base = {'images': [{'id': number} for number in images.values()],
            'categories': [{'id': number} for number in labels.values()]}
    with contextlib.redirect_stdout(io.StringIO()):  # it prints its progress
        evaluation = COCOeval_faster(*(COCO(base | {'annotations': _numbered(part)})
                                       for part in (objects, found)), 'bbox')
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    values = np.asarray(evaluation.stats[:len(NUMBERS)], float)
    return dict(zip(NUMBERS, np.where(values < 0, np.nan, values).tolist(), strict=True))


def _order(name):
    """Numbers by their value, before other names."""
    return (0, int(name), '') if name.isdecimal() else (1, 0, name)


def _numbered(rows):
    """With ids from 1, as 0 means no match."""
    return [row | {'id': number} for number, row in enumerate(filter(None, rows), start=1)]


def _row(row, images, labels, where, more=()):
    """An annotation or a result (more: its further keys) as COCO's evaluation takes it.

    An annotation without area, as other programs write them, has that of its box. None for one of
    an image that the file does not list, as in a part of a dataset; DataError for other rows.
    """
    needed = 'image_id', 'category_id', 'bbox', *more
    if not isinstance(row, dict) or not {*needed} <= {*row}:
        raise DataError(f'{where}: it lacks one of {", ".join(needed)}')
    box = row['bbox']
    if not isinstance(box, list) or len(box) != 4 or not all(map(_is_finite, box)):
        raise DataError(f'{where}: its bbox is not four finite numbers')
    if not all(_is_finite(row[key]) for key in more):
        raise DataError(f'{where}: its {more[0]} is no finite number')
    result = {key: row[key] for key in ('bbox', *more)} | {
        'area': row['area'] if _is_finite(row.get('area')) and not more else box[2] * box[3],
        'iscrowd': int(row.get('iscrowd') == 1 and not more)}
    for key, known in (('image_id', images), ('category_id', labels)):
        name = identifier(row[key])
        if name not in known:
            if not more:
                return None
            raise DataError(f'{where}: {key.removesuffix("_id")} {name} is not in the annotations')
        result[key] = known[name]
    return result


def _is_finite(value):
    return type(value) in (int, float) and abs(value) < 1e30  # nor nan


def main(argv: Sequence[str] | None = None) -> None:
    parser = command_line.parser('python3 -m evaluation.coco_files', __doc__)
    parser.add_argument('--detections', required=True, metavar='FILE',
                        help='Results: a list of {image_id, category_id, bbox, score}.')
    parser.add_argument('--coco', required=True, metavar='FILE',
                        help='Annotations, such as instances_val2017.json.')
    options = parser.parse_args(argv)
    for name, value in evaluate(options.detections, options.coco).items():
        print(f'{name:<10} {number(value)}')


if __name__ == '__main__':
    from utils.script import run

    run(main)
