"""Random choices and random faults, which all cases of fuzz.py are made with."""
from collections.abc import Sequence

import numpy as np

Random = np.random.Generator


def pick(random: Random, values: Sequence) -> object:
    """One of several, each as likely."""
    return values[random.integers(len(values))]


def mutated(random: Random, data: bytes) -> bytes:
    """Bytes with a few random faults: flipped, cut, doubled, overwritten."""
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
