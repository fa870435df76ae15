"""Default boxes against Caffe's test_prior_box_layer.cpp and mmdetection's
test_ssd_anchor_generator.
"""
import numpy as np
import pytest

from nets import anchors, backbones, boxes

# First cell of each layer, [xmin, ymin, xmax, ymax] pixels: mmdetection
# tests/test_utils/test_anchor.py.
FIRST_CELLS = [
    [
        [-6.5, -6.5, 14.5, 14.5],
        [-11.3704, -11.3704, 19.3704, 19.3704],
        [-10.8492, -3.4246, 18.8492, 11.4246],
        [-3.4246, -10.8492, 11.4246, 18.8492],
    ],
    [
        [-14.5, -14.5, 30.5, 30.5],
        [-25.3729, -25.3729, 41.3729, 41.3729],
        [-23.8198, -7.9099, 39.8198, 23.9099],
        [-7.9099, -23.8198, 23.9099, 39.8198],
        [-30.9711, -4.9904, 46.9711, 20.9904],
        [-4.9904, -30.9711, 20.9904, 46.9711],
    ],
    [
        [-33.5, -33.5, 65.5, 65.5],
        [-45.5366, -45.5366, 77.5366, 77.5366],
        [-54.0036, -19.0018, 86.0036, 51.0018],
        [-19.0018, -54.0036, 51.0018, 86.0036],
        [-69.7365, -12.5788, 101.7365, 44.5788],
        [-12.5788, -69.7365, 44.5788, 101.7365],
    ],
    [
        [-44.5, -44.5, 108.5, 108.5],
        [-56.9817, -56.9817, 120.9817, 120.9817],
        [-76.1873, -22.0937, 140.1873, 86.0937],
        [-22.0937, -76.1873, 86.0937, 140.1873],
        [-100.5019, -12.1673, 164.5019, 76.1673],
        [-12.1673, -100.5019, 76.1673, 164.5019],
    ],
    [
        [-53.5, -53.5, 153.5, 153.5],
        [-66.2185, -66.2185, 166.2185, 166.2185],
        [-96.3711, -23.1855, 196.3711, 123.1855],
        [-23.1855, -96.3711, 123.1855, 196.3711],
    ],
    [
        [19.5, 19.5, 280.5, 280.5],
        [6.6342, 6.6342, 293.3658, 293.3658],
        [-34.5549, 57.7226, 334.5549, 242.2774],
        [57.7226, -34.5549, 242.2774, 334.5549],
    ],
]
VGG_300_COUNTS = (5776, 2166, 600, 150, 36, 4)


def _pixels(default_boxes, size):
    """centers form -> [xmin, ymin, xmax, ymax] pixels."""
    return boxes.centers_to_corners(default_boxes)[:, [1, 0, 3, 2]] * size


def test_vgg_300_equals_published_boxes():
    found = _pixels(anchors.default_boxes(backbones.get('vgg_300')), 300)
    starts = np.cumsum((0,) + VGG_300_COUNTS)
    assert len(found) == starts[-1] == 8732
    for start, cell in zip(starts, FIRST_CELLS, strict=False):
        np.testing.assert_allclose(found[start:start + len(cell)], cell, atol=1e-3)


def test_one_layer_equals_caffe():
    # test_prior_box_layer.cpp: a 10 x 10 map over 100 x 100 pixels, sizes 4 and 9, ratio 2;
    # TestCPUFixStep has step 10.
    shapes = anchors.cell_shapes(4, 9, (2,))
    found = _pixels(anchors.layer_boxes(10, 10, 5, shapes, 100), 1)
    expected = [[.03, .03, .07, .07], [.02, .02, .08, .08],
                [.0217157, .0358579, .0782843, .0641421], [.0358579, .0217157, .0641421, .0782843]]
    np.testing.assert_allclose(found[:4], expected, atol=1e-6)
    np.testing.assert_allclose(found[(4 * 10 + 4) * 4], [.43, .43, .47, .47], atol=1e-6)


def test_order_is_row_column_box():
    found = anchors.layer_boxes(2, 10, 5, np.array([[4., 4], [6, 6]]), 20)
    np.testing.assert_allclose(found[:, :2], [[.25, .25], [.25, .25], [.25, .75], [.25, .75],
                                              [.75, .25], [.75, .25], [.75, .75], [.75, .75]])


def test_voc_sizes():
    found = anchors.default_boxes(backbones.get('vgg_300').with_box_set('voc'))
    np.testing.assert_allclose(found[0], [4 / 300, 4 / 300, .1, .1], rtol=1e-6)
    np.testing.assert_allclose(found[-4], [.5, .5, .88, .88], rtol=1e-6)


def test_unknown_box_set_lists_the_known():
    with pytest.raises(ValueError, match="unknown default box set 'pascal'; known: coco, voc"):
        backbones.get('vgg_300').with_box_set('pascal')


@pytest.mark.parametrize('name', backbones.names())
def test_boxes_cover_the_image(name):
    spec = backbones.get(name)
    found = anchors.default_boxes(spec)
    assert found.shape == (spec.num_default_boxes, 4) and found.dtype == np.float32
    start = 0
    for grid, count in zip(spec.grids, spec.boxes_per_cell, strict=True):
        middles = found[start:start + grid * grid * count, :2]
        # First and last cell end at the edges of the image; VGG's published 10 cells of 32 pixels
        # end at 320 of 300, and the unpadded Inceptions leave 21.5 of 299 on either side.
        half = (middles.max() - middles.min()) / (grid - 1) / 2 if grid > 1 else .5
        assert middles.min() - half == pytest.approx(0, abs=.1)
        assert middles.max() + half == pytest.approx(1, abs=.1)
        start += grid * grid * count
