"""Videos of fuzz.py, read as ssd_demo.py does: damaged ones, and ones with false headers."""
import os
import pathlib
import struct

import cv2
import numpy as np

from benchmarks.faults import Case, Random, mutated, pick, with_size
from detection import sources, writers

_HEIGHT, _WIDTH = 48, 64
# No source has more frames than this; one that goes on is read without an end.
_MOST_FRAMES = 500
_NUMBERS = (0, 1, 2, 7, 1000, 30_000, 65_535, 90_000, 2**31 - 1, 2**31, 2**32 - 1)


def videos(random: Random, folder: pathlib.Path) -> Case:
    """Reads all frames of one file, and half the time writes them as a video again."""
    fault = pick(random, ('mutated',) * 5 + ('box',) * 4 + ('avi',) * 4 + ('cut', 'text') * 2
                 + ('frames', 'large', 'other'))
    data = _FAULTS[fault](random)
    sound = ('.avi',) if data.startswith(b'RIFF') else ('.mp4',)
    endings = ('.mp4', '.avi', '.mkv', '.txt', '.jpg', '.gif', '.m3u8', '', '.h264')
    path = folder / ('clip' + pick(random, sound * 6 + endings))
    path.write_bytes(data)
    again = random.random() < 0.5
    return (path.name,), lambda: _read(str(path), again, fault == 'text')


def _read(path, again, text) -> bool:
    """Reads a file as the demo does; returns whether it gave images.

    Raises:
        AssertionError: something else than images, or no end.
    """
    source = sources.open_source(path)
    print(source)
    assert '\n' not in str(source)
    formats = writers.choose_formats('', '', source.moving) if again else ('json',)
    count = 0
    with writers.Outputs(source, 'found/', formats) as written:
        for items, _ in sources.batches(source, np.shape, 8):
            for item in items:
                count += 1
                assert count <= _MOST_FRAMES, f'more than {_MOST_FRAMES} frames'
                assert item.image.dtype == np.uint8 and item.image.shape[2:] == (3,)
                written.add(writers.DetectedImage(item, []))
    print(*source.refused)
    assert not (text and count), f'text is read as {source}'
    return count > 0


def _frames(count, height=_HEIGHT, width=_WIDTH):
    ramp = np.arange(width, dtype=np.uint8)[None, :, None]
    return [np.broadcast_to(ramp + 20 * number, (height, width, 3)).copy()
            for number in range(count)]


def _by_opencv(random, count) -> bytes:
    """A video as OpenCV writes it: MP4 with MPEG-4, AVI with that or with JPEGs."""
    ending, code = pick(random, (('.mp4', 'mp4v'), ('.mp4', 'mp4v'), ('.avi', 'XVID'),
                                 ('.avi', 'MJPG')))
    return _written(ending, code, float(pick(random, (1, 10, 29.97, 60))), count)


def _written(ending, code, rate, count) -> bytes:
    """So many sound frames. code: of the codec, four letters."""
    path = 'sound' + ending
    writer = cv2.VideoWriter(path, cv2.VideoWriter_fourcc(*code), rate, (_WIDTH, _HEIGHT))
    for frame in _frames(count):
        writer.write(frame)
    writer.release()
    data = pathlib.Path(path).read_bytes()
    os.remove(path)
    return data


def _mutated(random) -> bytes:
    return mutated(random, _by_opencv(random, 12))


def _cut(random) -> bytes:
    data = _by_opencv(random, 12)
    return data[:int(random.integers(len(data)))]


def _box(random) -> bytes:
    """An MP4 with wrong numbers in its header or in its tables of times, sizes and places."""
    data = bytearray(_written('.mp4', 'mp4v', 10., 12))
    for _ in range(random.integers(1, 4)):
        name = pick(random, (b'ftyp', b'moov', b'mvhd', b'tkhd', b'mdhd', b'stsd', b'mp4v', b'esds',
                             b'stts', b'stsc', b'stsz', b'stco', b'elst', b'mdat', b'hdlr'))
        at = data.find(name)
        # From the box's own size, which stands before its name, on.
        place = at - 4 if random.random() < 0.2 else at + 4 + 4 * int(random.integers(0, 24))
        data[place:place + 4] = struct.pack('>I', pick(random, _NUMBERS))
    return bytes(data)


