"""The window, without one: OpenCV's functions are replaced."""
import cv2
import numpy as np
import pytest

from detection import window

IMAGE = np.zeros((1800, 1000, 3), np.uint8)


@pytest.fixture
def fake(monkeypatch):
    """A display, and a list of calls; 'key' is pressed next, 'visible' as OpenCV tells it."""
    calls = {'key': -1, 'visible': 1., 'shown': [], 'sizes': []}
    monkeypatch.setenv('DISPLAY', ':0')
    for name, function in {'namedWindow': lambda *_: None, 'imshow': lambda _,
                           image: calls['shown'].append(image),
                           'resizeWindow': lambda _, *size: calls['sizes'].append(size),
                           'waitKey': lambda _: calls['key'],
                           'getWindowProperty': lambda *_: calls['visible']}.items():
        monkeypatch.setattr(cv2, name, function)
    return calls


def test_frames_until_a_key_or_the_window_is_closed(fake):
    shown = window.Window('title')
    assert shown.show(IMAGE) and shown.show(IMAGE)
    # The second frame has the frame rate in its corner; the first has nothing to compare with.
    assert fake['shown'][0].max() == 0 and fake['shown'][1][:60, :60].max() > 0 and IMAGE.max() == 0
    assert fake['sizes'] == [(500, 900)]
    for key in (ord('q'), 27):
        fake['key'] = key
        assert not shown.show(IMAGE)
    fake.update(key=-1, visible=0.)
    assert not shown.show(IMAGE)


def test_a_image_is_held_until_a_key_or_the_window_is_closed(fake):
    fake['key'] = ord(' ')
    window.Window('title').hold(IMAGE)
    fake.update(key=-1, visible=0.)
    window.Window('title').hold(IMAGE)


def test_why_there_is_no_window(monkeypatch):
    monkeypatch.setattr(window.sys, 'platform', 'linux')
    monkeypatch.delenv('DISPLAY', raising=False)
    monkeypatch.delenv('WAYLAND_DISPLAY', raising=False)
    with pytest.raises(window.Unavailable, match='there is no display'):
        window.Window('title')

    def headless(*_):
        raise cv2.error('The function is not implemented.')

    monkeypatch.setenv('WAYLAND_DISPLAY', 'wayland-0')
    monkeypatch.setattr(cv2, 'namedWindow', headless)
    with pytest.raises(window.Unavailable,
                       match='this OpenCV has no windows; install opencv-python'):
        window.Window('title')
