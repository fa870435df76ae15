"""A detector as an ONNX file: uint8 `images` [B, S, S, 3] -> boxes, scores, classes, counts.

The outputs are those of nets.postprocess.Detections; decoding and suppression are inside.
"""
import importlib.util
import os

import numpy as np

from detection.detector import Detector
from export.exported import Exported, ExportError
from nets import postprocess
from nets.slim_compat import tf

_OPSET = 18
_LABELS = 'labels'  # key of the file's own properties; class names, one per line
_INSTALL = 'pip install tf2onnx onnxruntime'


def check_installed() -> None:
    """ExportError if a package that ONNX needs is missing."""
    for name in ('tf2onnx', 'onnxruntime'):
        if importlib.util.find_spec(name) is None:
            raise ExportError(f'the format onnx needs {_INSTALL} (there is no {name})')


def write(path: str, detector: Detector) -> None:
    """Writes an ONNX file. B is free.

    Args:
        path: of the file.
        detector: folded, float32.

    Raises:
        OSError: the disk is full or refuses.
    """
    import tf2onnx
    size = detector.model.spec.image_size
    images = tf.TensorSpec([None, size, size, 3], tf.uint8, 'images')
    traced = tf.function(lambda images: detector.portable(images)._asdict(),
                         input_signature=[images], autograph=False).get_concrete_function()
    outputs = postprocess.Detections._fields
    graph = _with_constants(traced, images, outputs)
    tensors = [f'{name}:0' for name in ('images', *outputs)]
    model, _ = tf2onnx.convert.from_graph_def(
        graph.as_graph_def(), input_names=tensors[:1], output_names=tensors[1:], opset=_OPSET,
        tensors_to_rename={name: name[:-2] for name in tensors})
    model.metadata_props.add(key=_LABELS, value='\n'.join(detector.classes))
    with open(path, 'wb') as file:
        file.write(model.SerializeToString())


def load(path: str, threads: int = 0) -> Exported:
    """Loads an ONNX file that `write` wrote.

    Args:
        path: of the file.
        threads: 0: one for each core.

    Raises:
        ExportError: it is no such file, or onnxruntime is not installed.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise ExportError(f'{path} needs {_INSTALL} ({error})') from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or os.cpu_count()
    try:
        session = onnxruntime.InferenceSession(path, options)
        labels = session.get_modelmeta().custom_metadata_map[_LABELS]
    except KeyError:
        raise ExportError(f'{path} has no class names inside; write it with '
                          'ssd_export.py') from None
    except Exception as error:  # the package has no class for all of its errors
        raise ExportError(f'{path} is no ONNX file that can be used: '
                          f'{str(error).splitlines()[0]}') from None

    def detect(images):
        found = session.run(list(postprocess.Detections._fields), {'images': np.asarray(images)})
        return postprocess.Detections(*found)

    return Exported(detect, tuple(labels.split('\n')), session.get_inputs()[0].shape[1])


def _with_constants(traced, images, outputs):
    """A graph of a traced function whose captured weights are constants, as tf2onnx wants them."""
    with tf.Graph().as_default() as graph:
        known = {inner.op.name: tf.constant(outer.numpy())
                 for outer, inner in traced.graph.captures}
        known['images'] = tf.compat.v1.placeholder(images.dtype, images.shape, 'images')
        found = tf.graph_util.import_graph_def(
            traced.graph.as_graph_def(), known,
            [traced.structured_outputs[name].name for name in outputs], name='ssd')
        for name, tensor in zip(outputs, found, strict=True):
            tf.identity(tensor, name)
    return graph
