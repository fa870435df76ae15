"""Random choices and random faults, from which the cases of fuzz.py are made."""
import struct
import typing
from collections.abc import Callable, Sequence

import numpy as np

Random = np.random.Generator
# Names, and the function that uses the input: see fuzz_cases.
Case = tuple[tuple[str, ...], Callable[[], bool]]
_Value = typing.TypeVar('_Value')


def pick(random: Random, values: Sequence[_Value]) -> _Value:
    """Chooses one of the values, all equally likely."""
    return values[random.integers(len(values))]


def mutated(random: Random, data: bytes) -> bytes:
    """Copy of the bytes with a few random faults: flipped, cut, doubled, overwritten."""
    data = bytearray(data)
    for _ in range(random.integers(1, 4)):
        if not data:
            return b''
        at = int(random.integers(len(data)))
        length = int(min(len(data) - at, random.integers(1, 64)))
        fault = random.integers(5)
        if fault == 0:
            data[at] ^= 1 << random.integers(8)
        elif fault == 1:
            del data[at:]
        elif fault == 2:
            del data[at:at + length]
        elif fault == 3:
            data[at:at] = data[at:at + length]
        else:
            data[at:at + length] = random.bytes(length)
    return bytes(data)


def with_size(jpeg: bytes, height: int, width: int) -> bytes:
    """Copy of a baseline JPEG whose header states another size in pixels."""
    at = jpeg.find(b'\xff\xc0') + 5
    return jpeg[:at] + struct.pack('>HH', height, width) + jpeg[at + 4:]
