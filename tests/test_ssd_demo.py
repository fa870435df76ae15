"""The demo as a user runs it: with the shipped detector, or one that always finds a person."""
import itertools
import json
import os
import pathlib
import re
import signal
import sys

import cv2
import numpy as np
import pytest

import ssd_demo
from benchmarks.fuzz_videos import avi
from datasets.readers import voc
from detection import detector, loading, sources, writers
from nets import postprocess
from nets.slim_compat import tf
from preprocessing import pipeline
from tests.detection.cameras import Camera, read_video, write_video
from utils.errors import DataError, UserError

SHIPPED = pathlib.Path(__file__).resolve().parents[1] / 'checkpoints/ssd_mobilenet_v2/shipped'


@pytest.fixture
def room(tmp_path, monkeypatch):
    """An empty folder, and no display."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv('DISPLAY', raising=False)
    monkeypatch.delenv('WAYLAND_DISPLAY', raising=False)
    return tmp_path


@pytest.fixture
def person(monkeypatch):
    """In place of a network: a person in the left half of every image."""
    def detect(_, images):
        count = tf.shape(images)[0]
        box = tf.constant([[[.1, 0, .9, .5], [0, 0, 0, 0]]], tf.float32)
        return postprocess.Detections(tf.tile(box, [count, 1, 1]), tf.tile([[.9, 0.]], [count, 1]),
                                      tf.tile([[voc.CLASSES.index('person') + 1, 0]], [count, 1]),
                                      tf.ones([count], tf.int32))

    fake = type('Fake', (detector.Detector,), {
        'thresholds': (.5,) * len(voc.CLASSES),
        '__init__': lambda self: None, 'classes': voc.CLASSES, 'prefix': 'fake', 'detect': detect,
        'strongest': lambda self, images, labels: (float(images[0, 0, 0, 0]) / 255, max(labels))})
    monkeypatch.setattr(loading, 'load', lambda *_: fake())


@pytest.fixture
def photograph():
    name, image = sources.sample()
    if name == 'drawn_scene':
        pytest.skip('this matplotlib brings no photograph')
    return cv2.cvtColor(image, cv2.COLOR_RGB2BGR)


def _demo(monkeypatch, *arguments):
    monkeypatch.setattr(sys, 'argv', ['ssd_demo.py', f'--checkpoint={SHIPPED}', *arguments])
    return ssd_demo.main()


def test_folder_with_the_shipped_detector(room, monkeypatch, capsys, photograph):
    (room / 'few').mkdir()
    cv2.imwrite('few/a.jpg', photograph)
    cv2.imwrite('few/a.png', photograph[:, ::-1])
    cv2.imwrite('few/b.png', photograph[:500, 20:])
    (room / 'few/broken.jpg').write_text('none')
    traced, resize = [], pipeline.resize_image
    monkeypatch.setattr(pipeline, 'resize_image',
                        lambda *given: traced.append(given) or resize(*given))

    assert _demo(monkeypatch, 'few', '--batch_size=2', '--score_threshold=0.4',
                 '--format=image,json,xml',
                 '--output=found/Annotations') == 0
    text = capsys.readouterr().out
    assert '3 images, 3 detections: 3 person' in text
    assert '1 of 4 images left out:\n  few/broken.jpg is no image that OpenCV reads' in text
    assert text.endswith('written: 3 images in found/Annotations/\n'
                         'written: found/Annotations/detections.jsonl\n'
                         'written: 3 XML files in found/Annotations/\n')
    # One trace for two sizes of images.
    assert len(traced) == 1 and traced[0][0].shape.as_list() == [None, None, 3]

    lines = [json.loads(line)
             for line in (room / 'found/Annotations/detections.jsonl').read_text().splitlines()]
    assert [(line['image'], line['width'], line['height']) for line in lines] == [
        ('few/a.jpg', 512, 600), ('few/a.png', 512, 600), ('few/b.png', 492, 500)]
    # The same box in JSON and XML.
    box = lines[0]['detections'][0]['box']
    np.testing.assert_allclose(box, [1, 28, 512, 596], atol=25)
    found = voc.read_xml('found', 'a')
    assert found.size == (600, 512) and [item.name for item in found.objects] == ['person']
    ymin, xmin, ymax, xmax = found.objects[0].edges
    np.testing.assert_allclose([xmin, ymin, xmax, ymax], box, atol=.51)
    assert cv2.imread('found/Annotations/a_2.png').shape == (600, 512, 3)


def test_one_image_and_the_classes_to_show(room, person, monkeypatch, capsys):
    cv2.imwrite('a.png', np.zeros((100, 200, 3), np.uint8))
    assert _demo(monkeypatch, 'a.png') == 0
    assert capsys.readouterr().out.endswith(
        '1 object\nclass            score  xmin  ymin  xmax  ymax\n'
        'person            0.90     0    10   100    90\n'
        'written: a_detections.png\n')
    assert cv2.imread('a_detections.png').shape == (100, 200, 3)
    assert _demo(monkeypatch, 'a.png', '--show_classes=dog, cat', '--output=x.json') == 0
    assert ('0 objects\nbest score below the threshold: dog 0.00; --score_threshold=0 shows it\n'
            'written: x.json\n') in capsys.readouterr().out
    assert '"detections": []' in (room / 'x.json').read_text()
    with pytest.raises(UserError,
                       match="show_classes: 'persn' is no class of this detector; nearest: person"):
        _demo(monkeypatch, 'a.png', '--show_classes=dog,persn')


def test_nothing_found_in_several_images(room, person, monkeypatch, capsys):
    (room / 'few').mkdir()
    for gray in (10, 54, 30):
        cv2.imwrite(f'few/{gray}.png', np.full((50, 50, 3), gray, np.uint8))
    assert _demo(monkeypatch, 'few', '--show_classes=cat,dog', '--batch_size=2') == 0
    assert ('best score in the first 3 images below the threshold: dog 0.21; '
            '--score_threshold=0.21 shows it\n') in capsys.readouterr().out
    assert _demo(monkeypatch, 'few') == 0
    assert 'best score' not in capsys.readouterr().out


def test_the_best_score_is_that_which_a_lower_threshold_shows(room, monkeypatch, capsys):
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3)).astype(np.uint8)
    cv2.imwrite('noise.png', noise)
    assert _demo(monkeypatch, 'noise.png') == 0
    name, score, threshold = re.search(
        r'best score below the threshold: (\w+) (0\.\d\d); --score_threshold=(0\.\d+) shows it',
        capsys.readouterr().out).groups()
    assert _demo(monkeypatch, 'noise.png', f'--score_threshold={threshold}') == 0
    assert re.search(f'^{name} +{score} ', capsys.readouterr().out, re.MULTILINE)


@pytest.mark.parametrize('names, labels', [('', {1, 2}), ('dog', {2}), (' dog ,cat,', {1, 2})])
def test_labels_to_show(names, labels):
    assert ssd_demo.labels_to_show(names, ('cat', 'dog')) == labels


def test_video(room, person, monkeypatch, capsys):
    write_video('clip.mp4', 5, rate=12.5)
    assert _demo(monkeypatch, 'clip.mp4', '--batch_size=2', '--format=video,json') == 0
    text = capsys.readouterr()
    assert 'clip.mp4: 5 frames of 64 x 48 pixels, 12.5 frames/s' in text.out
    assert 'no window: there is no display' in text.out
    assert re.search(r'^5 frames, 5 detections: 5 person; [\d.]+ frames/s$', text.out, re.MULTILINE)
    assert ' 5/5 [' in text.err
    frames, rate = read_video('clip_detections.mp4')
    assert (len(frames), rate) == (5, 12.5)
    assert len((room / 'clip_detections.jsonl').read_text().splitlines()) == 5


def test_every_second_frame_and_a_cut_video(room, person, monkeypatch, capsys):
    frame = cv2.imencode('.jpg', np.zeros((48, 64, 3), np.uint8))[1].tobytes()
    (room / 'cut.avi').write_bytes(avi([frame] * 5, count=24))
    with pytest.raises(DataError, match='^cut.avi ends after 5 of 24 frames: it is cut or damaged; '
                       'what was found until there is written$'):
        _demo(monkeypatch, 'cut.avi', '--vid_stride=2', '--format=video,json')
    assert '3 frames, 3 detections' in capsys.readouterr().out
    lines = (room / 'cut_detections.jsonl').read_text().splitlines()
    assert [json.loads(line)['frame'] for line in lines] == [0, 2, 4]
    frames, rate = read_video('cut_detections.mp4')
    assert (len(frames), rate) == (3, 5)
    cv2.imwrite('a.png', np.zeros((5, 5, 3), np.uint8))
    with pytest.raises(UserError, match='frame_step is for videos and cameras; a.png is none'):
        _demo(monkeypatch, 'a.png', '--frame_step=2')


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_interrupted_camera_leaves_a_whole_video(room, person, monkeypatch, capsys, number):
    real = cv2.VideoCapture
    monkeypatch.setattr(cv2, 'VideoCapture', lambda name: Camera(name) if name == 0 else real(name))
    added, add = itertools.count(1), writers.Outputs.add

    def interrupting(files, result):
        add(files, result)
        if next(added) == 3:
            os.kill(os.getpid(), number)

    monkeypatch.setattr(writers.Outputs, 'add', interrupting)
    assert _demo(monkeypatch, '--image=0', '--format=video,json') == 130
    text = capsys.readouterr().out
    assert text.endswith('written: camera_0_detections.mp4\nwritten: camera_0_detections.jsonl\n'
                         'interrupted after 3 frames\n')
    assert len(read_video('camera_0_detections.mp4')[0]) >= 3
    assert len((room / 'camera_0_detections.jsonl').read_text().splitlines()) == 3


def test_closed_window_ends_a_video(room, person, monkeypatch, capsys):
    class Window:
        def __init__(self, title):
            self.left = 2

        def show(self, image):
            assert image.shape == (48, 64, 3)
            self.left -= 1
            return self.left > 0

    write_video('clip.mp4', 5)
    monkeypatch.setattr(ssd_demo, 'Window', Window)
    assert _demo(monkeypatch, 'clip.mp4') == 0
    assert len(read_video('clip_detections.mp4')[0]) == 2
    assert '\n2 frames, ' in capsys.readouterr().out


@pytest.mark.parametrize('image, message', [('few', 'no image of few can be read'),
                                            ('few/x.jpg', 'few/x.jpg is no image')])
def test_nothing_that_can_be_read(room, person, monkeypatch, image, message):
    (room / 'few').mkdir()
    (room / 'few/x.jpg').write_text('none')
    with pytest.raises(DataError, match=f'^{message}'):
        _demo(monkeypatch, image)
    assert os.listdir('.') == ['few']
