"""A detector as files that run without this repository: TensorFlow's SavedModel, and TFLite.

All outputs are named as in nets.postprocess.Detections: boxes, scores, classes, counts.
"""
import contextlib
import os
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import numpy.typing as npt
from flatbuffers import flexbuffers
from tensorflow.lite.tools import flatbuffer_utils

from checkpoints import io as checkpoint
from detection.detector import Detector
from nets import boxes as box_ops
from nets import postprocess
from nets.slim_compat import tf
from preprocessing import pipeline
from utils import files
from utils.errors import UserError

LABELS = 'labels.txt'
# Detections that score this or more are compared; weaker ones change places, and survive
# suppression, by chance.
_SURE = 0.1
# The last detections of a full list are there by chance: those that score at most this more than
# its last one are not compared.
_NEAR_LAST = 1e-3


class ExportError(UserError, ValueError):
    """A folder that is in use, or a file that does not compute what it should."""


@contextlib.contextmanager
def staged(folder: str, overwrite: bool) -> Iterator[str]:
    """Yields a new folder whose files are in `folder` at the end; an interruption leaves nothing.

    Raises:
        ExportError: see `check_free`; or the disk is full or refuses.
        UserError: another process writes to the folder.
    """
    try:
        with files.held(folder), files.staged(folder, LABELS) as stage:
            check_free(folder, overwrite)
            yield stage
    except OSError as error:
        raise ExportError(f'cannot write {folder}: {checkpoint.reason(error)}') from None


def check_free(folder: str, overwrite: bool) -> None:
    """Checks an output folder before any work.

    Raises:
        ExportError: `folder` holds something and `overwrite` is False, or what it holds is no
            export.
        CheckpointError: TensorFlow could not read a model in it.
    """
    checkpoint.check_path(folder)
    if os.path.exists(folder) and not os.path.isdir(folder):
        raise ExportError(f'{folder} is a file; choose another --output')
    if not files.contents(folder):
        return
    if not overwrite:
        raise ExportError(f'{folder} is not empty; choose another --output, or replace an earlier '
                          'export with --overwrite=True')
    if not os.path.isfile(os.path.join(folder, LABELS)):
        raise ExportError(f'{folder} holds no earlier export (no {LABELS}), and is not '
                          'overwritten; choose another --output')


def write_labels(folder: str, classes: Iterable[str]) -> str:
    """Writes the class names, one per line, in the order of labels 1, 2, ...; returns the path."""
    path = os.path.join(folder, LABELS)
    with open(path, 'w', encoding='utf-8') as file:
        file.writelines(name + '\n' for name in classes)
    return path


def write_saved_model(folder: str, detector: Detector, labels: str) -> None:
    """Writes a SavedModel with the functions of `signatures`.

    Args:
        folder: of the SavedModel.
        detector: folded; then its weights are constants, and the SavedModel needs no variables.
        labels: file that goes into the SavedModel's assets.

    Raises:
        ExportError: the disk is full or refuses.
    """
    module = tf.Module()
    module.labels = tf.saved_model.Asset(labels)
    functions = signatures(detector)
    functions['serving_default'] = functions['bytes_batch']
    try:
        tf.saved_model.save(module, folder, signatures=functions)
    except tf.errors.OpError as error:
        raise ExportError(f'cannot write {folder}: {checkpoint.reason(error)}; '
                          f'{checkpoint.room(os.path.dirname(folder))}') from None


def signatures(detector: Detector) -> dict[str, tf.types.experimental.PolymorphicFunction]:
    """Functions from images to a dict of boxes, scores, classes and counts.

    Returns:
        'pixels' of uint8 [H, W, 3], 'pixels_batch' of [B, H, W, 3], 'bytes' of an encoded image,
        'bytes_batch' of [B] of them; B is at least 1, as convolutions on CPUs fail without images.
        Results for one image have no batch dimension. 'labels' takes nothing and gives the class
        names.
    """
    size = detector.model.spec.image_size

    def resize(image):
        return pipeline.resize_image(image, size)

    def decode(encoded):
        return resize(pipeline.decode_image(encoded))

    def of_one(prepare):
        return lambda image: {name: values[0] for name, values
                              in detector.detect(prepare(image)[None])._asdict().items()}

    def of_batch(prepare):
        prepared = tf.TensorSpec([size, size, 3], tf.uint8)
        return lambda images: detector.detect(
            tf.map_fn(prepare, images, fn_output_signature=prepared))._asdict()

    def signature(function, *inputs):
        return tf.function(function, input_signature=inputs, autograph=False)

    image = tf.TensorSpec([None, None, 3], tf.uint8, 'image')
    images = tf.TensorSpec([None, None, None, 3], tf.uint8, 'images')
    return {
        'pixels': signature(of_one(resize), image),
        'pixels_batch': signature(of_batch(resize), images),
        'bytes': signature(of_one(decode), tf.TensorSpec([], tf.string, 'encoded')),
        'bytes_batch': signature(of_batch(decode), tf.TensorSpec([None], tf.string, 'encoded')),
        'labels': signature(lambda: {'labels': tf.constant(detector.classes)}),
    }


