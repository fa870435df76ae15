"""Files of drawn images, videos, JSON lines, VOC XML: where they go, and what they hold."""
import json
import os
import pathlib

import cv2
import numpy as np
import pytest

from datasets import annotations
from datasets.readers import voc
from detection import objects, sources, writers
from tests.detection.cameras import read_video, retime, write_video
from utils.errors import DataError

CLASSES = ('cat', 'dog')


@pytest.fixture
def room(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'few').mkdir()
    for name in ('a.jpg', 'a.png', 'b.gif'):
        cv2.imwrite(f'few/{name}', np.full((50, 100, 3), 128, np.uint8))
    return tmp_path


def _result(item, boxes=((.1, .2, .5, .6), (0, 0, 1, 1)), labels=(2, 1), scores=(.9, .51239)):
    found = objects.named(np.array(boxes, np.float32), labels, np.array(scores), CLASSES,
                          *item.image.shape[:2])
    return writers.DetectedImage(item, found)


def _write(image, output='', formats='', make=_result):
    """Detections of all that `image` names -> the lines on what was written."""
    source = sources.open_source(image)
    with writers.Outputs(source, output,
                         writers.choose_formats(formats, output, source.moving)) as written:
        for items, _ in sources.batches(source, lambda image: None, 2):
            for item in items:
                written.add(make(item))
    return written.written()


def _lines(path):
    return [json.loads(line) for line in pathlib.Path(path).read_text().splitlines()]


@pytest.mark.parametrize('wanted, output, moving, formats', [
    ('', '', False, ('image',)), ('', '', True, ('video',)), ('', 'new', False, ('image',)),
    ('', 'few.d/', True, ('video',)),
    ('', 'x.jpg', False, ('image',)), ('', 'x.MP4', True, ('video',)),
    ('', 'x.json', True, ('json',)),
    ('', 'x.jsonl', False, ('json',)), ('', 'x.xml', False, ('xml',)),
    ('xml', 'x.xml', False, ('xml',)),
    ('json, xml,json', '', False, ('json', 'xml')),
    ('image,video', 'new', True, ('image', 'video')),
])
def test_formats(wanted, output, moving, formats):
    assert writers.choose_formats(wanted, output, moving) == formats


@pytest.mark.parametrize('wanted, output, moving, message', [
    ('json', 'x.xml', False,
     'output x.xml is a file for xml, but format is json; name a folder, or leave output empty'),
    ('json,xml', 'x.xml', False, 'output x.xml is a file for xml, but format is json,xml; '),
    ('', 'x.avi', True,
     'output x.avi: nothing here writes .avi; use .png or .jpg, .mp4, .jsonl, .xml, or a folder'),
    ('', 'x.mp4', False, 'format video is for a video or a camera; for images: image, json, xml'),
    ('xml', '', True,
     r'format xml is for images; for a video or a camera: video, image \(frames\), json'),
])
def test_formats_that_do_not_go_together(wanted, output, moving, message):
    with pytest.raises(DataError, match=message):
        writers.choose_formats(wanted, output, moving)


def test_one_image(room):
    assert _write('few/a.jpg', formats='image,json,xml') == [
        'a_detections.png', 'a_detections.jsonl', 'a_detections.xml']
    assert cv2.imread('a_detections.png').shape == (50, 100, 3)
    assert _write('few/a.jpg', 'new/deep/x.jpg') == ['new/deep/x.jpg']
    assert cv2.imread('new/deep/x.jpg').shape == (50, 100, 3)
    assert _write('few/a.jpg', 'folder') == ['folder/a.jpg']


def test_folder_with_equal_names(room):
    assert _write('few', formats='image,json,xml') == [
        '3 images in few_detections/', 'few_detections/detections.jsonl',
        '3 XML files in few_detections/']
    assert sorted(os.listdir('few_detections')) == [
        'a.jpg', 'a.xml', 'a_2.png', 'a_2.xml', 'b.png', 'b.xml', 'detections.jsonl']
    lines = _lines('few_detections/detections.jsonl')
    assert [line['image'] for line in lines] == ['few/a.jpg', 'few/a.png', 'few/b.gif']


def test_json_lines(room):
    _write('few/a.png', 'x.json')
    assert pathlib.Path('x.json').read_text() == (
        '{"image": "few/a.png", "width": 100, "height": 50, "detections": ['
        '{"class": "dog", "score": 0.9, "box": [20.0, 5.0, 60.0, 25.0]}, '
        '{"class": "cat", "score": 0.5124, "box": [0.0, 0.0, 100.0, 50.0]}]}\n')
    _write('few/a.png', 'x.json', make=lambda item: _result(item, (), (), ()))
    assert pathlib.Path('x.json').read_text() == (
        '{"image": "few/a.png", "width": 100, "height": 50, "detections": []}\n')