def avi(frames: list[bytes], fourcc: bytes = b'MJPG', size: tuple[int, int] = (_HEIGHT, _WIDTH),
        rate: int = 10, scale: int = 1, count: int | None = None) -> bytes:
    """An AVI whose header may be false.

    Args:
        frames: encoded images.
        fourcc: name of the codec in the header.
        size: (height, width) in the header, pixels.
        rate, scale: rate / scale are the frames per second.
        count: number of frames in the header; None: the true one.
    """
    def chunk(name, data):
        return name + struct.pack('<I', len(data)) + data + bytes(len(data) % 2)

    (height, width), count = size, len(frames) if count is None else count
    main = struct.pack('<10I16x', 100_000, 0, 0, 16, count, 0, 1, 0, width, height)
    stream = struct.pack('<4s4s10I8x', b'vids', fourcc, 0, 0, 0, scale, rate, 0, count, 0, 0, 0)
    pixels = struct.pack('<IIIHH4s5I', 40, width, height, 1, 24, fourcc, 0, 0, 0, 0, 0)
    streams = chunk(b'LIST', b'strl' + chunk(b'strh', stream) + chunk(b'strf', pixels))
    header = chunk(b'LIST', b'hdrl' + chunk(b'avih', main) + streams)
    movie = b''.join(chunk(b'00dc', frame) for frame in frames)
    return chunk(b'RIFF', b'AVI ' + header + chunk(b'LIST', b'movi' + movie))


def _jpeg(height, width) -> bytes:
    return cv2.imencode('.jpg', np.full([height, width, 3], 90, np.uint8))[1].tobytes()


def _avi(random) -> bytes:
    """Claims of an AVI's header, and frames of other sizes or kinds than it says."""
    if random.random() < 0.1:
        return avi([bytes(_HEIGHT * _WIDTH * 3)] * 5,
                   fourcc=pick(random, (bytes(4), b'RGB ', b'BGR\x18', b'raw ')))
    sizes = ((_HEIGHT, _WIDTH), (_HEIGHT, _WIDTH), (200, 10), (1, 1))
    frames = [_jpeg(*pick(random, sizes)) for _ in range(5)]
    if random.random() < 0.3:
        frames[int(random.integers(5))] = pick(random, (b'', random.bytes(100), frames[0][:200],
                                                        b'\xff\xd8\xff\xd9'))
    claims = {'size': tuple(int(pick(random, _NUMBERS)) for _ in range(2)),
              'rate': int(pick(random, _NUMBERS)),
              'scale': int(pick(random, _NUMBERS)), 'count': int(pick(random, _NUMBERS)),
              'fourcc': pick(random, (bytes(4), b'MPNG', b'H264', b'XVID', b'mp4v', b'????',
                                      b'DIB ', b'MJPG', b'GIF '))}
    chosen = random.choice(tuple(claims), int(random.integers(1, 4)), replace=False)
    return avi(frames, **{key: claims[key] for key in chosen})


def _no_frames(random) -> bytes:
    frame = _jpeg(_HEIGHT, _WIDTH)
    return pick(random, (avi([]), avi([], count=100), _by_opencv(random, 0), _by_opencv(random, 1),
                         avi([b''] * 5), avi([frame] * 400), avi([frame] * 3 + [b''] * 100)))


def _text(random) -> bytes:
    return pick(random, (
        'hello\n', 'hello\n' * 500, 'person\ndog\ncat\n', '<html>404 not found</html>',
        'Stra\N{LATIN SMALL LETTER SHARP S}e\n' * 100, '1\n00:00:00,000 --> 00:00:10,000\nhello\n',
        '#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nhttp://localhost:1/x.ts\n#EXT-X-ENDLIST\n',
        '#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nclip.mp4\n#EXT-X-ENDLIST\n',
        'ffconcat version 1.0\nfile clip.mp4\n', 'ffconcat version 1.0\nfile /etc/passwd\n',
        'v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n',
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"></MPD>',
        '{"image": 1}\n' * 200,
        '\N{SNOWMAN}' * 2000)).encode()


def _large(random) -> bytes:
    """Frames that are too large, all of them or a later one, or claimed to be."""
    bomb = _jpeg(16_000, 8_000)
    sound = _jpeg(_HEIGHT, _WIDTH)
    claimed = with_size(sound, *random.choice([0, 1, 30_000, 65_500, 65_535], 2))
    return pick(random, (avi([bomb]), avi([sound] * 2 + [bomb]), avi([sound, claimed, sound]),
                         avi([claimed] * 3)))


def _other(random) -> bytes:
    """Other content: nothing, noise, an image, a video after something else."""
    return pick(random, (
        lambda: b'', lambda: random.bytes(5000), lambda: _jpeg(_HEIGHT, _WIDTH),
        lambda: bytes(100_000), lambda: random.bytes(300) + _by_opencv(random, 3),
        lambda: _by_opencv(random, 3) * 2, lambda: b'\0\0\0\x18ftypmp42' + random.bytes(500),
        lambda: b'\0\0\0\1g' + random.bytes(2000), lambda: b'\x1aE\xdf\xa3' + random.bytes(500),
        lambda: b'FLV\1\5\0\0\0\x09' + random.bytes(500),
        lambda: b'G' + random.bytes(187) + b'G' + random.bytes(187),
        lambda: b'GIF89a' + random.bytes(500)))()


_FAULTS = {'mutated': _mutated, 'cut': _cut, 'box': _box, 'avi': _avi, 'frames': _no_frames,
           'text': _text, 'large': _large, 'other': _other}
