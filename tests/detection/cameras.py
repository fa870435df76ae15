"""A camera for machines without one, and videos."""
import pathlib
import struct
import time

import cv2
import numpy as np


class Camera:
    """Stands for cv2.VideoCapture(index): endless frames of 64 x 48 pixels whose blue counts.

    Only number 0 is there, with 20 frames a second: a camera's frames last in a video as long as
    they did.
    """

    def __init__(self, index):
        self.there, self.frames = index == 0, 0

    def read(self):
        time.sleep(0.05)
        self.frames += 1
        frame = np.full((48, 64, 3), (self.frames % 256, 0, 0), np.uint8)
        return self.there, frame if self.there else None

    def get(self, key):
        return {cv2.CAP_PROP_FPS: 90000., cv2.CAP_PROP_FRAME_COUNT: -1.}[key]


def write_video(path, frames, rate=10., size=(64, 48)):
    """A video whose frame k has the gray 20 k."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'mp4v'), rate, size)
    for number in range(frames):
        writer.write(np.full((size[1], size[0], 3), 20 * number, np.uint8))
    writer.release()


def retime(path, durations):
    """Gives the frames of `write_video` other durations, in frames, which add up to the same."""
    data = bytearray(pathlib.Path(path).read_bytes())

    def box(name):
        at = data.find(name) - 4
        return at, struct.unpack('>I', data[at:at + 4])[0]

    at, size = box(b'stts')
    step, = struct.unpack('>I', data[at + 20:at + 24])
    rows = [struct.pack('>II', 1, round(duration * step)) for duration in durations]
    table = struct.pack('>I4sII', 16 + 8 * len(rows), b'stts', 0, len(rows)) + b''.join(rows)
    data[at:at + size] = table
    for name in (b'moov', b'trak', b'mdia', b'minf', b'stbl'):  # around the table
        at, outer = box(name)
        data[at:at + 4] = struct.pack('>I', outer + len(table) - size)
    pathlib.Path(path).write_bytes(data)


def read_video(path):
    """-> (list of RGB frames, frames per second)."""
    capture, frames = cv2.VideoCapture(str(path)), []
    while (found := capture.read())[0]:
        frames.append(found[1][..., ::-1])
    return frames, capture.get(cv2.CAP_PROP_FPS)