def test_xml_is_read_as_an_annotation(room):
    _write('few/*.png', 'few/Annotations', 'xml')
    annotation = voc.read_xml('few', 'a')
    found = annotation.objects
    assert annotation.size == (50, 100) and [item.name for item in found] == ['dog', 'cat']
    assert [item.edges for item in found] == [(5, 20, 25, 60), (0, 0, 50, 100)]
    usable = annotations.usable(found, 50, 100, CLASSES, 'a.xml')
    np.testing.assert_allclose(usable.boxes, [[.1, .2, .5, .6], [0, 0, 1, 1]], atol=1e-6)
    assert usable.refused == ()


def test_xml_of_a_turned_image_has_the_stored_pixels(room):
    from PIL import Image
    exif = Image.new('RGB', (1, 1)).getexif()
    exif[0x0112] = 6  # the upright image is the stored one, turned clockwise
    stored = np.zeros((50, 100, 3), np.uint8)
    stored[:10, :30] = 255
    Image.fromarray(stored).save('turned.png', exif=exif)
    _write('turned.png', 'Annotations/turned.xml',
           make=lambda item: _result(item, [[0, .8, .3, 1]], [1], [.9]))
    found = voc.read_xml('.', 'turned')
    assert found.size == (50, 100) and found.objects[0].edges == (0, 0, 10, 30)


@pytest.mark.parametrize('image, output', [
    ('few/a.jpg', 'few/a.jpg'), ('few', 'few'), ('link.jpg', 'few/a.jpg'),
    ('clip.mp4', 'clip.mp4')])
def test_inputs_stay(room, image, output):
    write_video('clip.mp4', 2)
    os.symlink('few/a.jpg', 'link.jpg')
    message = r'^(few/a.jpg|clip.mp4) is an input and stays as it is; name another output$'
    with pytest.raises(DataError, match=message):
        _write(image, output)


def test_one_file_for_many_is_refused(room):
    with pytest.raises(DataError,
                       match='output x.png is one file, but few has several images; name a folder'):
        _write('few', 'x.png')
    assert os.listdir('.') == ['few']


def test_video_and_frames(room):
    write_video('clip.mp4', 5, rate=12.5)
    assert _write('clip.mp4') == ['clip_detections.mp4']
    frames, rate = read_video('clip_detections.mp4')
    assert (len(frames), frames[0].shape, rate) == (5, (48, 64, 3), 12.5)
    assert _write('clip.mp4', formats='image,video,json') == [
        '5 images in clip_detections/', 'clip_detections/detections.mp4',
        'clip_detections/detections.jsonl']
    assert sorted(os.listdir('clip_detections'))[:2] == ['clip_000000.jpg', 'clip_000001.jpg']
    lines = _lines('clip_detections/detections.jsonl')
    assert [(line['frame'], line['seconds']) for line in lines] == [
        (0, 0), (1, .08), (2, .16), (3, .24), (4, .32)] and lines[0]['image'] == 'clip.mp4'


def test_a_variable_rate_is_kept_in_time(room):
    write_video('clip.mp4', 6, rate=10.)  # gray 0, 20, ..., 100
    retime('clip.mp4', [.6, .6, .6, .2, 3, 1])  # at 0, .06, .12, .18, .2 and .5 s
    _write('clip.mp4', make=lambda item: _result(item, (), (), ()))
    frames, rate = read_video('clip_detections.mp4')
    assert rate == pytest.approx(10, abs=.01)
    np.testing.assert_allclose([frame.mean() for frame in frames], [0, 40, 80, 80, 80, 100],
                               atol=8)  # of two encodings


@pytest.mark.parametrize('able, used', [(('avc1', 'mp4v'), 'avc1'), (('mp4v',), 'mp4v')])
def test_codec_of_a_video(room, monkeypatch, able, used):
    """H.264 where OpenCV has it; else a line that says how browsers come to play the file."""
    codes = {cv2.VideoWriter_fourcc(*name): name for name in ('avc1', 'mp4v')}
    opened, real = [], cv2.VideoWriter

    def writer(path, code, rate, size):
        opened.append(codes[code])
        known = codes[code] in able
        return real(path if known else '', cv2.VideoWriter_fourcc(*'mp4v'), rate, size)

    monkeypatch.setattr(cv2, 'VideoWriter', writer)
    mp4 = writers._Mp4(lambda *_: 'my clip.mp4', rate=10.)
    mp4.add(_result(sources.Item(np.zeros((48, 64, 3), np.uint8), 'x', 'x_0', 0, 0.)))
    mp4.close()
    assert opened[0] == 'avc1' and opened[-1] == used and mp4.written() == 'my clip.mp4'
    assert mp4.note == ('' if used == 'avc1' else
                        'browsers play no MPEG-4, and this OpenCV writes no H.264: ffmpeg -i '
                        "'my clip.mp4' -c:v libx264 -pix_fmt yuv420p 'my clip_h264.mp4'")


