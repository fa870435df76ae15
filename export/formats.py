"""The formats of an export by name: each has a module with `write` and `load`."""
import os
import types
import typing
from collections.abc import Iterable

from detection.detector import Detector
from export import onnx, saved_model, tflite
from export.exported import Exported, ExportError
from nets.postprocess import Limits


class Format(typing.NamedTuple):
    """A format.

    Attributes:
        file: name of its file or folder.
        tolerance: largest difference in corners (0..1) and scores from the detector that is
            exported, on a photograph. How far rounded weights move detections is shown, not
            refused.
    """
    file: str
    tolerance: float


_ROUNDED = float('inf')
FORMATS = {'saved_model': Format('saved_model', 1e-4),
           'tflite_float32': Format('detector_float32.tflite', 1e-3),
           'tflite_float16': Format('detector_float16.tflite', _ROUNDED),
           'tflite_dynamic': Format('detector_dynamic.tflite', _ROUNDED),
           'tflite_int8': Format('detector_int8.tflite', _ROUNDED),
           'onnx': Format('detector.onnx', 1e-3)}


def write(form: str, path: str, detector: Detector, calibration: Iterable = (), *,
          suppression: bool = True, batch_size: int = 0) -> None:
    """Writes a detector in the format of that name; see the `write` of its module.

    Args:
        form: a key of FORMATS.
        path: of the file or folder.
        detector: folded.
        calibration: uint8 images [S, S, 3] for tflite_int8.
        suppression: False: the outputs are those of exported.before_suppression.
        batch_size: B of TFLite and ONNX. 0: free; TFLite takes one image.

    Raises:
        ExportError: the disk refuses, or something is not installed.
    """
    if form == 'saved_model':
        saved_model.write(path, detector, suppression)
    elif form == 'onnx':
        onnx.write(path, detector, suppression, batch_size)
    else:
        tflite.write(path, detector, form.removeprefix('tflite_'), calibration, suppression,
                     batch_size or 1)


def load(path: str, threads: int = 0, limits: Limits | None = None) -> Exported:
    """Loads what `write` wrote.

    Args:
        path: a folder of a SavedModel, a .tflite or an .onnx file.
        threads: of a file; 0: as many as suit its format.
        limits: of the detections of a file without suppression; others have theirs inside.

    Raises:
        ExportError: it is none of these.
    """
    return _module(path).load(path, threads, limits)


def _module(path: str) -> types.ModuleType:
    if not os.path.exists(path):
        raise ExportError(f'there is no exported detector at {path}')
    if os.path.isfile(os.path.join(path, 'saved_model.pb')):
        return saved_model
    for ending, module in (('.tflite', tflite), ('.onnx', onnx)):
        if os.path.isfile(path) and path.endswith(ending):
            return module
    raise ExportError(f'{path} is no exported detector: neither the folder of a SavedModel, nor '
                      'a .tflite or .onnx file; a checkpoint is named with --checkpoint')
