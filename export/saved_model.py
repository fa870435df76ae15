"""A detector as TensorFlow's SavedModel.

Outputs are named as in nets.postprocess.Detections: boxes, scores, classes, counts; or without
suppression as in export.exported.Candidates: boxes, scores.
"""
import functools
import os
import tempfile

from checkpoints import io as checkpoint
from detection.detector import Detector
from export import folder
from export.exported import Exported, ExportError, before_suppression, detecting
from nets.postprocess import Limits
from nets.slim_compat import tf
from preprocessing import pipeline


def write(path: str, detector: Detector, suppression: bool = True) -> None:
    """Writes a SavedModel with the functions of `signatures`.

    Args:
        path: of its folder.
        detector: folded; then its weights are constants, and the SavedModel needs no variables.
        suppression: False: the outputs are those before it.

    Raises:
        ExportError: the disk is full or refuses.
    """
    module = tf.Module()
    functions = signatures(detector, suppression)
    functions['serving_default'] = functions['bytes_batch']
    try:
        with tempfile.TemporaryDirectory() as assets:
            module.labels = tf.saved_model.Asset(folder.write_labels(assets, detector.classes))
            tf.saved_model.save(module, path, signatures=functions)
    except tf.errors.OpError as error:
        raise ExportError(f'cannot write {path}: {checkpoint.reason(error)}; '
                          f'{checkpoint.room(os.path.dirname(path))}') from None


def load(path: str, threads: int = 0, limits: Limits | None = None) -> Exported:
    """Loads a SavedModel that `write` wrote.

    Args:
        path: of its folder.
        threads: must be 0; TensorFlow has one number for all.
        limits: of the detections of one without suppression.

    Raises:
        ExportError: it is no such folder.
    """
    if threads:
        raise ValueError('the threads of a SavedModel are those of TensorFlow')
    try:
        functions = tf.saved_model.load(path).signatures
        facts = functions['labels']()
        names, size = facts['labels'].numpy(), int(facts['image_size'])
    except (OSError, KeyError, tf.errors.OpError) as error:
        raise ExportError(f'{path} is no SavedModel of ssd_export.py of this version: '
                          f'{str(error).splitlines()[0]}') from None

    def compute(images):
        found = functions['pixels_batch'](tf.constant(images))
        return {name: each.numpy() for name, each in found.items()}

    return Exported(detecting(compute, limits), tuple(name.decode() for name in names), size)


def signatures(detector: Detector, suppression: bool = True
               ) -> dict[str, tf.types.experimental.PolymorphicFunction]:
    """Functions from images to a dict of boxes, scores, classes and counts.

    Args:
        detector: folded or not.
        suppression: False: a dict of boxes and scores before it.

    Returns:
        'pixels' of uint8 [H, W, 3], 'pixels_batch' of [B, H, W, 3], 'bytes' of an encoded image,
        'bytes_batch' of [B] of them; B is at least 1, as convolutions on CPUs fail without images.
        Results for one image have no batch dimension. 'labels' takes nothing and gives the class
        names as 'labels' and S as 'image_size'.
    """
    size = detector.model.spec.image_size
    compute = (detector.portable if suppression
               else functools.partial(before_suppression, detector))

    def resize(image):
        return pipeline.resize_image(image, size)

    def decode(encoded):
        return resize(pipeline.decode_image(encoded))

    def of_one(prepare):
        return lambda image: {name: values[0] for name, values
                              in compute(prepare(image)[None])._asdict().items()}

    def of_batch(prepare):
        prepared = tf.TensorSpec([size, size, 3], tf.uint8)
        return lambda images: compute(
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
        'labels': signature(lambda: {'labels': tf.constant(detector.classes),
                                     'image_size': tf.constant(size)}),
    }