def test_odd_sides_of_a_video(room):
    writer = writers._Mp4(lambda *_: 'odd.mp4', rate=10.)
    writer.add(_result(sources.Item(np.zeros((49, 65, 3), np.uint8), 'odd', 'odd_0', 0, 0.)))
    writer.close()
    assert read_video('odd.mp4')[0][0].shape == (48, 64, 3)


def test_video_of_a_pixel(room):
    writer = writers._Mp4(lambda *_: 'pixel.mp4', rate=10.)
    with pytest.raises(DataError,
                       match='pixel.mp4 cannot be written: OpenCV makes no MP4 of 1 x 2 pixels'):
        writer.add(_result(sources.Item(np.zeros((2, 1, 3), np.uint8), 'x', 'x', 0, 0.)))
    writer.close()
    assert os.listdir('.') == ['few']


def test_slow_motion_rates_that_mpeg4_cannot_have(room):
    writer = writers._Mp4(lambda *_: 'slow.mp4', rate=119.973)
    writer.add(_result(sources.Item(np.zeros((48, 64, 3), np.uint8), 'slow', 'slow_0', 0, 0.)))
    writer.close()
    frames, rate = read_video('slow.mp4')
    assert (len(frames), rate) == (1, 120)


def test_a_cameras_frames_last_as_long_as_they_did(room, monkeypatch):
    # 10 frames a second are written; the network saw one at 0, 0.3, 0.31 and 0.5 s.
    writer = writers._Mp4(lambda *_: 'camera.mp4', rate=10.)
    for gray, seconds in ((0, 0.), (80, .3), (160, .31), (240, .5)):
        image = np.full((48, 64, 3), gray, np.uint8)
        writer.add(_result(sources.Item(image, 'camera 0', 'x', 0, seconds), (), (), ()))
    writer.close()
    frames, _ = read_video('camera.mp4')
    np.testing.assert_allclose([frame.mean() for frame in frames], [0, 0, 0, 160, 160, 240],
                               atol=4)


def test_a_video_that_is_not_whole_is_noticed(room):
    writer = writers._Mp4(lambda *_: 'short.mp4', rate=10.)
    writer.add(_result(sources.Item(np.zeros((48, 64, 3), np.uint8), 'x', 'x', 0, 0.)))
    writer._write(1)
    writer._frames += 1
    with pytest.raises(DataError, match='short.mp4 is not whole; is the disk full?'):
        writer.close()


def test_what_cannot_be_written(room):
    (room / 'file').touch()
    for output in ('file/x.png', 'file/x.json', 'file/x.xml'):
        with pytest.raises(DataError, match=f'{output} cannot be written: File exists'):
            _write('few/a.png', output)
    write_video('clip.mp4', 2)
    with pytest.raises(DataError, match='file/x.mp4 cannot be written: File exists'):
        _write('clip.mp4', 'file/x.mp4')


def test_tally(room):
    tally = writers.Tally(warm_up=1)
    item = sources.Item(np.zeros((50, 100, 3), np.uint8), 'a', 'a')
    tally.add(_result(item))
    assert tally.summary('image') == '1 image, 2 detections: 1 dog, 1 cat'
    tally.add(_result(item, [[0, 0, 1, 1]], [1], [.9]))
    assert tally.summary('frame').startswith('2 frames, 3 detections: 2 cat, 1 dog; ')
    assert tally.summary('frame').endswith(' frames/s')


def test_text(room):
    item = sources.Item(np.zeros((50, 100, 3), np.uint8), 'a', 'a')
    assert _result(item, (), (), ()).text() == '0 objects'
    assert _result(item).text().splitlines()[:3] == [
        '2 objects', 'class            score  xmin  ymin  xmax  ymax',
        'dog               0.90    20     5    60    25']


def test_whole_pixels_are_one_based_inclusive_and_inside():
    found = writers.whole_pixels(
        np.array(
            [
                [0, 0, 1, 1],  # all of it
                [0.1, 0.2, 0.5, 0.6],  # rows 5..25, columns 20..60 from 0
                [0.104, 0.204, 0.496, 0.596],  # the nearest whole pixels
                [-0.1, 1 - 1e-6, 1.2, 1.3],  # reaches outside, at the right edge
                [0.5, 0.5, 0.5, 0.5],
            ]
        ),
        50,
        100,
    )
    assert found.tolist() == [
        [1, 1, 50, 100], [6, 21, 25, 60], [6, 21, 25, 60], [1, 99, 50, 100], [26, 51, 27, 52]
    ]
    assert writers.whole_pixels(np.zeros((0, 4)), 50, 100).shape == (0, 4)
    assert writers.whole_pixels(np.array([[0, 0, 1, 1]]), 1, 1).tolist() == [[1, 1, 1, 1]]
