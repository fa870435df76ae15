"""ONNX files compute the detector's detections, for any number of images."""
import sys

import numpy as np
import pytest

from export import formats, onnx
from export.exported import ExportError


@pytest.fixture(scope='module')
def path(small, tmp_path_factory):
    for package in ('tf2onnx', 'onnxruntime'):
        pytest.importorskip(package)
    found = str(tmp_path_factory.mktemp('onnx') / 'detector.onnx')
    onnx.write(found, small)
    return found


def test_onnx_equals_the_detector(path, small, images):
    loaded = onnx.load(path, threads=1)
    assert (loaded.classes, loaded.image_size) == (('cat',), 300)
    for batch in (images[:1], images):
        found, expected = loaded.detect(batch), small.detect(batch)
        assert found.counts.sum() > 0
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-4)


def test_the_free_axis_has_a_name(path):
    session = pytest.importorskip('onnxruntime').InferenceSession(path)
    assert [each.shape[0] for each in (*session.get_inputs(), *session.get_outputs())] == [
        'batch'] * 5


def test_what_is_not_installed_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, 'tf2onnx', None)
    monkeypatch.setitem(sys.modules, 'onnxruntime', None)
    with pytest.raises(ExportError, match='onnx needs pip install tf2onnx onnxruntime') as error:
        onnx.check_installed()
    assert '\n' not in str(error.value)
    (tmp_path / 'some.onnx').touch()
    with pytest.raises(ExportError, match='some.onnx needs pip install tf2onnx onnxruntime'):
        formats.load(str(tmp_path / 'some.onnx'))


def test_another_file_is_refused(tmp_path):
    pytest.importorskip('onnxruntime')
    (tmp_path / 'text.onnx').write_text('text')
    with pytest.raises(ExportError, match='text.onnx is no ONNX file that can be used') as error:
        onnx.load(str(tmp_path / 'text.onnx'))
    assert '\n' not in str(error.value)
