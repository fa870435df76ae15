"""The evaluation of a detector as one page to read, and the same numbers as JSON; for the detections of any detector.

    python3 -m evaluation.report --detections DIR --voc VOCdevkit/VOC2007 --image_set test --output DIR

evaluation.html needs no network: VOC's and COCO's average precision, best F1 thresholds, precision-recall curves, kinds of errors
and pictures of the worst ones. evaluation.json has its numbers; docs/evaluation.md lists the keys.
"""
import base64
import dataclasses
import datetime
import io
import json
import os
import pathlib
from collections.abc import Callable, Mapping, Sequence

import cv2
import jinja2
import numpy as np

from datasets import voc
from evaluation import coco as coco_eval
from evaluation import errors as error_kinds
from evaluation import gallery, voc_files
from evaluation import voc as voc_eval
from evaluation.collect import without_nan
from utils.errors import DataError

PAGE, NUMBERS = 'evaluation.html', 'evaluation.json'
_FREQUENT = 20  # objects, of the second mean


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """All that is measured. voc: evaluation.voc.Result by metric '07'.  threshold: IoU of voc and errors."""
    classes: tuple[str, ...]
    threshold: float
    voc: voc_eval.Result
    coco: coco_eval.Result
    errors: error_kinds.Errors


def evaluate(detections: Mapping[str, voc_eval.Detection], ground_truths: Mapping[str, voc_eval.GroundTruth],
             classes: Sequence[str], threshold: float = 0.5) -> Evaluation:
    """Arguments and errors are those of evaluation.voc.evaluate; COCO's numbers have thresholds of their own."""
    data = detections, ground_truths, classes
    return Evaluation(tuple(classes), threshold, voc_eval.evaluate(*data, '07', threshold), coco_eval.evaluate(*data),
                      error_kinds.analyse(*data, '07', threshold))


def numbers(evaluation: Evaluation, about: dict[str, object]) -> dict[str, object]:
    """What evaluation.json holds. about: {what: value}, where the detections come from."""
    rows, errors = evaluation.errors.wrong.rows, evaluation.errors
    points, area = evaluation.voc, evaluation.voc.by('area')
    return without_nan({
        'about': {'time': datetime.datetime.now().astimezone().isoformat(timespec='seconds')} | about,
        'images': len(rows.names), 'objects': int((~rows.difficult).sum()), 'difficult_objects': int(rows.difficult.sum()),
        'detections': len(rows.labels),
        'voc': {'iou': evaluation.threshold, 'mean_ap_07': points.mean_ap, 'mean_ap_area': area.mean_ap,
                'mean_ap_07_frequent': points.mean_over(_FREQUENT), 'mean_ap_area_frequent': area.mean_over(_FREQUENT)},
        'coco': evaluation.coco.summary(),
        'errors': {'score': errors.score, 'kinds': {
            kind: {'count': sum(errors.counts[kind].values()), 'ap_lost': errors.mean_cost(kind, evaluation.classes)}
            for kind in error_kinds.KINDS}},
        'classes': {entry.name: _of_class(evaluation, entry, other)
                    for entry, other in zip(points.classes, area.classes, strict=True)}})


def _of_class(evaluation, points, area):
    name, errors = points.name, evaluation.errors
    return {'objects': points.ground_truths, 'detections': points.detections, 'ap_07': points.ap, 'ap_area': area.ap,
            'best_f1': points.best_f1()._asdict(), 'coco': evaluation.coco.of_class(name),
            'errors': {kind: {'count': errors.counts[kind][name], 'ap_lost': errors.costs[kind][name]}
                       for kind in error_kinds.KINDS}}


def write(folder: str | os.PathLike, evaluation: Evaluation, about: dict[str, object],
          read_pictures: Callable[[list[str]], Mapping[str, np.ndarray]], count: int = 12) -> tuple[str, str]:
    """Writes evaluation.html and evaluation.json into a folder -> their paths; DataError where that cannot be done.

    Args:
        about: see `numbers`.
        read_pictures: list of image ids -> {id: uint8 RGB [H, W, 3]}; images that it lacks are not shown.
        count: pictures of each kind of error.
    """
    found = numbers(evaluation, about)
    page = _template().render(
        numbers=found, kinds=error_kinds.KINDS, curves=_curves(evaluation.voc), frequent=_FREQUENT,
        gallery=_gallery(evaluation, read_pictures, count))
    folder = pathlib.Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / PAGE).write_text(page, encoding='utf-8')
        (folder / NUMBERS).write_text(json.dumps(found, indent=1, allow_nan=False) + '\n', encoding='utf-8')
    except OSError as error:
        raise DataError(f'the report cannot be written to {folder}: {error.strerror}; name another folder: --output') from None
    return str(folder / PAGE), str(folder / NUMBERS)


