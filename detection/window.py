"""A window for images, where there is a display and OpenCV has windows (not the headless build)."""
import collections
import os
import sys
import time

import cv2
import numpy as np

from detection import drawing
from utils.errors import UserError
from utils.text import plain

_ESCAPE = 27
_LARGEST = (900, 1600)  # height and width in pixels: below those of most screens


def has_display() -> bool:
    """Whether a window could appear: X11, Wayland, Windows or macOS."""
    return bool(os.environ.get('DISPLAY') or os.environ.get('WAYLAND_DISPLAY')
                or sys.platform in ('win32', 'darwin'))


class Unavailable(UserError):
    """Why there is no window, in words."""


class Window:
    """show(image) for every frame, or hold(image) until a key. Images are uint8 RGB [H, W, 3].

    Raises:
        Unavailable: there is no display, or OpenCV has no windows.
    """

    def __init__(self, title: str):
        # Asked for a window without a display, some builds of OpenCV end the process.
        if not has_display():
            raise Unavailable('there is no display')
        try:
            self._title = plain(title)
            cv2.namedWindow(self._title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO
                            | cv2.WINDOW_GUI_NORMAL)
        except cv2.error:
            raise Unavailable('this OpenCV has no windows; install opencv-python instead of '
                              'opencv-python-headless to see one') from None
        self._sized, self._times = False, collections.deque(maxlen=30)

    def show(self, image: np.ndarray) -> bool:
        """Shows a frame and the frame rate; False after q, Escape, or when the window is closed."""
        self._times.append(time.monotonic())
        spent = self._times[-1] - self._times[0]  # over several frames: batches come at once
        if spent:
            image = drawing.draw_caption(image, f'{(len(self._times) - 1) / spent:.1f} frames/s')
        self._draw(image)
        return cv2.waitKey(1) & 0xFF not in (ord('q'), _ESCAPE) and self._is_open()

    def hold(self, image: np.ndarray) -> None:
        """Shows an image until a key is pressed or the window is closed."""
        self._draw(image)
        while cv2.waitKey(100) < 0 and self._is_open():
            pass

    def _draw(self, image):
        if not self._sized:
            factor = min(1, *(side / own for side, own in zip(_LARGEST, image.shape, strict=False)))
            cv2.resizeWindow(self._title, *(round(factor * side) for side in image.shape[1::-1]))
            self._sized = True
        cv2.imshow(self._title, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))

    def _is_open(self):
        return cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) >= 1
