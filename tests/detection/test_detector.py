"""The three-line interface, and that the shipped detector finds what it has always found."""
import io
import os
import pathlib
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import detection
from checkpoints import fit
from checkpoints import io as checkpoint
from detection import sources
from detection.objects import Box
from nets import backbones
from utils.errors import CheckpointError, DataError

ROOT = pathlib.Path(__file__).resolve().parents[2]
# What the shipped detector finds on the photograph above a score of 0.1: label, score, and
# xmin, ymin, xmax, ymax in pixels of 512 x 600.
FOUND = [
    (15, 0.99658906, 11.152313, 55.575496, 500.952667, 577.847099),
    (10, 0.25281277, 9.160706, 6.664109, 141.271744, 327.284932),
    (15, 0.12047587, 205.383072, 0.0, 241.889725, 49.257928),
    (15, 0.11598442, 198.002762, 0.997339, 250.144089, 78.86281),
    (15, 0.11269879, 94.185875, 66.004166, 136.376572, 149.523899),
    (15, 0.10549377, 394.332214, 496.158135, 404.480225, 520.932019),
    (15, 0.10290269, 0.0, 221.004903, 135.235199, 542.152512)]


@pytest.fixture(scope='module')
def photograph():
    if not sources.photograph():
        pytest.skip('this matplotlib brings no photograph')
    return sources.photograph()


@pytest.fixture(scope='module')
def shipped():
    return detection.load(ROOT / 'checkpoints/ssd_mobilenet_v1/shipped', score_threshold=.1)


def test_the_readme_shows_what_its_lines_print(tmp_path):
    # As a notebook in another folder runs them; TensorFlow's messages do not appear.
    readme = (ROOT / 'README.md').read_text(encoding='utf-8')
    code, output = re.search(r'```python\n(import detection\n.*?)```\n\n```\n(.*?)```', readme,
                             re.DOTALL).groups()
    code = code.replace("'docs/", f"'{ROOT}/docs/")
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True,
                          cwd=tmp_path, env={'PYTHONPATH': str(ROOT)})
    assert done.stderr == '' and done.stdout == output


def test_importing_it_is_quick():
    code = "import sys, detection; print('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout == 'False\n', done.stderr


def test_the_shipped_detector_finds_what_it_found_before(shipped, photograph):
    found = shipped(photograph)
    assert [each.name for each in found] == ['person', 'cow', *['person'] * 5]
    rows = np.array([(each.label, each.score, *each.box) for each in found])
    expected = np.array(FOUND)
    np.testing.assert_allclose(rows[:, :2], expected[:, :2], atol=1e-5)
    np.testing.assert_allclose(rows[:, 2:] / 600, expected[:, 2:] / 600, atol=1e-5)


def test_each_class_has_its_threshold(photograph, tmp_path):
    source = ROOT / 'checkpoints/ssd_mobilenet_v1/shipped'
    copied = shutil.copytree(source, tmp_path / 'copied', ignore=shutil.ignore_patterns('eval*'))
    facts = checkpoint.read_description(checkpoint.find(copied))
    others = dict.fromkeys(facts['classes'], .9)

    def found(**options):
        return {each.name for each in detection.load(copied, **options)(photograph)}
    checkpoint.write_description(copied, **facts | {'thresholds': others | {
        'cow': .2, 'person': .999}})
    assert found() == {'cow'}
    assert found(score_threshold=.1) == {'person', 'cow'}
    checkpoint.write_description(copied, **facts | {'thresholds': {'cow': .2}})
    assert found() == {'person', 'cow'}  # 0.5 for the other classes


def test_paths_arrays_and_lists(shipped, photograph):
    image = sources.read(photograph)
    one = shipped(image)
    assert shipped(photograph) == shipped(pathlib.Path(photograph)) == one
    assert shipped([photograph, image[:400]]) == [one, shipped(image[:400])]
    assert shipped([]) == []
    assert isinstance(one[0].box, Box) and 0 <= one[0].box.xmin < one[0].box.xmax <= 512


def test_bytes_and_images_of_pillow_are_seen_as_files_are(shipped, photograph, tmp_path):
    data, expected = pathlib.Path(photograph).read_bytes(), shipped(photograph)
    assert shipped(data) == shipped(bytearray(data)) == shipped(memoryview(data)) == expected
    assert shipped(Image.open(photograph)) == expected
    sideways, file = Image.Exif(), io.BytesIO()
    sideways[0x0112] = 6  # to be turned by 90 degrees clockwise
    image = Image.open(photograph).rotate(90, expand=True)
    image.save(file, 'png', exif=sideways)
    assert shipped(file.getvalue()) == shipped(Image.open(file)) == expected