def _template():
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters['number'] = lambda value, digits=3: '-' if value is None else f'{value:.{digits}f}'
    return environment.from_string(pathlib.Path(__file__).with_name('report.html').read_text(encoding='utf-8'))


def _curves(result):
    """[(class result, picture)] of the classes that have objects."""
    return [(entry, _inlined('png', plot_precision_recall(entry)))
            for entry in result.classes if entry.ground_truths]


def plot_precision_recall(entry: voc_eval.ClassResult) -> bytes:
    """Precision over recall of one class that has objects, its best F1 marked, as a PNG."""
    from matplotlib.figure import Figure  # takes a second, which who only draws boxes need not wait for

    figure = Figure(figsize=(3.2, 2.6), layout='constrained')
    axis = figure.subplots()
    axis.plot(entry.recall, entry.precision, linewidth=1.5)
    point = entry.best_f1()
    axis.plot(point.recall, point.precision, 'o', markersize=5)
    axis.set(xlim=(0, 1.02), ylim=(0, 1.05), xlabel='recall', ylabel='precision')
    axis.grid(alpha=0.3)
    file = io.BytesIO()
    figure.savefig(file, format='png', dpi=130)
    return file.getvalue()


def _gallery(evaluation, read_pictures, count):
    """{kind: [(case, picture)]}."""
    rows, cases = evaluation.errors.wrong.rows, gallery.worst(evaluation.errors.wrong, evaluation.classes, count)
    images = read_pictures(sorted({case.image for case in cases}))
    shown = {kind: [] for kind in gallery.KINDS}
    for case in cases:
        if case.image in images:
            picture = gallery.picture(case, rows, evaluation.classes, images[case.image])
            shown[case.kind].append((case, _inlined('jpeg', gallery.jpeg(picture))))
    return shown


def _inlined(kind, data):
    return f'data:image/{kind};base64,{base64.b64encode(data).decode()}'


def line(evaluation: Evaluation) -> str:
    """COCO's average precision, by IoU and by area, in one line."""
    found = {name: value for name, value in evaluation.coco.summary().items() if name.startswith('AP')}
    return 'COCO ' + ', '.join(f'{name.replace("_", " ")} {voc_eval.number(value)}' for name, value in found.items())


def _read_pictures(folder, ids):
    """Images of a VOC folder, as they are stored, EXIF orientation not followed; those that are missing are left out."""
    images = {}
    for image in ids:
        try:
            data = cv2.imread(str(voc.image_path(folder, image)), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
        except DataError:
            continue
        if data is not None:
            images[image] = cv2.cvtColor(data, cv2.COLOR_BGR2RGB)
    return images


def main(argv: Sequence[str] | None = None) -> None:
    parser = voc_files.command_line('python3 -m evaluation.report', __doc__)
    parser.add_argument('--output', metavar='FOLDER', help='Folder that receives the report.\nDefault: that of the detections')
    parser.add_argument('--pictures', type=int, default=12, metavar='NUMBER', help='Pictures of each kind of error. 0: none.')
    options = parser.parse_args(argv)
    classes, truths, detections, missing = voc_files.read_both(options)
    folder = voc_files.voc_folder(options.voc)
    evaluation = evaluate(detections, truths, classes)
    about = {'detections': options.detections, 'voc': folder, 'image_set': options.image_set}
    about |= {'classes_without_file': missing} if missing else {}
    paths = write(options.output or options.detections, evaluation, about, lambda ids: _read_pictures(folder, ids),
                  max(0, options.pictures))
    print(voc_eval.table(evaluation.voc, evaluation.voc.by('area')), line(evaluation), f'report: {", ".join(paths)}', sep='\n')


if __name__ == '__main__':
    from utils.script import run  # as for every command; the library itself knows no configuration

    run(main)
