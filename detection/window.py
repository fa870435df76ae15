"""A window that shows pictures, where there is a display and this OpenCV has windows (its headless build has none)."""
import collections
import os
import sys
import time

import cv2
import numpy as np

from detection import drawing
from utils.errors import UserError

_ESCAPE = 27
# Height and width in pixels.
_LARGEST = (900, 1600)


def has_display() -> bool:
    """Whether a window could appear: X11, Wayland, Windows or macOS."""
    return bool(os.environ.get('DISPLAY') or os.environ.get('WAYLAND_DISPLAY') or sys.platform in ('win32', 'darwin'))


class Unavailable(UserError):
    """Why there is no window, in words."""


class Window:
    """show(picture) for every frame, or hold(picture) until a key. Pictures are uint8 RGB [H, W, 3]."""

    def __init__(self, title: str):
        """Raises Unavailable."""
        # Asked for a window without a display, some builds of OpenCV end the process.
        if not has_display():
            raise Unavailable('there is no display')
        try:
            cv2.namedWindow(title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
        except cv2.error:
            raise Unavailable('this OpenCV has no windows; install opencv-python instead of opencv-python-headless to see one'
                              ) from None
        self._title, self._sized, self._times = title, False, collections.deque(maxlen=30)

    def show(self, picture: np.ndarray) -> bool:
        """Shows a frame with the frame rate; False once the user has closed the window, or pressed q or Escape."""
        rate = self._rate()
        self._draw(drawing.draw_caption(picture, rate) if rate else picture)
        return cv2.waitKey(1) & 0xFF not in (ord('q'), _ESCAPE) and self._is_open()

    def hold(self, picture: np.ndarray) -> None:
        """Shows a picture until a key is pressed or the window closed."""
        self._draw(picture)
        while cv2.waitKey(100) < 0 and self._is_open():
            pass

    def _rate(self) -> str:
        """Frames per second over the last frames; batches of them come at once."""
        self._times.append(time.monotonic())
        spent = self._times[-1] - self._times[0]
        return f'{(len(self._times) - 1) / spent:.1f} frames/s' if spent else ''

    def _draw(self, picture):
        if not self._sized:
            # In the picture's pixels, but no larger than most screens.
            factor = min(1, *(side / own for side, own in zip(_LARGEST, picture.shape, strict=False)))
            cv2.resizeWindow(self._title, *(round(factor * side) for side in picture.shape[1::-1]))
            self._sized = True
        cv2.imshow(self._title, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))

    def _is_open(self):
        return cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) >= 1
