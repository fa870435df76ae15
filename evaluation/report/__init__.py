"""The evaluation of a detector as one HTML page, and the same numbers as JSON.

    python3 -m evaluation.report --detections DIR --voc VOCDIR --image_set test --output DIR

evaluation.html needs no network: average precision by VOC and COCO, best F1 thresholds,
precision-recall curves, kinds of errors and images of the worst ones. evaluation.json has its
numbers; docs/evaluation.md lists the keys. evaluation.npz is for evaluation.compare.
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

from datasets.readers import voc
from evaluation import coco as coco_eval
from evaluation import compare, false_alarms, voc_files
from evaluation import confusion as confusions
from evaluation import errors as error_kinds
from evaluation import voc as voc_eval
from evaluation.collect import without_nan
from evaluation.report import gallery
from utils import plots
from utils.errors import DataError

PAGE, NUMBERS = 'evaluation.html', 'evaluation.json'
_FREQUENT = 20  # objects of a class, for the second mean


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """All that is measured.

    Attributes:
        classes: names of labels 1, 2, ...
        threshold: IoU of voc and errors.
        voc: by metric '07'.
        coco: with IoU thresholds of its own.
        errors: kinds of errors.
        confusion: of the same detections as the numbers of errors.
        false_alarms: on images without objects.
    """
    classes: tuple[str, ...]
    threshold: float
    voc: voc_eval.VocResult
    coco: coco_eval.CocoResult
    errors: error_kinds.Errors
    confusion: confusions.Confusion
    false_alarms: false_alarms.FalseAlarms

    @property
    def has_objects(self) -> bool:
        """Whether there are objects that count; without any there is no average precision."""
        return any(entry.ground_truths for entry in self.voc.classes)


def evaluate(detections: Mapping[str, voc_eval.Detection],
             ground_truths: Mapping[str, voc_eval.GroundTruth], classes: Sequence[str],
             threshold: float = 0.5, scores: Mapping[str, float] | None = None) -> Evaluation:
    """Other arguments, and errors, are those of evaluation.voc.evaluate.

    scores: that detections of each class have to exceed to be false alarms, see false_alarms.count.
    """
    data = detections, ground_truths, classes
    errors = error_kinds.analyse(*data, '07', threshold)
    return Evaluation(tuple(classes), threshold, voc_eval.evaluate(*data, '07', threshold),
                      coco_eval.evaluate(*data), errors, confusions.confusion(
                          errors.wrong.rows, classes, threshold, errors.score),
                      false_alarms.count(errors.wrong.rows, classes, scores or {}))


def numbers(evaluation: Evaluation, about: dict[str, object]) -> dict[str, object]:
    """The content of evaluation.json. about: {what: value}, where the detections come from."""
    rows, errors = evaluation.errors.wrong.rows, evaluation.errors
    points, area = evaluation.voc, evaluation.voc.by('area')
    now = datetime.datetime.now().astimezone()
    return without_nan({
        'about': {'time': now.isoformat(timespec='seconds')} | about,
        'images': len(rows.names), 'objects': int((~rows.difficult).sum()),
        'difficult_objects': int(rows.difficult.sum()), 'detections': len(rows.labels),
        'voc': {'iou': evaluation.threshold,
                'mean_ap_07': points.mean_ap, 'mean_ap_area': area.mean_ap,
                'mean_ap_07_frequent': points.mean_over(_FREQUENT),
                'mean_ap_area_frequent': area.mean_over(_FREQUENT)},
        'coco': evaluation.coco.summary(),
        'errors': {'score': errors.score, 'kinds': {
            kind: {'count': sum(errors.counts[kind].values()),
                   'ap_lost': errors.mean_cost(kind, evaluation.classes)}
            for kind in error_kinds.KINDS}},
        'confusion': {'score': evaluation.confusion.score, 'rows': evaluation.confusion.rows,
                      'columns': evaluation.confusion.columns,
                      'table': evaluation.confusion.table.tolist()},
        'false_alarms': evaluation.false_alarms.numbers(),
        'classes': {entry.name: _of_class(evaluation, entry, other)
                    for entry, other in zip(points.classes, area.classes, strict=True)}})


def _of_class(evaluation, points, area):
    name, errors = points.name, evaluation.errors
    return {'objects': points.ground_truths, 'detections': points.detections,
            'ap_07': points.ap, 'ap_area': area.ap,
            'best_f1': points.best_f1()._asdict(), 'coco': evaluation.coco.of_class(name),
            'errors': {kind: {'count': errors.counts[kind][name],
                              'ap_lost': errors.costs[kind][name]} for kind in error_kinds.KINDS}}


def write(folder: str | os.PathLike, evaluation: Evaluation, about: dict[str, object],
          read_images: Callable[[list[str]], Mapping[str, np.ndarray]], count: int = 12
          ) -> tuple[str, str]:
    """Writes evaluation.html and evaluation.json into a folder and returns their paths.

    Args:
        folder: is made if it does not exist.
        evaluation: what to write.
        about: see `numbers`.
        read_images: list of image ids -> {id: uint8 RGB [H, W, 3]}, of those that it has.
        count: images of each kind of error.

    Raises:
        DataError: the files cannot be written.
    """
    found = numbers(evaluation, about)
    page = _template().render(
        numbers=found, kinds=error_kinds.KINDS, frequent=_FREQUENT,
        curves=[(entry, _inlined('png', plot_precision_recall(entry)))
                for entry in evaluation.voc.classes if entry.ground_truths],
        confusion=_inlined('png', confusions.drawn(evaluation.confusion)),
        gallery=_gallery(evaluation, read_images, count))
    folder = pathlib.Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / PAGE).write_text(page, encoding='utf-8')
        text = json.dumps(found, indent=1, allow_nan=False)
        (folder / NUMBERS).write_text(text + '\n', encoding='utf-8')
        compare.save(folder, compare.hits_of(evaluation.errors.wrong.rows, evaluation.classes,
                                             evaluation.threshold))
    except OSError as error:
        raise DataError(f'the report cannot be written to {folder}: {error.strerror}; name another '
                        'folder: --output') from None
    return str(folder / PAGE), str(folder / NUMBERS)


def _template():
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined,
                                     trim_blocks=True, lstrip_blocks=True)
    environment.filters['number'] = lambda value: '-' if value is None else f'{value:.3f}'
    text = pathlib.Path(__file__).with_name('page.html').read_text(encoding='utf-8')
    return environment.from_string(text)


@plots.literal
def plot_precision_recall(entry: voc_eval.ClassResult) -> bytes:
    """Precision over recall of a class with objects, its best F1 marked, as a PNG file."""
    from matplotlib.figure import Figure  # takes a second, which only a report needs

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


def _gallery(evaluation, read_images, count):
    """{kind: [(case, image as a data URL)]}."""
    wrong = evaluation.errors.wrong
    cases = gallery.worst(wrong, evaluation.classes, count, evaluation.errors.score)
    images = read_images(sorted({case.image for case in cases}))
    shown = {kind: [] for kind in gallery.KINDS}
    for case in cases:
        if case.image in images:
            drawn = gallery.drawn(case, wrong.rows, evaluation.classes, images[case.image])
            shown[case.kind].append((case, _inlined('jpeg', gallery.jpeg(drawn))))
    return shown


def _inlined(kind, data):
    return f'data:image/{kind};base64,{base64.b64encode(data).decode()}'


def line(evaluation: Evaluation) -> str:
    """COCO's average precision, by IoU and by area, in one line."""
    found = evaluation.coco.summary().items()
    return 'COCO ' + ', '.join(f'{name.replace("_", " ")} {voc_eval.number(value)}'
                               for name, value in found if name.startswith('AP'))


