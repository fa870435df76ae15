"""The exported files of the shipped detector compute what the demo does, without this code."""
import os
import pathlib
import re
import subprocess
import sys
import types

import cv2
import numpy as np
import pytest
from PIL import Image

import ssd_export
from datasets.readers import voc
from detection import detector, loading, sources
from export import exported, folder, formats
from nets import postprocess
from nets.slim_compat import tf
from preprocessing import pipeline
from utils.errors import UserError

ROOT = pathlib.Path(__file__).resolve().parents[1]
SHIPPED = ROOT / 'checkpoints/ssd_mobilenet_v2/shipped'
FOLDER = 'exported/ssd_mobilenet_v2'
PAGE = (ROOT / 'docs/export.md').read_text(encoding='utf-8')


@pytest.fixture(scope='module')
def room(tmp_path_factory):
    """A folder with the export and two photographs."""
    path = tmp_path_factory.mktemp('export')
    before = os.getcwd()
    os.chdir(path)
    assert _export() == 0
    name, image = sources.sample()
    if name == 'drawn_scene':
        pytest.skip('this matplotlib brings no photograph')
    pathlib.Path('image.jpg').write_bytes(pathlib.Path(name).read_bytes())
    cv2.imwrite('small.png', cv2.cvtColor(cv2.resize(image, (200, 150)), cv2.COLOR_RGB2BGR))
    yield path
    os.chdir(before)


@pytest.fixture(scope='module')
def expected(room):
    """{image: arrays by name} as ssd_demo.py computes them, at the export's score threshold."""
    live = detector.Detector(loading.load(SHIPPED).model)
    found = {name: live.detect(live.resize(sources.read(name))[None])
             for name in ('image.jpg', 'small.png')}
    return {name: {key: values[0].numpy() for key, values in each._asdict().items()}
            for name, each in found.items()}


@pytest.fixture(scope='module')
def saved_model(room):
    return tf.saved_model.load(f'{FOLDER}/saved_model').signatures


def _export(*arguments):
    argv = sys.argv
    sys.argv = ['ssd_export.py', f'--checkpoint={SHIPPED}', *arguments]
    try:
        return ssd_export.main() or 0
    finally:
        sys.argv = argv


def _check(found, expected):
    assert set(found) == {'boxes', 'scores', 'classes', 'counts'} and expected['counts'] > 5
    for key, values in expected.items():
        np.testing.assert_allclose(found[key], values, atol=1e-4)


@pytest.mark.parametrize('name', ['image.jpg', 'small.png'])
def test_saved_model_equals_the_demo(name, saved_model, expected):
    _check(saved_model['pixels'](tf.constant(sources.read(name))), expected[name])
    _check(saved_model['bytes'](tf.io.read_file(name)), expected[name])


def test_saved_model_takes_batches(saved_model, expected):
    encoded = tf.stack([tf.io.read_file(name) for name in expected])
    for signature in ('bytes_batch', 'serving_default'):
        found = saved_model[signature](encoded)
        for number, each in enumerate(expected.values()):
            _check({key: values[number] for key, values in found.items()}, each)
    several = np.stack([sources.read('small.png')] * 2)
    found = saved_model['pixels_batch'](tf.constant(several))
    _check({key: values[1] for key, values in found.items()}, expected['small.png'])


def test_an_earlier_export_is_replaced(room, monkeypatch, capsys):
    with folder.staged('again', overwrite=False) as stage:
        folder.write_labels(stage, ['old'])
    monkeypatch.setattr(sources, 'sample', lambda: ('small.png', sources.read('small.png')))
    assert _export('--output=again', '--formats=tflite_float16', '--overwrite=True') == 0
    assert sorted(os.listdir('again')) == ['detector_float16.tflite', 'labels.txt']
    line = (r'detector_float16.tflite: 12.6 MB, \d+ ms per image on this machine, '
            r'largest difference from the detector 0\.0\d+, in \d')
    assert re.search(line, capsys.readouterr().out)


def test_class_names_are_in_all_places(saved_model):
    names = saved_model['labels']()['labels'].numpy()
    assert [name.decode() for name in names] == list(voc.CLASSES)
    for place in (FOLDER, f'{FOLDER}/saved_model/assets'):
        assert pathlib.Path(place, 'labels.txt').read_text().split() == list(voc.CLASSES)


@pytest.fixture(scope='module')
def detections(expected):
    """{image: Detections} of a batch of one image."""
    return {name: postprocess.Detections(**{key: values[None] for key, values in each.items()})
            for name, each in expected.items()}


