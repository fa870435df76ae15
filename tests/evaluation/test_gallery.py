"""The worst errors: which, and what their images show."""
import cv2
import numpy as np
import pytest

from evaluation import errors as error_kinds
from evaluation.report import gallery
from evaluation.voc import Detection, GroundTruth

CLASSES = ('cat', 'dog')
CAT, DOG, FAR, SMALL = (
    [10, 10, 110, 110], [200, 200, 300, 300], [300, 10, 390, 100], [350, 350, 370, 370]
)
TRUTHS = {
    'a': GroundTruth(np.array([CAT, DOG, SMALL], float), np.array([1, 2, 2]), np.zeros(3, bool)),
    'b': GroundTruth(np.array([DOG], float), np.array([2]), np.zeros(1, bool)),
}
FOUND = {
    'a': Detection(
        np.array([FAR, FAR, CAT, [10, 10, 110, 45]], float),
        np.array([1, 2, 2, 1]),
        np.array([0.3, 0.9, 0.8, 0.7]),
    )
}


def _cases(count=5):
    return gallery.worst(error_kinds.analyse(FOUND, TRUTHS, CLASSES).wrong, CLASSES, count)


def test_most_confident_and_largest_first():
    assert [(case.kind, case.image, case.caption) for case in _cases()] == [
        ('background', 'a', 'dog 0.90'),
        ('background', 'a', 'cat 0.30'),
        ('wrong class', 'a', 'dog 0.80, overlaps cat by 1.00'),
        ('poor box', 'a', 'cat 0.70, overlaps cat by 0.35'),
        ('missed', 'a', 'dog, 100 x 100 pixels'),
        ('missed', 'b', 'dog, 100 x 100 pixels'),
        ('missed', 'a', 'dog, 20 x 20 pixels'),
    ]
    assert [case.kind for case in _cases(1)] == list(gallery.KINDS)
    assert _cases(0) == []


def test_nothing_wrong():
    assert gallery.worst(error_kinds.analyse({}, {}, CLASSES).wrong, CLASSES, 5) == []


@pytest.mark.parametrize('height, width', [(400, 400), (405, 1000), (2000, 390)])
def test_the_part_shows_detection_and_object(height, width):
    image = np.zeros([height, width, 3], np.uint8)
    rows = error_kinds.analyse(FOUND, TRUTHS, CLASSES).wrong.rows
    for case in _cases():
        part = gallery.drawn(case, rows, CLASSES, image)
        assert max(part.shape[:2]) == 360 and part.dtype == np.uint8
        assert _has(part, (235, 45, 35))
        if case.kind != 'missed':  # the red lies on the green
            assert _has(part, (40, 190, 70)) == (case.kind != 'background')


def test_a_box_beyond_the_image_and_a_thin_image():
    rows = error_kinds.analyse(FOUND, TRUTHS, CLASSES).wrong.rows
    assert gallery.drawn(_cases()[0], rows, CLASSES, np.zeros([1, 1000, 3], np.uint8)).shape == (
        2, 360, 3
    )
    assert gallery.drawn(_cases()[0], rows, CLASSES, np.zeros([50, 100, 3], np.uint8)).shape == (
        180, 360, 3
    )


def test_a_box_of_absurd_size():
    rows = error_kinds.analyse(FOUND, TRUTHS, CLASSES).wrong.rows
    rows.boxes[_cases()[0].detection, 2:] = 1e300
    assert _has(
        gallery.drawn(_cases()[0], rows, CLASSES, np.zeros([400, 400, 3], np.uint8)), (235, 45, 35)
    )


def _has(image, colour):
    return bool((image == colour).all(axis=2).any())


def test_jpeg_keeps_the_colours():
    image = np.full([16, 16, 3], (200, 100, 0), np.uint8)
    decoded = cv2.imdecode(np.frombuffer(gallery.jpeg(image), np.uint8), cv2.IMREAD_COLOR)
    assert np.abs(decoded[8, 8].astype(int) - (0, 100, 200)).max() < 5


def test_images_without_any_object():
    truths = {'a': GroundTruth(np.zeros([0, 4]), np.zeros(0, int), np.zeros(0, bool))}
    wrong = error_kinds.analyse(
        {'a': Detection(np.array([CAT], float), np.array([1]), np.array([0.9]))}, truths, CLASSES
    ).wrong
    [case] = gallery.worst(wrong, CLASSES, 5)
    assert gallery.drawn(case, wrong.rows, CLASSES, np.zeros([400, 400, 3], np.uint8)).shape == (
        360, 360, 3
    )