def _read_images(folder, ids):
    """Images of a VOC folder, without EXIF orientation; those that are missing are left out."""
    images = {}
    for image in ids:
        try:
            data = cv2.imdecode(np.fromfile(voc.image_path(folder, image), np.uint8),
                                cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
        except (DataError, OSError, cv2.error):
            continue
        if data is not None:
            images[image] = cv2.cvtColor(data, cv2.COLOR_BGR2RGB)
    return images


def main(argv: Sequence[str] | None = None) -> None:
    parser = voc_files.options_parser('python3 -m evaluation.report', __doc__)
    parser.add_argument('--output', metavar='FOLDER',
                        help='Folder for the report.\nDefault: that of the detections')
    parser.add_argument('--images', type=int, default=12, metavar='NUMBER',
                        help='Images of each kind of error. 0: none.')
    options = parser.parse_args(argv)
    classes, truths, detections, missing = voc_files.read_both(options)
    folder = voc_files.voc_folder(options.voc)
    evaluation = evaluate(detections, truths, classes)
    about = {'detections': options.detections, 'voc': folder, 'image_set': options.image_set}
    about |= {'classes_without_file': missing} if missing else {}
    paths = write(options.output or options.detections, evaluation, about,
                  lambda ids: _read_images(folder, ids), max(0, options.images))
    both = evaluation.voc, evaluation.voc.by('area')
    print(voc_eval.ap_table(*both), *map(voc_eval.means, both), line(evaluation),
          f'report: {", ".join(paths)}', sep='\n')
