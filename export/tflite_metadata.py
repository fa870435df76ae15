"""TFLite's model metadata: what a phone's library reads of a detector beside its operations.

Source: metadata_schema.fbs of TFLite, which MediaPipe carries (mediapipe/tasks/metadata). Tables
are written here as dicts from the number of a field in that file, a union taking two: its kind and
its value.
"""
import io
import zipfile

import flatbuffers
import numpy as np
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils

LABELS = 'labels.txt'
_IDENTIFIER = b'M001'
# TensorMetadata
_NAME, _TEXT, _CONTENT, _PROCESSING, _STATISTICS, _FILES = 0, 1, 3, 4, 5, 6
# Numbers of a union's kinds, and of enumerations.
_FEATURE, _IMAGE, _BOX = 1, 2, 3
_NORMALIZATION, _THRESHOLD = 1, 3
_RGB, _DESCRIPTIONS, _VALUE_LABELS, _BOUNDARIES = 1, 1, 3, 1


def attach(model: schema.ModelT, classes: tuple[str, ...], outputs: tuple[str, ...],
           score_threshold: float) -> bytes:
    """The file of a detector with its metadata, and its class names as a zipped file at its end.

    Args:
        model: of uint8 images.
        classes: names.
        outputs: boxes, classes from 0, scores, count in this order; or boxes, scores of all
            default boxes.
        score_threshold: that the scores of the former exceed.
    """
    data = _serialized(_description(score_threshold) if 'count' in outputs else _of_candidates())
    model.buffers.append(schema.BufferT())
    model.buffers[-1].data = np.frombuffer(data, np.uint8)
    entry = schema.MetadataT()
    entry.name, entry.buffer = b'TFLITE_METADATA', len(model.buffers) - 1
    model.metadata = [*(model.metadata or []), entry]
    file = io.BytesIO(bytes(flatbuffer_utils.convert_object_to_bytearray(model)))
    with zipfile.ZipFile(file, 'a') as archive:
        archive.writestr(zipfile.ZipInfo(LABELS), ''.join(f'{name}\n' for name in classes))
    return file.getvalue()


def labels(path: str) -> tuple[str, ...]:
    """The class names in a TFLite file; () where it has none."""
    try:
        with zipfile.ZipFile(path) as archive:
            return tuple(archive.read(LABELS).decode().splitlines())
    except (zipfile.BadZipFile, KeyError):
        return ()


def _description(score_threshold):
    """ModelMetadata of a detector, as MediaPipe knows it."""
    boxes = {_NAME: 'location', _TEXT: 'ymin, xmin, ymax, xmax in 0..1.',
             # Places of left, top, right, bottom.
             _CONTENT: {0: _BOX, 1: {0: [1, 0, 3, 2], 1: _BOUNDARIES}}}
    names = {0: LABELS, 1: 'Class names from 0 on.', 2: _VALUE_LABELS}
    categories = {_NAME: 'category', _TEXT: 'Class of each box, from 0.',
                  _CONTENT: {0: _FEATURE, 1: {}}, _FILES: [names]}
    scores = {_NAME: 'score', _TEXT: 'Score of each box, 0..1.', _CONTENT: {0: _FEATURE, 1: {}},
              _PROCESSING: [{0: _THRESHOLD, 1: {0: float(score_threshold)}}]}
    count = {_NAME: 'number of detections', _TEXT: 'Rows that hold a detection.',
             _CONTENT: {0: _FEATURE, 1: {}}}
    return _model([boxes, categories, scores, count])


def _of_candidates():
    """ModelMetadata of a detector without suppression."""
    boxes = {_NAME: 'boxes', _CONTENT: {0: _FEATURE, 1: {}},
             _TEXT: 'ymin, xmin, ymax, xmax of each default box in units of the image.'}
    names = {0: LABELS, 1: 'Class names from 1 on; 0 is the background.',
             2: _DESCRIPTIONS}
    scores = {_NAME: 'scores', _TEXT: 'Scores of each default box, 0..1, the background first.',
              _CONTENT: {0: _FEATURE, 1: {}}, _FILES: [names]}
    return _model([boxes, scores])


def _model(outputs):
    """ModelMetadata with the input of all detectors."""
    pixels = {_NAME: 'image', _TEXT: 'RGB, 0..255, resized to the size of the input.',
              _CONTENT: {0: _IMAGE, 1: {0: _RGB}},
              _PROCESSING: [{0: _NORMALIZATION, 1: {0: [0.], 1: [1.]}}],
              _STATISTICS: {0: [255.], 1: [0.]}}
    return {0: 'SSD', 1: 'Single Shot MultiBox Detector', 3: [{2: [pixels], 3: outputs}],
            7: '1.0.0'}


def _serialized(root):
    builder = flatbuffers.Builder()
    builder.Finish(_added(builder, root), _IDENTIFIER)
    return bytes(builder.Output())


def _added(builder, value):
    """Adds a text, a table (dict) or a vector (list); returns its place."""
    if isinstance(value, str):
        return builder.CreateString(value)
    if isinstance(value, list):
        return _vector(builder, value)
    # What a table refers to must be finished before the table begins.
    fields = {number: each if isinstance(each, int | float) else _added(builder, each)
              for number, each in value.items()}
    builder.StartObject(max(fields, default=-1) + 1)
    for number, each in fields.items():
        if isinstance(value[number], int):
            builder.PrependUint8Slot(number, each, 0)
        elif isinstance(value[number], float):
            builder.PrependFloat32Slot(number, each, 0)
        else:
            builder.PrependUOffsetTRelativeSlot(number, each, 0)
    return builder.EndObject()


def _vector(builder, values):
    add = {int: builder.PrependUint32, float: builder.PrependFloat32}.get(
        type(values[0]), builder.PrependUOffsetTRelative)
    places = [each if isinstance(each, int | float) else _added(builder, each) for each in values]
    builder.StartVector(4, len(places), 4)
    for place in reversed(places):
        add(place)
    return builder.EndVector()
