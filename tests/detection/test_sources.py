"""What a user names becomes images or frames, in order, in batches; a mistake is one line."""
import itertools

import cv2
import numpy as np
import pytest

from benchmarks.fuzz_videos import avi
from detection import sources
from tests.detection.cameras import Camera, retime, write_video
from utils.errors import DataError


@pytest.fixture
def room(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'few').mkdir()
    for number, name in enumerate(['a.png', 'b.png', 'd.png', 'e.png']):
        cv2.imwrite(f'few/{name}', np.full((10 + number, 20, 3), number, np.uint8))
    (tmp_path / 'few/c.png').write_text('none')
    return tmp_path


def _first(images):
    return int(images[0, 0, 0])


def test_folder_in_batches_without_what_is_no_image(room):
    source = sources.open_source('few')
    assert (str(source), source.stem, source.moving, source.several) == (
        'few: 5 images', 'few', False, True)
    found = list(sources.batches(source, _first, 3))
    paths = [[item.path for item in items] for items, _ in found]
    assert paths == [['few/a.png', 'few/b.png', 'few/d.png'], ['few/e.png']]
    assert [prepared for _, prepared in found] == [[0, 1, 2], [3]]
    assert found[1][0][0].image.shape == (13, 20, 3) and found[1][0][0].frame is None
    assert source.refused == ['few/c.png is no image that OpenCV reads, or a damaged one']


def test_videos_among_images_are_named(tmp_path, capsys):
    cv2.imwrite(str(tmp_path / 'a.png'), np.zeros((4, 4, 3), np.uint8))
    for name in ('a.xml', 'b.mp4', 'c.MOV'):
        (tmp_path / name).touch()
    assert sources.open_source(str(tmp_path)).total == 1
    assert capsys.readouterr().out == (
        f'2 videos left out, first {tmp_path}/b.mp4; name a video by itself\n')


def test_one_image_a_pattern_and_the_sample(room):
    one = sources.open_source('few/a.png')
    assert (str(one), one.stem, one.several) == ('few/a.png', 'a', False)
    some = sources.open_source('few/[ab]*')
    assert (str(some), some.stem, some.several) == ('few/[ab]*: 2 images', 'images', True)
    assert sources.open_source('').stem in ('grace_hopper', 'drawn_scene')
    # What exists goes before patterns and numbers.
    for name in ('0', 'x[1].png'):
        cv2.imwrite('a.png', np.zeros((5, 5, 3), np.uint8))
        (room / 'a.png').rename(name)
        found = sources.batches(sources.open_source(name), _first, 1)
        assert [items[0].path for items, _ in found] == [name]


def test_video(room):
    write_video('clip.mp4', 5, rate=12.5)
    source = sources.open_source('clip.mp4')
    assert str(source) == 'clip.mp4: 5 frames of 64 x 48 pixels, 12.5 frames/s'
    assert (source.moving, source.several, source.live, source.total) == (True, True, False, 5)
    found = list(sources.batches(source, _first, 2))
    assert [[item.frame for item in items] for items, _ in found] == [[0, 1], [2, 3], [4]]
    assert found[2][0][0].stem == 'clip_000004' and found[2][0][0].path == 'clip.mp4'
    np.testing.assert_allclose([gray for _, prepared in found for gray in prepared],
                               [0, 20, 40, 60, 80], atol=3)


def _items(source):
    return [item for items, _ in sources.batches(source, _first, 2) for item in items]


def test_every_third_frame(room):
    write_video('clip.mp4', 8, rate=12.)
    source = sources.open_source('clip.mp4', 3)
    assert str(source) == (
        'clip.mp4: 8 frames of 64 x 48 pixels, 12 frames/s, one of 3 is looked at')
    found = _items(source)
    assert [(item.frame, item.stem, item.seconds) for item in found] == [
        (0, 'clip_000000', 0), (3, 'clip_000003', .25), (6, 'clip_000006', .5)]
    np.testing.assert_allclose([_first(item.image) for item in found], [0, 60, 120], atol=4)
    assert (source.total, source.rate, source.cut()) == (3, 4, '')
    assert len(_items(sources.open_source('clip.mp4', 100))) == 1


def test_frames_of_a_variable_rate_come_when_they_do(room):
    write_video('clip.mp4', 6, rate=10.)
    retime('clip.mp4', [.5, .5, .5, .5, 2, 2])
    assert [item.seconds for item in _items(sources.open_source('clip.mp4'))] == pytest.approx(
        [0, .05, .1, .15, .2, .4])


@pytest.mark.parametrize('stated', [2, 24])
def test_times_beyond_the_stated_length_are_those_of_the_rate(room, stated):
    image = cv2.imencode('.jpg', np.zeros((48, 64, 3), np.uint8))[1].tobytes()
    (room / 'clip.avi').write_bytes(avi([image] * 5, count=stated))
    assert [item.seconds for item in _items(sources.open_source('clip.avi'))] == pytest.approx(
        [0, .1, .2, .3, .4])


@pytest.mark.parametrize('frames, cut', [(3, True), (21, True), (22, False), (24, False)])
def test_a_truncated_video_is_told(room, frames, cut):
    image = cv2.imencode('.jpg', np.zeros((48, 64, 3), np.uint8))[1].tobytes()
    (room / 'clip.avi').write_bytes(avi([image] * frames, count=24))
    source = sources.open_source('clip.avi')
    assert source.total == 24 and source.cut() == ''  # not read yet
    assert len(_items(source)) == frames
    assert source.cut() == cut * (f'clip.avi ends after {frames} of 24 frames: it is cut or '
                                  'damaged; what was found until there is written')