@pytest.mark.parametrize('image, message', [
    (np.zeros((3, 3), np.uint8), r'this one is uint8 \[3, 3\]'),
    (np.zeros((1, 3, 3, 3), np.uint8), r'this one is uint8 \[1, 3, 3, 3\]'),
    (np.zeros((3, 3, 3)), r'this one is float64 \[3, 3, 3\]'),
    (None, 'an image is uint8 RGB .* this one is NoneType'),
    (np.zeros((9, 9, 3), np.uint8)[5:5], r'at least one pixel; this one is \[0, 9, 3\]'),
])
def test_what_is_no_image(shipped, image, message):
    with pytest.raises(ValueError, match=message):
        shipped(image)


@pytest.mark.parametrize('image', ['nowhere.jpg', b'', b'text', b'\xff\xd8\xff'])
def test_files_that_are_no_image(shipped, image):
    with pytest.raises(DataError, match='nowhere.jpg: image cannot be read|^image of bytes'):
        shipped(image)


def test_a_fork_says_that_it_cannot_detect(shipped):
    def message(use):
        with pytest.raises(RuntimeError, match='load the detector in each process') as error:
            use()
        return str(error.value)

    image = np.zeros([1, 300, 300, 3], np.uint8)
    reader, writer = os.pipe()
    if not (child := os.fork()):
        try:
            said = {message(use) for use in (lambda: shipped(image[0]), lambda: shipped([]),
                                             lambda: shipped.detect(image), detection.load)}
            os.write(writer, '; '.join(said).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    with open(reader) as file:
        assert file.read() == (
            f'TensorFlow runs in process {os.getpid()}, of which this one is a fork, and cannot '
            "run here: load the detector in each process, started by multiprocessing.get_context("
            "'spawn'); or share it among threads")


@pytest.mark.parametrize('limits, message', [
    ({'score_threshold': 'bset'}, "score_threshold: 'bset' is neither a number nor 'best'"),
    ({'score_threshold': None}, 'score_threshold: None is not a number'),
    ({'nms_top_k': 0}, 'nms_top_k: 0 is not a whole number of at least 1')])
def test_limits_are_checked(limits, message):
    with pytest.raises(ValueError, match=message):
        detection.load(**limits)


def test_which_detector(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert detection.load().prefix == checkpoint.find(
        ROOT / 'checkpoints/ssd_mobilenet_v2/shipped')
    with pytest.raises(CheckpointError,
                       match='no trained detector in checkpoints/ssd_vgg_300; train one: '):
        detection.load(backbone='ssd_vgg_300')
    with pytest.raises(CheckpointError, match='no checkpoint at own'):
        detection.load('own')
    prefix = checkpoint.save('own', 1, {'a': np.zeros(1)})
    with pytest.raises(CheckpointError,
                       match='the backbone of own/model.ckpt-1 is unknown: no model.json'):
        detection.load('own')
    # The depth is found by the scope of the ImageNet weights.
    deep = backbones.get('resnet_v1', 101).with_box_set('voc')
    checkpoint.write_description('own', **checkpoint.describe(deep, '', ['cat']))
    assert fit.spec_of(prefix) == deep
    with pytest.raises(CheckpointError,
                       match='own/model.ckpt-1 holds no variable of resnet_v1 .scope resnet_'):
        detection.load('own')


TWO_DETECTORS = """
import numpy as np
from utils import processor
processor.use_onednn(fixed_weights={fixed})
from detection.detector import Detector
from nets import backbones, ssd
from nets.slim_compat import tf
tf.random.set_seed(0)
spec = backbones.get('mobilenet_v1')
detectors = [Detector(ssd.SSD(spec, 3).build(), folded=True) for _ in range(2)]
images = np.random.RandomState(0).randint(0, 256, [3, 300, 300, 3]).astype(np.uint8)
networks = [tf.function(detector.network, autograph=False) for detector in detectors]
for size in (1, 3, 1, 2):
    for network in networks:
        logits = network(tf.constant(images[:size]))[0].numpy()
        print(*['%.6f' % logit for logit in (logits / np.max(np.abs(logits)))[:, 0].ravel()])
"""


def test_fixed_weights_are_those_of_each_detector_for_every_batch():
    """oneDNN keeps what it made of the weights."""
    found = []
    for fixed in (False, True):
        environment = {name: value for name, value in os.environ.items()
                       if not name.startswith('TF_ONEDNN')}
        done = subprocess.run([sys.executable, '-c', TWO_DETECTORS.format(fixed=fixed)], cwd=ROOT,
                              capture_output=True, text=True, timeout=300, env=environment)
        assert done.returncode == 0, done.stderr
        found.append([[float(logit) for logit in line.split()]
                      for line in done.stdout.splitlines()])
    usual, fixed = found
    assert [len(logits) for logits in usual] == [3, 3, 9, 9, 3, 3, 6, 6]
    assert abs(usual[0][0] - usual[1][0]) > 1e-2  # two detectors differ
    for one, other in zip(usual, fixed, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
