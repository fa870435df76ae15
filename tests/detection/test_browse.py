"""A look at records."""
import cv2
import numpy as np
import pytest

from datasets import annotations, tfrecord
from detection import browse
from utils.errors import UserError


@pytest.fixture
def records(tmp_path):
    """Three images of 50 x 100 pixels: two objects, one object, none."""
    encoded = cv2.imencode('.jpg', np.full((50, 100, 3), 255, np.uint8))[1].tobytes()
    boxes = [[[0, 0, .5, .5], [.2, .2, .4, .6]], [[.5, .5, 1, 1]], []]
    with tfrecord.Writer(tmp_path / 'records', ('cat', 'dog')) as writer:
        for number, some in enumerate(boxes):
            labels = np.arange(len(some)) + 1
            objects = annotations.Objects(np.array(some, 'f').reshape(-1, 4), labels,
                                          labels > 9, labels > 9)
            writer.add(tfrecord.example(encoded, 50, 100, 'x', f'y/{number}', objects,
                                        ('cat', 'dog')))
    return tmp_path / 'records'


def test_statistics(records):
    lines = browse.statistics(tfrecord.read_index(records)).splitlines()
    assert [line.split()[:3] for line in lines[1:3]] == [['cat', '2', '2'], ['dog', '1', '1']]
    assert lines[2].split()[3:] == ['0.28'] * 3  # the root of 0.2 * 0.4
    assert lines[3].startswith('3 images, 1 without objects; ')


def test_a_sheet_of_plain_and_augmented_images(records, tmp_path, capsys):
    browse.main([str(records), f'--output={tmp_path}/sheet.png', '--images=5'])
    assert 'drawn: 3 images plain, then 3 as training sees them' in capsys.readouterr().out
    page = cv2.imread(str(tmp_path / 'sheet.png'))
    assert page.shape == (2 * 300 + 6, 4 * 300 + 3 * 6, 3)  # six tiles
    first, third = page[:150, :300], page[:150, 2 * 306:2 * 306 + 300]
    assert (first < 200).any() and (third == 255).all()  # boxes; none
    assert (page[160:300, :300] == 200).all()  # below the wide image
    with pytest.raises(UserError, match='--images=0 draws nothing'):
        browse.main([str(records), '--images=0'])
