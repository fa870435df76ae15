"""Exports a trained SSD as files that run without this repository: SavedModel, TFLite, ONNX.

    python3 ssd_export.py               # the shipped detector, to exported/ssd_mobilenet_v2/
    python3 ssd_export.py --checkpoint=shapes_ssd --output=shapes_detector --score_threshold=0.3
    python3 ssd_export.py --formats=tflite_int8 --calibration_records=tfrecords_train
    python3 ssd_export.py --formats=onnx --suppression=False   # for OpenCV's dnn and others

Reads configs/config_general.py, config_common.py and config_export.py.
"""
import os
import statistics

from configs import detection_settings, load
from utils import processor
from utils.command_line import words
from utils.errors import UserError
from utils.script import imports, quiet, run

processor.use_onednn(fixed_weights=__name__ == '__main__')
with imports():
    import detection
    from datasets import class_lists, tfrecord
    from detection import sources
    from export import exported, folder, formats, onnx
    from nets import backbones
    from nets.slim_compat import prepare_devices
    from preprocessing import damage, pipeline
    from utils.progress import Progress

# From so many images the ranges of int8 are taken.
CALIBRATION_IMAGES = 200


def main() -> None:
    config = load('ssd_export', description=__doc__)
    prepare_devices()
    spec = backbones.from_config_name(config.backbone_network, config.resnet_depth,
                                      config.default_box_set)
    names = list(dict.fromkeys(words(config.formats)))
    output = config.output or f'exported/{config.backbone_network}'
    settings = detection_settings(config)
    _refuse_mixed_precision(names, settings['precision'])
    _refuse_batches_with_suppression(names, config)
    folder.check_free(output, config.overwrite)
    if 'onnx' in names:
        onnx.check_installed()
    index = _calibration_index(names, config.calibration_records)
    options = {'suppression': config.suppression, 'batch_size': config.fixed_batch}

    # 1 SSD model: fixed weights, batch norm folded into the convolutions
    detector = detection.load(config.checkpoint, spec,
                              classes=class_lists.names(config.classes_file), **settings)
    print(f'ssd_{spec.name} of {detector.prefix}')

    # 2 preprocessing: the demo's, of a photograph and of the images that int8 is calibrated with
    images = detector.resize(sources.sample()[1])[None].numpy()
    calibration = []
    if index:
        with damage.named(index):
            calibration = [batch['images'][0].numpy() for batch in pipeline.evaluation_batches(
                index, spec.image_size, 1, max_images=CALIBRATION_IMAGES)]
    expected = detector.detect(images)

    with folder.staged(output, config.overwrite) as stage:
        folder.write_labels(stage, detector.classes)
        for form in names:
            # 3 files: one, or a folder, per format
            path = os.path.join(stage, formats.FORMATS[form].file)
            with quiet() as shown:
                formats.write(form, path, detector, _shown(calibration, shown), **options)

                # 4 check: what was written is loaded, run on the photograph, and timed
                written = formats.load(path, limits=detector.limits)
                found = written.detect(images)
                milliseconds = 1e3 * statistics.median(exported.times(written, images))
            print(f'{formats.FORMATS[form].file}: {exported.size(path) / 1e6:.1f} MB, '
                  f'{milliseconds:.0f} ms per image on this machine, '
                  f'{_compared(form, found, expected, detector, images)}', flush=True)
    print(f'written: {output}\n{_usage(names, output, spec.image_size, config.fixed_batch)}')


def _refuse_mixed_precision(names, precision):
    if precision != 'float32' and set(names) != {'saved_model'}:
        raise UserError(f'precision {precision} is for the SavedModel alone; give '
                        '--formats=saved_model, or export the others with --precision=float32')


def _refuse_batches_with_suppression(names, config):
    if config.suppression and config.fixed_batch > 1 and any(
            name.startswith('tflite') for name in names):
        raise UserError(f'fixed_batch {config.fixed_batch}: TFLite suppresses in one image at a '
                        'time; give --formats=onnx, --suppression=False or --fixed_batch=1')


def _calibration_index(names, records):
    """The records whose images int8 is calibrated with; None where it is not written."""
    if 'tflite_int8' not in names:
        return None
    if not records:
        raise UserError('tflite_int8 needs images that are like those it will see: give '
                        '--calibration_records=FOLDER, such as your training records')
    return tfrecord.read_index(records)


def _shown(images, file):
    """Yields the images that int8 is calibrated with, and shows the progress."""
    with Progress(len(images), 'images', file, desc='ranges of int8') as progress:
        for image in images:
            yield image
            progress.update()


def _compared(form, found, expected, detector, images):
    """The result of the check in words; ExportError where the difference is too large."""
    largest, count = exported.difference(found, expected, detector.limits.score_threshold)
    tolerance = formats.FORMATS[form].tolerance
    if not largest <= tolerance:
        chosen_from = exported.candidates(detector, images)
        if exported.same_but_for_ties(found, expected, chosen_from, tolerance, detector.limits):
            return (f'{count} detections, as good as those of the detector: where boxes score '
                    'alike, others were suppressed')
        raise exported.ExportError(f'{form} differs by {largest:.2g} from the detector, '
                                   f'more than {tolerance:g}; nothing is written')
    if largest == float('inf'):
        return f'its detections are not all those of the detector, {count} compared'
    if not count:
        return 'it runs; the detector finds nothing on the photograph to compare'
    return f'largest difference from the detector {largest:.1g}, in {count} detections'


def _usage(names, output, image_size, batch_size):
    """How to use what was written, in Python."""
    lines = []
    for form in names:
        path = os.path.join(output, formats.FORMATS[form].file)
        if form == 'saved_model':
            lines.append(f"  found = tf.saved_model.load('{path}').signatures['bytes']"
                         "(tf.io.read_file('image.jpg'))")
        elif form == 'onnx':
            lines.append(f"  found = onnxruntime.InferenceSession('{path}').run(None, "
                         f"{{'images': images}})  # uint8 [{batch_size or 'B'}, {image_size}, "
                         f'{image_size}, 3]')
        else:
            lines.append(f"  found = tf.lite.Interpreter('{path}').get_signature_runner()"
                         f'(images=images)  # uint8 [{batch_size or 1}, {image_size}, '
                         f'{image_size}, 3]')
    return '\n'.join(['In Python, after import tensorflow as tf:', *lines])


if __name__ == '__main__':
    run(main)
