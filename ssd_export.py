"""Exports a trained SSD as files that run without this repository: SavedModel and TFLite.

    python3 ssd_export.py               # the shipped detector, to exported/ssd_mobilenet_v1/
    python3 ssd_export.py --checkpoint=shapes_ssd --output=shapes_detector --score_threshold=0.3

Reads configs/config_general.py, config_common.py and config_export.py.
"""
import os

from configs import detection_settings, load
from utils.command_line import words
from utils.errors import UserError
from utils.script import quiet, run

with quiet():
    import cv2

    import detection
    from datasets import voc
    from detection import export, sources
    from nets import backbones
    from nets.slim_compat import prepare_devices

# Largest difference in corners (0..1) and scores from the detector that is exported, on a
# photograph. How far rounded weights move detections is shown, not refused.
TOLERANCES = {'saved_model': 1e-4, 'tflite_float32': 1e-3, 'tflite_float16': float('inf')}


def main() -> None:
    config = load('ssd_export', description=__doc__)
    prepare_devices()
    spec = backbones.from_config_name(config.backbone_network, config.resnet_depth,
                                      config.default_box_set)
    formats = list(dict.fromkeys(words(config.formats)))
    output = config.output or f'exported/{config.backbone_network}'
    _refuse_mixed_precision(formats, config.precision)
    export.check_free(output, config.overwrite)

    # 1 SSD model: fixed weights, batch norm folded into the convolutions
    detector = detection.load(config.checkpoint, spec,
                              classes=voc.class_names(config.classes_file),
                              **detection_settings(config))
    print(f'ssd_{spec.name} of {detector.prefix}')

    # 2 preprocessing: the demo's, which is part of the SavedModel
    _, image = sources.sample()
    encoded = cv2.imencode('.png', cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes()
    images = detector.resize(image)[None]
    expected = {name: values[0] for name, values in detector.detect(images)._asdict().items()}

    with export.staged(output, config.overwrite) as stage:
        labels = export.write_labels(stage, detector.classes)
        for form in formats:
            # 3 files: one, or a folder, per format
            path = os.path.join(stage, _name(form))
            if form == 'saved_model':
                export.write_saved_model(path, detector, labels)
            else:
                export.write_tflite(path, detector, half=form == 'tflite_float16')

            # 4 check: what was written is run on a photograph
            with quiet():
                found = export.run_saved_model(path, encoded) if form == 'saved_model' \
                    else export.run_tflite(path, images)
            print(f'{_name(form)}: {_size(path) / 1e6:.1f} MB, '
                  f'{_compared(form, found, expected, config.score_threshold)}', flush=True)
    print(f'written: {output}\n{_usage(formats, output, spec.image_size)}')


def _name(form):
    """File or folder of a format."""
    return form if form == 'saved_model' else f'detector_{form.removeprefix("tflite_")}.tflite'


def _refuse_mixed_precision(formats, precision):
    if precision != 'float32' and any(form.startswith('tflite') for form in formats):
        raise UserError(f'precision {precision} is for the SavedModel alone; give '
                        '--formats=saved_model, or export TFLite with --precision=float32')


def _compared(form, found, expected, score_threshold):
    """The result of the check in words; ExportError where the difference is too large."""
    largest, count = export.difference(found, expected, score_threshold)
    if not largest <= TOLERANCES[form]:
        raise export.ExportError(f'{form} differs by {largest:.2g} from the detector, '
                                 f'more than {TOLERANCES[form]:g}; nothing is written')
    if largest == float('inf'):
        return f'its detections are not all those of the detector, {count} compared'
    if not count:
        return 'it runs; the detector finds nothing on the photograph to compare'
    return f'largest difference from the detector {largest:.1g}, in {count} detections'


def _size(path):
    """Bytes of a file, or of all in a folder."""
    if os.path.isfile(path):
        return os.path.getsize(path)
    return sum(os.path.getsize(os.path.join(folder, name))
               for folder, _, names in os.walk(path) for name in names)


def _usage(formats, output, image_size):
    """How to use what was written, in Python."""
    lines = ['In Python, after import tensorflow as tf:']
    for form in formats:
        path = os.path.join(output, _name(form))
        if form == 'saved_model':
            lines.append(f"  found = tf.saved_model.load('{path}').signatures['bytes']"
                         "(tf.io.read_file('image.jpg'))")
        else:
            lines.append(f"  found = tf.lite.Interpreter('{path}').get_signature_runner()"
                         f'(images=images)  # uint8 [1, {image_size}, {image_size}, 3]')
    return '\n'.join(lines)


if __name__ == '__main__':
    run(main)
