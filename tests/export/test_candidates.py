"""Files without suppression: boxes and scores of all default boxes, which other programs run."""
import functools

import cv2
import numpy as np
import pytest

from benchmarks import models
from export import exported, formats, onnx, tflite
from nets import postprocess
from nets.slim_compat import tf
from tests.training import tiny

LIMITS = postprocess.Limits(score_threshold=.02, keep_top_k=5)


@pytest.fixture(scope='module')
def images():
    """Three images of noise, uint8 [3, 32, 32, 3]."""
    return np.random.default_rng(0).integers(0, 256, [3, 32, 32, 3], np.uint8)


@pytest.fixture(scope='module')
def detector(images):
    return models.random_detector(tiny.SPEC, images, ['cat', 'dog'], LIMITS)


@pytest.fixture(scope='module')
def expected(detector, images):
    """boxes [3, 80, 4] and scores [3, 80, 3]."""
    compute = functools.partial(exported.before_suppression, detector)
    found = tf.function(compute, autograph=False)(tf.constant(images))
    np.testing.assert_allclose(np.sum(found.scores, axis=-1), 1, atol=1e-5)
    return [values.numpy() for values in found]


@pytest.mark.parametrize('form, batch_size', [
    ('tflite_float32', 0), ('tflite_float32', 2), ('onnx', 0), ('onnx', 2), ('saved_model', 0)])
def test_suppressed_outside_they_give_the_detections(form, batch_size, detector, images, tmp_path):
    if form == 'onnx':
        pytest.importorskip('tf2onnx')
        pytest.importorskip('onnxruntime')
    path = str(tmp_path / formats.FORMATS[form].file)
    formats.write(form, path, detector, suppression=False, batch_size=batch_size)
    loaded = formats.load(path, limits=LIMITS)
    assert (loaded.classes, loaded.image_size) == (('cat', 'dog'), 32)
    found, wanted = loaded.detect(images), detector.detect(images)
    assert wanted.counts.numpy().min() > 0
    for one, other in zip(found, wanted, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_allclose(one, other, atol=1e-5)
    more = formats.load(path).detect(images)  # those of an evaluation
    assert more.boxes.shape == (3, 200, 4) and more.counts.sum() > found.counts.sum()


def test_tflite_names_its_tensors(detector, images, expected, tmp_path):
    path = str(tmp_path / 'detector.tflite')
    tflite.write(path, detector, 'float32', suppression=False, batch_size=3)
    interpreter = tf.lite.Interpreter(path)
    interpreter.allocate_tensors()
    (image,), outputs = interpreter.get_input_details(), interpreter.get_output_details()
    assert (image['name'], image['shape'].tolist()) == ('images', [3, 32, 32, 3])
    assert [each['name'] for each in outputs] == ['boxes', 'scores']
    interpreter.set_tensor(image['index'], images)
    interpreter.invoke()
    for each, values in zip(outputs, expected, strict=True):
        np.testing.assert_allclose(interpreter.get_tensor(each['index']), values, atol=1e-5)


def test_opencv_and_onnxruntime_run_it(detector, images, expected, tmp_path):
    pytest.importorskip('tf2onnx')
    runtime = pytest.importorskip('onnxruntime')
    path = str(tmp_path / 'detector.onnx')
    onnx.write(path, detector, suppression=False)
    session = runtime.InferenceSession(path)
    tensors = *session.get_inputs(), *session.get_outputs()
    assert [(each.name, each.shape) for each in tensors] == [
        ('images', ['batch', 32, 32, 3]), ('boxes', ['batch', 80, 4]),
        ('scores', ['batch', 80, 3])]
    network = cv2.dnn.readNetFromONNX(path)
    for count in (1, 3):
        network.setInput(images[:count])
        for found in (network.forward(['boxes', 'scores']),
                      session.run(['boxes', 'scores'], {'images': images[:count]})):
            for one, other in zip(found, expected, strict=True):
                np.testing.assert_allclose(one, other[:count], atol=1e-5)


def test_a_function_of_two_images_takes_any_number():
    calls = []

    def compute(images):
        calls.append(images.tolist())
        return {'doubled': images * 2}
    found = exported.in_batches(compute, 2)(np.array([[1], [2], [3]]))
    assert found['doubled'].tolist() == [[2], [4], [6]] and calls == [[[1], [2]], [[3], [0]]]


def test_suppression_outside_on_one_box():
    boxes = np.array([[[0, 0, 1.2, 1], [0, 0, 1, 1]]], np.float32)
    scores = np.array([[[.1, .9, 0], [.4, .6, 0]]], np.float32)
    detect = exported.detecting(lambda images: {'boxes': boxes, 'scores': scores}, LIMITS)
    found = detect(np.zeros([1, 4, 4, 3], np.uint8))
    assert found.counts.tolist() == [1] and found.classes.tolist() == [[1, 0, 0, 0, 0]]
    np.testing.assert_allclose(found.scores, [[.9, 0, 0, 0, 0]], atol=1e-6)
    np.testing.assert_allclose(found.boxes[0, 0], [0, 0, 1, 1], atol=1e-6)