def write_tflite(path: str, detector: Detector, half: bool) -> None:
    """Writes a TFLite file: uint8 [1, S, S, 3] -> boxes [1, D, 4], scores, classes, counts.

    Decoding and suppression are TFLite's own TFLite_Detection_PostProcess, which is part of its
    interpreter; all boxes of a class enter suppression, not the best nms_top_k.

    Args:
        path: of the file.
        detector: folded, float32.
        half: weights in float16; computation is in float32 all the same.

    Raises:
        ExportError: TensorFlow's converter lost the postprocessing.
        OSError: the disk is full or refuses.
    """
    size = detector.model.spec.image_size
    suppress = _postprocess(detector)
    images = tf.TensorSpec([1, size, size, 3], tf.uint8, 'images')

    @tf.function(input_signature=[images], autograph=False)
    def function(images):
        logits, offsets = detector.network(images)
        boxes, classes, scores, counts = suppress(
            offsets, tf.nn.softmax(logits), tf.constant(detector.defaults))
        classes = tf.where(scores > 0, tf.cast(classes, tf.int32) + 1, 0)
        return postprocess.Detections(tf.clip_by_value(boxes, 0, 1), scores, classes,
                                      tf.cast(counts, tf.int32))._asdict()

    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [function.get_concrete_function()], detector.model)
    converter.allow_custom_ops = True
    if half:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    content = _with_option(converter.convert(), detections_per_class=detector.limits.keep_top_k)
    with open(path, 'wb') as file:
        file.write(content)


def _with_option(content, **options):
    """A TFLite file whose one custom operation has further options.

    The converter passes on a fixed list, without detections_per_class, which then is 100.
    """
    model = flatbuffer_utils.convert_bytearray_to_object(content)
    found = [operator for operator in model.subgraphs[0].operators
             if operator.customOptions is not None and len(operator.customOptions)]
    if len(found) != 1:  # without room for temporary files, the converter leaves it out
        raise ExportError('the converter of TensorFlow lost the postprocessing; '
                          f'is there room in {tempfile.gettempdir()}?')
    options = flexbuffers.Loads(bytes(found[0].customOptions)) | options
    found[0].customOptions = np.frombuffer(flexbuffers.Dumps(options), np.uint8)
    return flatbuffer_utils.convert_object_to_bytearray(model)


def run_saved_model(folder: str, encoded: bytes) -> dict[str, tf.Tensor]:
    """Loads a SavedModel and runs its signature 'bytes'."""
    return tf.saved_model.load(folder).signatures['bytes'](tf.constant(encoded))


def run_tflite(path: str, images: npt.ArrayLike) -> dict[str, np.ndarray | np.generic]:
    """Runs a TFLite file on uint8 images [1, S, S, 3]; results without the batch dimension.

    By TensorFlow's interpreter, which a later TensorFlow will leave to the package ai-edge-litert.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', message=r'\s*Warning: tf.lite.Interpreter is deprecated')
        interpreter = tf.lite.Interpreter(path)
    found = interpreter.get_signature_runner()(images=np.asarray(images))
    return {name: values[0] for name, values in found.items()}


def _postprocess(detector):
    """A function without content, which the converter replaces by the operation that it names.

    Source: attributes: tensorflow/lite/kernels/detection_postprocess.cc; the way:
    object_detection/export_tflite_graph_lib_tf2.py of tensorflow/models. Its scales are the inverse
    of the variances, its classes start from 0 behind the background.
    """
    count, limits = detector.limits.keep_top_k, detector.limits
    y, x, height, width = (1 / variance for variance in box_ops.VARIANCES)
    attributes = {
        'max_detections': count, 'max_classes_per_detection': 1, 'use_regular_nms': True,
        'nms_score_threshold': float(limits.score_threshold),
        'nms_iou_threshold': float(limits.nms_threshold), 'y_scale': y, 'x_scale': x,
        'h_scale': height, 'w_scale': width, 'num_classes': detector.model.num_classes - 1}
    name = 'name: "TFLite_Detection_PostProcess" ' + ' '.join(
        map(_attribute, attributes, attributes.values()))

    @tf.function(experimental_implements=name)
    def suppress(offsets, scores, defaults):
        return tf.zeros([1, count, 4]), tf.zeros([1, count]), tf.zeros([1, count]), tf.zeros([1])

    return suppress


def _attribute(key, value):
    kind = {bool: 'b', int: 'i', float: 'f'}[type(value)]
    return f'attr {{ key: "{key}" value {{ {kind}: {str(value).lower()} }} }}'


def difference(one: Mapping[str, npt.ArrayLike], other: Mapping[str, npt.ArrayLike],
               score_threshold: float) -> tuple[float, int]:
    """Compares two results for one image.

    Each sure detection of either is compared, in its four corners and its score, with the nearest
    one of its class in the other.

    Args:
        one: as the signature 'pixels' returns it.
        other: the same.
        score_threshold: of both.

    Returns:
        (largest difference, sure detections in `one`). Infinite where a detection has no other.
    """
    bound = max(_SURE, score_threshold * 1.05, *map(_last, (one, other)))
    ones, others = _rows(one), _rows(other)
    pairs = [(row, rows) for each, rows in ((ones, others), (others, ones))
             for row in each if row[1] >= bound]
    return max((_nearest(*pair) for pair in pairs), default=0.), int((ones[:, 1] >= bound).sum())


def _last(found):
    """Score from which on detections are surely in a list; 0 where it is not full."""
    scores = np.asarray(found['scores'])
    return float(scores[-1]) + _NEAR_LAST if 0 < len(scores) == int(found['counts']) else 0.


def _rows(found):
    """[D, 6]: class, score, box."""
    found = {name: np.asarray(values) for name, values in found.items()}
    count = int(found['counts'])
    columns = (found[name][:count].reshape(count, -1) if count else np.zeros([0, width])
               for name, width in (('classes', 1), ('scores', 1), ('boxes', 4)))
    return np.concatenate(list(columns), axis=1)


def _nearest(row, rows):
    rows = rows[rows[:, 0] == row[0]]
    return float(np.abs(rows - row).max(axis=1).min()) if len(rows) else float('inf')
