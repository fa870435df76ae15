"""Names that mean the same class."""
import pytest

from datasets import class_names


@pytest.mark.parametrize('names, others, expected', [
    (['cat', 'dog'], ['dog', 'cat'], ['cat', 'dog']),
    (['Cat', 'DOG'], ['dog', 'cat'], ['cat', 'dog']),
    (['person', 'airplane', 'motorcycle', 'couch', 'potted plant', 'dining table', 'tv'],
     ['aeroplane', 'motorbike', 'sofa', 'pottedplant', 'diningtable', 'tvmonitor', 'person'],
     ['person', 'aeroplane', 'motorbike', 'sofa', 'pottedplant', 'diningtable', 'tvmonitor']),
    (['aeroplane'], ['Airplane'], ['Airplane']),
    (['couch', 'sofa'], ['sofa'], ['couch', 'sofa']),  # the equal name goes first
    (['couch', 'Sofa'], ['sofa'], ['sofa', 'Sofa']),  # never one name twice
    (['SOFA'], ['couch', 'sofa'], ['SOFA']),  # means the same as two
    (['train'], ['training', 'trai'], ['train']),
    (['cat'], [], ['cat']),
    ([], ['cat'], [])])
def test_renamed(names, others, expected):
    assert class_names.renamed(names, others) == expected
