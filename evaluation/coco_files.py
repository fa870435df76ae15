"""COCO's files of results: written for evaluation servers, and evaluated against annotations.

    python3 ssd_test.py --write_detections=results.json \
        --coco_annotations=instances_val2017.json
    python3 -m evaluation.coco_files --detections results.json --coco instances_val2017.json

The second command gives pycocotools' numbers: areas are those that the annotations state (of masks,
in COCO's own files), and crowd regions have COCO's meaning. It reads the results of any detector.
"""
import contextlib
import io
import json
import math
import os
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster

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
    content = _read(path)
    try:
        content['annotations'][:0]
        return ({str(row['id']): row['id'] for row in content['images']},
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
    images, categories = _ids(annotations)
    if not isinstance(rows, list):
        raise DataError(f'{results} is no list of results')
    for place, row in enumerate(rows, start=1):
        if problem := _problem(row, images, {*categories.values()}):
            raise DataError(f'{results}, result {place}: {problem}')
    rows = [row | {'image_id': images[str(row['image_id'])]} for row in rows]
    if not rows:
        return dict.fromkeys(NUMBERS, 0.)
    with contextlib.redirect_stdout(io.StringIO()):  # it prints its progress
        truth = COCO(content)
        evaluation = COCOeval_faster(truth, truth.loadRes(rows), 'bbox')
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    values = np.asarray(evaluation.stats[:len(NUMBERS)], float)
    return dict(zip(NUMBERS, np.where(values < 0, np.nan, values).tolist(), strict=True))


def _problem(row, images, categories):
    """Why something is no result on these images; '' if it is one."""
    if not isinstance(row, dict) or not {'image_id', 'category_id', 'bbox', 'score'} <= {*row}:
        return 'it lacks one of image_id, category_id, bbox and score'
    box = row['bbox'] if isinstance(row['bbox'], list) else []
    numbers = [*box, row['score']]
    if len(numbers) != 5 or any(type(value) not in (int, float) or not math.isfinite(value)
                                for value in numbers):
        return 'its bbox is not four finite numbers, or its score none'
    if str(row['image_id']) not in images:
        return f'image {row["image_id"]} is not in the annotations'
    if row['category_id'] not in categories:
        return f'category {row["category_id"]} is not in the annotations'
    return ''


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