def test_the_content_says_whether_it_is_a_video(room, capfd):
    write_video('clip.mp4', 5)
    (room / 'clip.mp4').rename('few/video.jpg')
    (room / 'few/a.png').rename('few/image.mp4')
    assert str(sources.open_source('few/video.jpg')).startswith('few/video.jpg: 5 frames of 64 x')
    assert _items(sources.open_source('few/image.mp4'))[0].image.shape == (10, 20, 3)
    assert sources.open_source('few').total == 6  # the image is one of the folder's
    damaged = cv2.imencode('.jpg', np.zeros((48, 64, 3), np.uint8))[1].tobytes()
    (room / 'damaged.jpg').write_bytes(b'xx' + damaged[2:])
    assert isinstance(sources.open_source('damaged.jpg'), sources.ImageFiles)
    assert capfd.readouterr() == ('', '')


def test_video_of_raw_pixels_is_no_text(room):
    # 64 x 48 pixels of gray 100, the letter d.
    frame = b'FRAME\n' + b'd' * (64 * 48 * 3 // 2)
    (room / 'raw.y4m').write_bytes(b'YUV4MPEG2 W64 H48 F10:1 C420jpeg\n' + frame * 2)
    found = [item for items, _ in sources.batches(sources.open_source('raw.y4m'), _first, 8)
             for item in items]
    assert [item.image.shape for item in found] == [(48, 64, 3)] * 2


def test_uncompressed_bgr_is_refused(room):
    # Read, it would corrupt the memory of this process.
    (room / 'raw.avi').write_bytes(avi([bytes(64 * 48 * 3)] * 2, fourcc=bytes(4)))
    with pytest.raises(DataError,
                       match='^raw.avi holds uncompressed BGR pixels, which OpenCV does not read'):
        sources.open_source('raw.avi')


@pytest.mark.parametrize('rate, scale, used', [(10, 1, 10), (1, 100, 0.01), (1, 9000, 25),
                                               (90_000, 1, 25), (2**32 - 1, 1, 25)])
def test_rates_beyond_reason(room, rate, scale, used):
    image = cv2.imencode('.jpg', np.zeros((48, 64, 3), np.uint8))[1].tobytes()
    (room / 'clip.avi').write_bytes(avi([image] * 2, rate=rate, scale=scale))
    assert sources.open_source('clip.avi').rate == pytest.approx(used)


def test_camera_one_by_one_at_a_rate_that_is_sensible(monkeypatch):
    monkeypatch.setattr(cv2, 'VideoCapture', Camera)
    source = sources.open_source('0')
    assert str(source) == 'camera 0: 64 x 48 pixels, 25 frames/s' and source.total is None
    found = list(itertools.islice(sources.batches(source, lambda image: image[0, 0].tolist(), 8),
                                  3))
    assert [prepared for _, prepared in found] == [[[0, 0, 1]], [[0, 0, 2]], [[0, 0, 3]]]
    seconds = [items[0].seconds for items, _ in found]
    assert seconds == sorted(seconds) and 0 <= seconds[0] < seconds[2] < 5


@pytest.mark.parametrize('name, message', [
    ('nowhere.jpg', 'no image at nowhere.jpg, nor a folder or video'),
    ('few/*.jpg', r"pattern 'few/\*.jpg' matches nothing"),
    ('few/notes.txt', 'few/notes.txt is no image and no video that OpenCV reads, or a damaged one'),
    ('cut.mp4', r'cut.mp4 is an MP4 whose index \(moov\) is not whole, which often stands at the '
     'end: the file is cut, or its recording did not end'),
    ('box.mp4', 'box.mp4 is no image and no video that OpenCV reads, or a damaged one'),
    ('long.txt', 'long.txt is no image and no video that OpenCV reads, or a damaged one'),
    ('list.mp4', 'list.mp4 is no image and no video that OpenCV reads, or a damaged one'),
    ('empty.mp4', 'empty.mp4 is no image and no video that OpenCV reads, or a damaged one'),
    ('7', 'camera 7 cannot be opened; cameras are numbered from 0'),
])
def test_mistakes(room, name, message, monkeypatch, capfd):
    (room / 'few/notes.txt').write_text('hello')
    write_video('whole.mp4', 5)
    (room / 'cut.mp4').write_bytes((room / 'whole.mp4').read_bytes()[:600])
    # FFmpeg would draw the long one as 80 columns of letters, and read whole.mp4 for the list.
    (room / 'long.txt').write_text('hello\n' * 500)
    (room / 'list.mp4').write_text('ffconcat version 1.0\nfile whole.mp4\n')
    (room / 'empty.mp4').touch()
    (room / 'box.mp4').write_bytes(b'\0\0\0\x08moov')
    if name == '7':
        monkeypatch.setattr(cv2, 'VideoCapture', Camera)
    with pytest.raises(DataError, match=f'^{message}$'):
        sources.open_source(name)
    assert capfd.readouterr() == ('', '')


def test_a_recording_that_did_not_end(room):
    write_video('clip.mp4', 5)
    data = (room / 'clip.mp4').read_bytes()
    (room / 'clip.mp4').write_bytes(data[:data.find(b'moov') - 4])
    with pytest.raises(DataError, match=r'^clip.mp4 is an MP4 whose index \(moov\) is not whole'):
        sources.open_source('clip.mp4')


def test_frames_beyond_reason_are_refused_unread(room, monkeypatch):
    write_video('clip.mp4', 1)
    monkeypatch.setattr(sources, 'MOST_PIXELS', 64 * 48)
    assert sources.open_source('clip.mp4').total == 1
    monkeypatch.setattr(sources, 'MOST_PIXELS', 64 * 48 - 1)
    message = '^clip.mp4 has frames of 64 x 48 pixels; those of more than 3071 are not read$'
    with pytest.raises(DataError, match=message):
        sources.open_source('clip.mp4')
