"""A detector as a TFLite file, as MediaPipe, Coral and TFLite's own interpreter take it.

Input: uint8 [1, S, S, 3], RGB. Outputs: boxes [1, D, 4], classes [1, D] from 0, scores [1, D] and
count [1], in this order and all float32, as TFLite_Detection_PostProcess has them. Decoding and
suppression are that operation, which is part of every TFLite interpreter; all boxes of a class
enter suppression, not the best nms_top_k.

Without suppression, all operations are TFLite's own: uint8 [B, S, S, 3] -> boxes [B, K, 4] and
scores [B, K, C], see export.exported.Candidates.
"""
import os
import tempfile
import warnings
from collections.abc import Iterable

import numpy as np
from flatbuffers import flexbuffers
from tensorflow.lite.tools import flatbuffer_utils

from detection.detector import Detector
from export import tflite_metadata
from export.exported import (
    Candidates,
    Exported,
    ExportError,
    before_suppression,
    detecting,
    in_batches,
)
from nets import boxes as box_ops
from nets.postprocess import Limits
from nets.slim_compat import tf

_OUTPUTS = ('boxes', 'classes', 'scores', 'count')


def write(path: str, detector: Detector, weights: str, calibration: Iterable = (),
          suppression: bool = True, batch_size: int = 1) -> None:
    """Writes a TFLite file with metadata.

    Args:
        path: of the file.
        detector: folded, float32.
        weights: 'float32'; 'float16', computed in float32; 'dynamic', int8, with activations in
            float32; 'int8', with everything up to the postprocessing in int8.
        calibration: uint8 images [S, S, 3] for 'int8', which give the ranges of activations.
        suppression: False: the outputs are those before it.
        batch_size: B, of a file without suppression.

    Raises:
        ExportError: TensorFlow's converter lost the postprocessing.
        OSError: the disk is full or refuses.
    """
    function = _function if suppression else _candidates
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [function(detector, weights == 'int8', batch_size)], detector.model)
    converter.allow_custom_ops = suppression
    if weights != 'float32':
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if weights == 'float16':
        converter.target_spec.supported_types = [tf.float16]
    if weights == 'int8':
        converter.representative_dataset = lambda: (
            [np.repeat(np.asarray(image, np.float32)[None], batch_size, axis=0)]
            for image in calibration)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.uint8
    model = flatbuffer_utils.convert_bytearray_to_object(converter.convert())
    if suppression:
        _set_option(model, detections_per_class=detector.limits.keep_top_k)
    outputs = _OUTPUTS if suppression else Candidates._fields
    _name_tensors(model, outputs)
    with open(path, 'wb') as file:
        file.write(tflite_metadata.attach(model, detector.classes, outputs,
                                          detector.limits.score_threshold))


def _name_tensors(model, outputs):
    """Gives the tensors of input and outputs their names, and the outputs their order."""
    signature, graph = model.signatureDefs[0], model.subgraphs[0]
    places = {each.name.decode(): each.tensorIndex
              for each in (*signature.inputs, *signature.outputs)}
    graph.outputs = [places[name] for name in outputs]
    for name, place in places.items():
        graph.tensors[place].name = name.encode()


def load(path: str, threads: int = 0, limits: Limits | None = None) -> Exported:
    """Loads a TFLite file that `write` wrote.

    By TensorFlow's interpreter, which a later TensorFlow will leave to the package ai-edge-litert.

    Args:
        path: of the file.
        threads: 0: one; without suppression one for each core. With several the suppression of
            TensorFlow 2.21 loses a detection now and then, where it joins the classes of its
            threads.
        limits: of the detections of a file without suppression.

    Raises:
        ExportError: it is no such file.
    """
    classes = tflite_metadata.labels(path)
    if not classes:
        raise ExportError(f'{path} has no class names inside; write it with ssd_export.py')
    runner = _runner(path, threads or 1)
    whole = 'count' in runner.get_output_details()
    if not (threads or whole):
        runner = _runner(path, os.cpu_count())
    batch, size, *_ = runner.get_input_details()['images']['shape'].tolist()

    def compute(images):
        found = runner(images=images)
        return _as_detections(**found) if whole else found

    return Exported(detecting(in_batches(compute, batch), limits), classes, size)


def _runner(path, threads):
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', message=r'\s*Warning: tf.lite.Interpreter is deprecated')
        return tf.lite.Interpreter(path, num_threads=threads).get_signature_runner()


def _as_detections(boxes, classes, scores, count):
    """The outputs as nets.postprocess.Detections has them, classes from 1, by name."""
    counts = count.astype(np.int32)
    held = np.arange(scores.shape[1]) < counts[:, None]
    return {'boxes': np.clip(boxes, 0, 1) * held[..., None], 'scores': scores * held,
            'classes': np.where(held, classes + 1, 0).astype(np.int32), 'counts': counts}


def _images(detector, of_floats, batch_size):
    """The input of a function to convert. of_floats: the converter itself adds that in uint8."""
    size = detector.model.spec.image_size
    return tf.TensorSpec([batch_size, size, size, 3], tf.float32 if of_floats else tf.uint8,
                         'images')


def _candidates(detector, of_floats, batch_size):
    """The function to convert, without suppression."""
    images = _images(detector, of_floats, batch_size)
    return tf.function(lambda images: before_suppression(detector, images)._asdict(),
                       input_signature=[images], autograph=False).get_concrete_function()


def _function(detector, of_floats, batch_size):
    """The function to convert."""
    images, suppress = _images(detector, of_floats, batch_size), _postprocess(detector)

    @tf.function(input_signature=[images], autograph=False)
    def function(images):
        logits, offsets = detector.network(images)
        found = suppress(offsets, tf.nn.softmax(logits), tf.constant(detector.defaults))
        # The converter would round it to a 256th of the image in int8: 0.02 AP of small objects.
        boxes = found[0] if of_floats else tf.clip_by_value(found[0], 0, 1)
        return dict(zip(_OUTPUTS, (boxes, *found[1:]), strict=True))

    return function.get_concrete_function()


def _set_option(model, **options):
    """Gives the one custom operation of a model further options.

    The converter passes on a fixed list, without detections_per_class, which then is 100.
    """
    found = [operator for operator in model.subgraphs[0].operators
             if operator.customOptions is not None and len(operator.customOptions)]
    if len(found) != 1:  # without room for temporary files, the converter leaves it out
        raise ExportError('the converter of TensorFlow lost the postprocessing; '
                          f'is there room in {tempfile.gettempdir()}?')
    options = flexbuffers.Loads(bytes(found[0].customOptions)) | options
    found[0].customOptions = np.frombuffer(flexbuffers.Dumps(options), np.uint8)


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
