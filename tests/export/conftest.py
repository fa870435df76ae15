"""Shared by the tests of the formats."""
import numpy as np
import pytest

from benchmarks import models
from nets import backbones, postprocess


@pytest.fixture(scope='session')
def images():
    """Two images of noise, uint8 [2, 300, 300, 3]."""
    return np.random.default_rng(0).integers(0, 256, [2, 300, 300, 3], np.uint8)


@pytest.fixture(scope='session')
def small(images):
    """A detector of one class with random weights."""
    limits = postprocess.Limits(score_threshold=.1, keep_top_k=5)
    return models.random_detector(backbones.get('mobilenet_v1'), images, ['cat'], limits)
