"""A detector as an ONNX file: uint8 `images` [B, S, S, 3] -> boxes, scores, classes, counts.

The outputs are those of nets.postprocess.Detections; or without suppression, which not every
program can run, those of export.exported.Candidates.
"""
import functools
import importlib.util
import os

from detection.detector import Detector
from export.exported import (
    Candidates,
    Exported,
    ExportError,
    before_suppression,
    detecting,
    in_batches,
)
from nets.postprocess import Detections, Limits
from nets.slim_compat import tf

_OPSET = 18
_LABELS = 'labels'  # key of the file's own properties; class names, one per line
_INSTALL = 'pip install tf2onnx onnxruntime'


def check_installed() -> None:
    """ExportError if a package that ONNX needs is missing."""
    for name in ('tf2onnx', 'onnxruntime'):
        if importlib.util.find_spec(name) is None:
            raise ExportError(f'the format onnx needs {_INSTALL} (there is no {name})')


def write(path: str, detector: Detector, suppression: bool = True, batch_size: int = 0) -> None:
    """Writes an ONNX file.

    Args:
        path: of the file.
        detector: folded, float32.
        suppression: False: the outputs are those before it.
        batch_size: B. 0: free, an axis with the name 'batch'.

    Raises:
        OSError: the disk is full or refuses.
    """
    import tf2onnx
    size = detector.model.spec.image_size
    images = tf.TensorSpec([batch_size or None, size, size, 3], tf.uint8, 'images')
    compute = (detector.portable if suppression
               else functools.partial(before_suppression, detector))
    traced = tf.function(lambda images: compute(images)._asdict(), input_signature=[images],
                         autograph=False).get_concrete_function()
    outputs = (Detections if suppression else Candidates)._fields
    graph = _with_constants(traced, images, outputs)
    tensors = [f'{name}:0' for name in ('images', *outputs)]
    model, _ = tf2onnx.convert.from_graph_def(
        graph.as_graph_def(), input_names=tensors[:1], output_names=tensors[1:], opset=_OPSET,
        tensors_to_rename={name: name[:-2] for name in tensors})
    for each in (*model.graph.input, *model.graph.output):
        axis = each.type.tensor_type.shape.dim[0]
        if not batch_size:
            axis.dim_param = 'batch'
    model.metadata_props.add(key=_LABELS, value='\n'.join(detector.classes))
    with open(path, 'wb') as file:
        file.write(model.SerializeToString())


def load(path: str, threads: int = 0, limits: Limits | None = None) -> Exported:
    """Loads an ONNX file that `write` wrote.

    Args:
        path: of the file.
        threads: 0: one for each core.
        limits: of the detections of a file without suppression.

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

    batch, size, *_ = session.get_inputs()[0].shape
    names = [each.name for each in session.get_outputs()]

    def compute(images):
        return dict(zip(names, session.run(names, {'images': images}), strict=True))

    run = in_batches(compute, batch) if isinstance(batch, int) else compute
    return Exported(detecting(run, limits), tuple(labels.split('\n')), size)


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