@pytest.mark.parametrize('form, tolerance', [
    ('saved_model', 1e-4), ('tflite_float32', 1e-4), ('tflite_float16', .02)])
def test_loaded_files_equal_the_demo(form, tolerance, detections):
    path = f'{FOLDER}/{formats.FORMATS[form].file}'
    loaded = formats.load(path)
    assert (loaded.classes, loaded.image_size) == (voc.CLASSES, 300)
    for name, each in detections.items():
        found = loaded.detect(pipeline.resize_image(sources.read(name), 300)[None])
        assert found.boxes.shape == (1, 200, 4) and found.classes.dtype == np.int32
        largest, count = exported.difference(found, each, .01)
        assert largest < tolerance and count
    assert exported.size(path) < (14e6 if form == 'tflite_float16' else 27e6)


def test_mediapipe_finds_what_the_demo_finds(detections):
    python = pytest.importorskip('mediapipe.tasks.python')
    vision = pytest.importorskip('mediapipe.tasks.python.vision')
    media = pytest.importorskip('mediapipe')
    options = vision.ObjectDetectorOptions(score_threshold=.3, base_options=python.BaseOptions(
        model_asset_path=f'{FOLDER}/detector_float32.tflite'))
    with vision.ObjectDetector.create_from_options(options) as detect:
        for name, each in detections.items():
            # Its own resizing is plain bilinear, which moves scores by up to 0.1.
            pixels = pipeline.resize_image(sources.read(name), 300).numpy()
            found = detect.detect(media.Image(media.ImageFormat.SRGB, pixels)).detections
            scores, labels, boxes = (values[0][each.scores[0] > .3] for values in
                                     (each.scores, each.classes, each.boxes))
            categories = [part.categories[0] for part in found]
            assert categories and [part.category_name for part in categories] == [
                voc.CLASSES[label - 1] for label in labels]
            np.testing.assert_allclose([part.score for part in categories], scores, atol=1e-3)
            corners = [part.bounding_box for part in found]
            np.testing.assert_allclose(  # in whole pixels
                [[box.origin_y, box.origin_x, box.origin_y + box.height, box.origin_x + box.width]
                 for box in corners], boxes * 300, atol=2)


def test_litert_runs_it_by_name_and_by_place(detections):
    litert = pytest.importorskip('ai_edge_litert.interpreter')
    interpreter = litert.Interpreter(f'{FOLDER}/detector_float32.tflite')
    interpreter.allocate_tensors()
    images = pipeline.resize_image(sources.read('image.jpg'), 300)[None].numpy()
    interpreter.set_tensor(interpreter.get_input_details()[0]['index'], images)
    interpreter.invoke()
    boxes, classes, scores, count = (interpreter.get_tensor(each['index'])
                                     for each in interpreter.get_output_details())
    expected = detections['image.jpg']
    found = postprocess.Detections(boxes, scores, classes.astype(np.int32) + 1, count)
    largest, compared = exported.difference(found, expected, .01)
    assert largest < 1e-4 and compared
    # Below, rounding decides which of the weakest detections are among the 200.
    sure = int((expected.scores[0] > .05).sum())
    assert sure
    np.testing.assert_allclose(boxes[0, :sure], expected.boxes[0, :sure], atol=1e-4)
    np.testing.assert_allclose(scores[0, :sure], expected.scores[0, :sure], atol=1e-4)
    np.testing.assert_array_equal(classes[0, :sure] + 1, expected.classes[0, :sure])
    assert count[0] == expected.counts[0] and count.dtype == np.float32


def test_tflite_finds_more_than_a_hundred_of_one_class(room):
    # Biases make everything a person, the more so the more it looks like one; hardly anything is
    # suppressed.
    model = loading.load(SHIPPED).model
    for variable in model.variables:
        if variable.name.endswith('logits/biases:0'):
            boxes = variable.shape[0] // 21
            variable.assign_add(tf.tile(tf.one_hot(15, 21) * 6, [boxes]))
    limits = postprocess.Limits(score_threshold=.2, nms_threshold=.9, keep_top_k=150)
    persons = detector.Detector(model, limits=limits, folded=True)
    persons.classes = ('person',)
    formats.write('tflite_float32', 'persons.tflite', persons)
    images = pipeline.resize_image(sources.read('image.jpg'), 300)[None]
    found, expected = formats.load('persons.tflite').detect(images), persons.detect(images)
    assert found.counts[0] == expected.counts[0] == 150 and set(found.classes[0]) == {15}
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-5)


