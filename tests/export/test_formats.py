"""Formats by name, and files that cannot be written or loaded."""
import re
import resource

import pytest

from configs import keys
from export import formats
from export.exported import ExportError


def test_every_format_can_be_chosen():
    assert keys.read('config_export')[1]['formats'].choices == tuple(formats.FORMATS)


@pytest.mark.parametrize('form, text', [
    ('saved_model', 'cannot write .*/saved_model: .*; .* GB are free'),
    ('tflite_float32', 'is there room in ')])
def test_full_disk_is_one_line(tmp_path, small, form, text):
    # A limit on the size of files fails as a full disk does; the converter meets it in its
    # temporary folder.
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, before[1]))
    try:
        with pytest.raises(ExportError, match=text) as error:
            formats.write(form, str(tmp_path / form), small)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert '\n' not in str(error.value)


@pytest.mark.parametrize('name, content, message', [
    ('missing.tflite', None, 'there is no exported detector at '),
    ('model.ckpt-1.index', b'', 'is no exported detector: neither the folder of '),
    ('empty.tflite', b'', 'has no class names inside; write it with ssd_export.py'),
    ('text.tflite', b'TFL3' * 9, 'has no class names inside'),
    ('saved_model.pb', b'no protobuf', 'is no SavedModel of ssd_export.py of this version: '),
])
def test_files_that_are_no_exports(tmp_path, name, content, message):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    given = str(tmp_path if name == 'saved_model.pb' else path)
    with pytest.raises(ExportError, match=f'{re.escape(given)}.*|.*{message}') as error:
        formats.load(given)
    assert message in str(error.value) and '\n' not in str(error.value)
