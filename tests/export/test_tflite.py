"""TFLite files: outputs, metadata, operations of int8."""
import collections
import pathlib
import struct
import warnings
import zipfile

import numpy as np
import pytest

from export import tflite, tflite_metadata
from nets.slim_compat import tf


def _interpreter(path):
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        # Without XNNPACK, which would add operations of its own.
        kinds = tf.lite.experimental.OpResolverType
        found = tf.lite.Interpreter(
            path, experimental_op_resolver_type=kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
    found.allocate_tensors()
    return found


@pytest.fixture(scope='module')
def int8(small, images, tmp_path_factory):
    path = str(tmp_path_factory.mktemp('tflite') / 'int8.tflite')
    tflite.write(path, small, 'int8', images)
    return path


def test_everything_before_the_postprocessing_is_int8(int8):
    interpreter = _interpreter(int8)
    types = {each['index']: each['dtype'] for each in interpreter.get_tensor_details()}
    operations = [(each['op_name'], {types[place] for place in each['outputs']})
                  for each in interpreter._get_ops_details()]
    names = [name for name, _ in operations]
    end = names.index('TFLite_Detection_PostProcess')
    assert collections.Counter(name for name, of in operations[:end] if of != {np.int8}) == {
        'DEQUANTIZE': 2}  # of offsets and scores, for the postprocessing
    assert set(names[:end]) == {'QUANTIZE', 'SUB', 'CONV_2D', 'DEPTHWISE_CONV_2D', 'RESHAPE',
                                'CONCATENATION', 'SOFTMAX', 'DEQUANTIZE'}
    assert operations[end + 1:] == []


def test_inputs_and_outputs_have_the_usual_order_and_types(int8, images):
    interpreter = _interpreter(int8)
    (image,), outputs = interpreter.get_input_details(), interpreter.get_output_details()
    assert (image['dtype'], image['shape'].tolist()) == (np.uint8, [1, 300, 300, 3])
    assert [each['name'] for each in (image, *outputs)] == [
        'images', 'boxes', 'classes', 'scores', 'count']
    assert image['quantization'] == (1., 0)
    assert [(each['dtype'], each['shape'].tolist()) for each in outputs] == [
        (np.float32, [1, 5, 4]), (np.float32, [1, 5]), (np.float32, [1, 5]), (np.float32, [1])]
    interpreter.set_tensor(image['index'], images[:1])
    interpreter.invoke()
    by_place = [interpreter.get_tensor(each['index']) for each in outputs]
    by_name = interpreter.get_signature_runner()(images=images[:1])
    for found, name in zip(by_place, ('boxes', 'classes', 'scores', 'count'), strict=True):
        np.testing.assert_array_equal(found, by_name[name])
    count = int(by_place[3][0])
    assert 0 < count <= 5 and set(by_place[1][0]) == {0}  # classes start from 0
    assert by_place[0].min() >= -.2 and by_place[0].max() <= 1.2  # int8 is not clipped
    assert by_place[2][0, :count].min() > .1


def test_loaded_detections_are_near_those_of_the_detector(int8, small, images):
    loaded = tflite.load(int8, threads=1)
    assert (loaded.classes, loaded.image_size) == (('cat',), 300)
    found = loaded.detect(images)
    assert found.boxes.shape == (2, 5, 4) and found.counts.dtype == np.int32
    assert found.classes.tolist() == [[1] * count + [0] * (5 - count) for count in found.counts]
    assert found.counts.tolist() == small.detect(images).counts.numpy().tolist()
    np.testing.assert_allclose(found.scores, small.detect(images).scores, atol=.1)


def test_labels_and_metadata_are_in_the_file(int8):
    with zipfile.ZipFile(int8) as archive:
        assert archive.namelist() == ['labels.txt'] and archive.read('labels.txt') == b'cat\n'
    content = pathlib.Path(int8).read_bytes()
    assert b'TFLITE_METADATA' in content and b'M001' in content
    for name in (b'location', b'category', b'score', b'number of detections'):
        assert name + b'\0' in content
    assert struct.pack('<f', .1) in content
    assert tflite_metadata.labels(__file__) == ()


def test_a_table_is_a_flatbuffer():
    data = tflite_metadata._serialized({1: 3})
    table, = struct.unpack_from('<I', data)
    places = table - struct.unpack_from('<i', data, table)[0]
    # Identifier; bytes of the list of places; no field 0; field 1.
    assert data[4:8] == b'M001' and struct.unpack_from('<H', data, places)[0] == 4 + 2 * 2
    empty, place = struct.unpack_from('<HH', data, places + 4)
    assert empty == 0 and data[table + place] == 3
    assert len(tflite_metadata._serialized({})) >= 12