def test_the_readme_loads_it_without_this_repository(room, expected):
    code = re.search(r'```python\n(import tensorflow.*?)```', PAGE, re.DOTALL)[1]
    assert code.count('\n') == 5
    name = re.search(r"read_file\('(.*?)'\)", code)[1]
    (room / name).write_bytes(pathlib.Path('image.jpg').read_bytes())
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, cwd=room)
    score, box = expected['image.jpg']['scores'][0], expected['image.jpg']['boxes'][0]
    assert done.stdout.splitlines()[:1] == [f'person {score:.2f} {box.round(2)}'], done.stderr


@pytest.mark.parametrize('library, size', [
    ('cv2', (451, 300)), ('cv2', (1000, 700)), ('cv2', (640, 2000)), ('cv2', (100, 80)),
    ('PIL', (451, 300)), ('PIL', (1000, 700)), ('PIL', (640, 2000)), ('PIL', (100, 80))])
def test_the_page_resizes_as_the_detector_does(library, size):
    code, = (found for found in re.findall(r'```python\n(.*?)```', PAGE, re.DOTALL)
             if 'def resize' in found and library in found)
    scope = {}
    exec(code, scope)
    noise = np.random.default_rng(0).integers(0, 256, (size[1] // 10, size[0] // 10, 3), np.uint8)
    image = cv2.resize(noise, size, interpolation=cv2.INTER_CUBIC)
    expected = pipeline.resize_image(image, 300).numpy().astype(int)
    found = scope['resize'](image if library == 'cv2' else Image.fromarray(image))
    difference = np.abs(np.asarray(found) - expected)
    assert difference.shape == (300, 300, 3)
    assert difference.max() <= 1 and difference.mean() < .1


@pytest.mark.parametrize('arguments, message', [
    ([], f'{FOLDER} is not empty; .*--overwrite=True'),
    (['--formats=keras'], "formats: 'keras' is not one of saved_model, tflite_float32, .* several"),
    (['--output=new', '--formats=tflite_int8'], 'give --calibration_records=FOLDER'),
    (['--output=new', '--formats=tflite_int8', '--calibration_records=nowhere'], 'nowhere'),
    (['--formats='], "formats: '' is not one of"),
    (['--checkpoint=nowhere', '--output=new'], 'no checkpoint at nowhere'),
    (['--output=image.jpg'], 'image.jpg is a file'),
    (['--output=.', '--overwrite=True'],
     r'\. holds no earlier export \(no labels.txt\), and is not overwritten'),
    (['--output=new', '--precision=bfloat16'],
     'precision bfloat16 is for the SavedModel alone; give --formats=saved_model'),
    (['--output=new', '--fixed_batch=2'],
     'fixed_batch 2: TFLite suppresses in one image at a time; give --formats=onnx, '),
])
def test_mistakes(room, arguments, message):
    with pytest.raises((UserError, ValueError), match=message) as error:
        _export(*arguments)
    assert '\n' not in str(error.value) and not os.path.exists('new')


def test_what_computes_something_else_is_refused_unless_rounded():
    def compared(form, found, expected):
        return ssd_export._compared(form, found, expected, network, np.zeros([1, 8, 8, 3]))

    # The network gives two boxes that overlap and score the same.
    logits = np.log([[[.1, .9], [.1, .9]]])
    defaults = np.array([[.5, .5, 1, 1], [.5, .4, 1, .8]], np.float32)
    network = types.SimpleNamespace(network=lambda _: (logits, np.zeros([1, 2, 4], np.float32)),
                                    defaults=defaults, limits=postprocess.Limits())
    none = postprocess.Detections(*map(np.zeros, ([1, 2, 4], [1, 2], [1, 2], [1])))
    one = postprocess.Detections(np.array([[[0, 0, 1, 1], [0, 0, 0, 0]]]), np.array([[.9, 0]]),
                                 np.array([[1, 0]]), np.array([1]))
    near = one._replace(scores=np.array([[.9005, 0]]))
    other = one._replace(boxes=np.array([[[0, 0, 1, .8], [0, 0, 0, 0]]]))
    message = 'tflite_float32 differs by inf from the detector, .*; nothing is written'
    with pytest.raises(exported.ExportError, match=message):
        compared('tflite_float32', none, one)
    with pytest.raises(exported.ExportError,
                       match='saved_model differs by 0.0005 from the detector, more than 0.0001'):
        compared('saved_model', near, one)
    text = compared('tflite_float32', near, one)
    assert text.endswith('from the detector 0.0005, in 1 detections')
    text = compared('tflite_float32', other, one)
    assert text.startswith('1 detections, as good as those of the detector: where boxes score')
    text = compared('tflite_float16', none, one)
    assert text.startswith('its detections are not all those of the detector')
    assert 'nothing on the photograph' in compared('saved_model', none, none)
