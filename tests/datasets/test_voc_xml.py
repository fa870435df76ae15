"""What is written as VOC XML is read back the same."""
import numpy as np

from datasets import voc, voc_xml


def test_round_trip(tmp_path):
    (tmp_path / 'Annotations').mkdir()
    text = voc_xml.annotation(
        'a & b.jpg', 50, 100, [('cat', (2, 1, 40, 30), False), ('<dog>', (5, 6, 50, 100), True)]
    )
    (tmp_path / 'Annotations/a.xml').write_text(text)
    found = voc.read_xml(tmp_path, 'a')
    assert found.size == (50, 100)
    assert [(item.name, item.edges, item.difficult) for item in found.objects] == [
        ('cat', (1, 0, 40, 30), False), ('<dog>', (4, 5, 50, 100), True)]
    assert '<filename>a &amp; b.jpg</filename>' in text
    (tmp_path / 'Annotations/b.xml').write_text(voc_xml.annotation('b.jpg', 50, 100, []))
    found = voc.read_xml(tmp_path, 'b')
    assert (found.objects, found.size) == ([], (50, 100))


def test_whole_pixels_are_one_based_inclusive_and_inside():
    found = voc_xml.whole_pixels(
        np.array(
            [
                [0, 0, 1, 1],  # all of it
                [0.1, 0.2, 0.5, 0.6],  # rows 5..25, columns 20..60 from 0
                [0.104, 0.204, 0.496, 0.596],  # the nearest whole pixels
                [-0.1, 1 - 1e-6, 1.2, 1.3],  # reaches outside, at the right edge
                [0.5, 0.5, 0.5, 0.5],
            ]
        ),
        50,
        100,
    )
    assert found.tolist() == [
        [1, 1, 50, 100], [6, 21, 25, 60], [6, 21, 25, 60], [1, 99, 50, 100], [26, 51, 27, 52]
    ]
    assert voc_xml.whole_pixels(np.zeros((0, 4)), 50, 100).shape == (0, 4)
    assert voc_xml.whole_pixels(np.array([[0, 0, 1, 1]]), 1, 1).tolist() == [[1, 1, 1, 1]]
