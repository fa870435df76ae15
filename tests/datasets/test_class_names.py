"""Names that mean the same class."""
import pytest

from datasets import class_names


@pytest.mark.parametrize('name, names, place', [
    ('cat', ['dog', 'cat'], 1),
    ('Cat', ['dog', 'cat'], 1),
    ('aeroplane', ['person', 'airplane'], 1),
    ('airplane', ['person', 'aeroplane'], 1),
    ('motorbike', ['motorcycle'], 0),
    ('sofa', ['couch'], 0),
    ('pottedplant', ['potted plant'], 0),
    ('diningtable', ['dining table'], 0),
    ('tvmonitor', ['TV'], 0),
    ('sofa', ['couch', 'sofa'], 1),  # the same name goes first
    ('SOFA', ['couch', 'sofa'], None),  # two mean the same
    ('train', ['training', 'trai'], None),
    ('cat', [], None)])
def test_index(name, names, place):
    assert class_names.index(name, names) == place
