"""Evaluates an SSD detector on test records: VOC's and COCO's AP, and a page on its errors.

    python3 ssd_test.py --test_records=tfrecords_test
    python3 ssd_test.py --model=exported/ssd_mobilenet_v2/detector_int8.tflite

Reads configs/config_general.py, config_common.py and config_test.py.
"""
import functools
import os
import pathlib
import sys

from configs import detection_settings, load
from utils import processor
from utils.errors import UserError
from utils.script import imports, run

processor.use_onednn(fixed_weights=__name__ == '__main__')
with imports():
    import detection
    from checkpoints import identity, thresholds
    from checkpoints import io as checkpoint
    from datasets import class_names, tfrecord
    from evaluation import coco_files, collect, false_alarms, report, voc_files
    from evaluation import voc as voc_eval
    from export import formats
    from nets import backbones
    from nets.slim_compat import prepare_devices
    from preprocessing import damage, pipeline
    from utils import files
    from utils.progress import Progress


def main() -> None:
    config = load('ssd_test', description=__doc__)
    prepare_devices()

    # 1 data preparation: test records
    index = tfrecord.read_index(config.test_records)
    spec = backbones.from_config_name(config.backbone_network, config.resnet_depth,
                                      config.default_box_set)

    as_json = config.write_detections.endswith('.json')
    if config.write_detections and not as_json:
        with damage.named(index):
            voc_files.check_names(tfrecord.image_ids(index))

    # 2 preprocessing: resized batches, nothing random
    exported = formats.load(config.model) if config.model else None
    batches = pipeline.evaluation_batches(index, (exported or spec).image_size, config.batch_size,
                                          max_images=config.max_images)

    # 3 SSD model, which normalizes its images
    if exported:
        detector, origin, folder = exported, {'model': config.model}, _beside(config.model)
    else:
        settings = detection_settings(config)
        detector = detection.load(config.checkpoint, spec, classes=index.classes, **settings)
        origin = {'checkpoint': detector.prefix, **identity.of_checkpoint(detector.prefix),
                  **settings}
        folder = _report_folder(detector.prefix)
    kind, name = next(iter(origin.items()))
    print(f'{index.images} test images from {config.test_records}; {kind} {name}')
    annotated = class_names.renamed(index.classes, detector.classes)
    classes, left_out = _common(detector.classes, annotated, name, config.test_records)

    # 4 inference and 5 postprocessing
    total = min(config.max_images or index.images, index.images)
    with damage.named(index):
        found = collect.detect_all(detector.detect, batches, Progress(total, 'images'))
    found = found.of_classes(classes, detector.classes, annotated)

    # 6 evaluation
    known = {} if exported else thresholds.known(detector.prefix)
    scores = {name: max(config.score_threshold, known.get(name, false_alarms.USUAL))
              for name in classes}
    result = report.evaluate(found.detections, found.ground_truths, classes, config.eval_iou,
                             scores)
    results = {metric: result.voc.by(metric) for metric in voc_eval.METRICS}
    if result.has_objects:
        print(voc_eval.ap_table(*results.values()), report.line(result), sep='\n')
    else:  # of which there is no average precision; the last evaluation with one stays
        print(result.false_alarms.table())
        folder = os.path.join(folder, 'false_alarms')
    print(f'{_pace(found.images_per_second)}, batch {config.batch_size}, '
          f'{origin.get("precision", "as exported")}')
    if as_json:
        coco_files.write_results(config.write_detections, classes, found.detections,
                                 config.coco_annotations)
        print(f'detections: {config.write_detections}')
    elif config.write_detections:
        _write_detections(config.write_detections, index, classes, found.detections)
    facts = origin | identity.of_records(config.test_records) | left_out
    read_images = functools.partial(pipeline.read_images, index)
    page, numbers = report.write(config.output or folder, result, facts, read_images,
                                 config.worst_errors)
    _note(folder, result.voc, facts | {'images': total, 'iou': config.eval_iou})
    print(f'report: {page}, {numbers}')
    if result.has_objects:
        print(*filter(None, [result.false_alarms.line(), *map(voc_eval.means, results.values())]),
              sep='\n')


def _common(detected, annotated, detector, records):
    """The classes that are evaluated, in the order of the records, and {what: other classes}.

    Says what is left out; UserError if the detector knows no class of the records.
    """
    classes = tuple(name for name in annotated if name in detected)
    if not classes:
        raise UserError(f'{detector} knows none of the classes of {records}, '
                        f'{", ".join(annotated)}; it knows {", ".join(detected)}')
    left_out = {'classes_only_in_records': [name for name in annotated if name not in classes],
                'classes_only_in_detector': [name for name in detected if name not in classes]}
    left_out = {what: names for what, names in left_out.items() if names}
    if left_out:
        print(f'classes go by their names, {len(classes)} of {len(annotated)} are known')
    for what, names in left_out.items():
        print(f'{what.replace("_", " ")}, not evaluated: {", ".join(names)}')
    return classes, left_out


def _report_folder(prefix):
    """Where the report of a checkpoint goes: to it, if it is the user's own.

    Beside it, a report tells which scores the demo shows (checkpoints.thresholds): that of the
    shipped detector, which everybody starts from, stays as it was evaluated.
    """
    folder = os.path.dirname(prefix)
    if checkpoint.is_own(folder):
        return folder
    name = pathlib.Path(folder).resolve()
    name = f'{name.parent.name if name.name == checkpoint.SHIPPED else name.name}_evaluation'
    print(f'the folder of {prefix} is not yours to change: the report goes to {name}')
    return name


def _beside(model):
    """Where the report of an exported detector goes: several of them are in one folder."""
    return f'{os.path.splitext(os.path.normpath(model))[0]}_evaluation'


def _write_detections(folder, index, classes, detections):
    """VOC's files, called after the first list that the records were made of."""
    with files.writing(folder):
        voc_files.write_detections(folder, index.image_sets[0].split('/')[-1], classes,
                                   detections)
    print(f'detections: {folder}')


def _note(folder, result, facts):
    """Notes the evaluation beside the checkpoint; the user may not be allowed to write there."""
    try:
        collect.append_to_log(folder, result, **facts)
    except OSError as error:
        print(f'{os.path.join(folder, collect.LOG)} cannot be written: {error.strerror}',
              file=sys.stderr)


def _pace(images_per_second):
    if images_per_second is None:
        return 'images/s unknown: too few images behind the first batch, which holds the start-up'
    return f'{images_per_second:.1f} images/s'


if __name__ == '__main__':
    run(main)
