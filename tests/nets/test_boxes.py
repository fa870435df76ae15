"""Box arithmetic. Literal values of Caffe's test_bbox_util.cpp (branch ssd) and of
tensorflow/models' box coder test.
"""
import numpy as np
import pytest

from nets import boxes, boxes_tf


def test_iou_by_hand():
    # Two unit squares half over each other share .5 of 1.5; a box with itself 1; apart 0.
    first = np.array([[0, 0, 1, 1], [0, 0, .5, .5]])
    second = np.array([[0, .5, 1, 1.5], [0, 0, 1, 1], [2, 2, 3, 3]])
    expected = [[1 / 3, 1, 0], [0, .25, 0]]
    np.testing.assert_allclose(boxes.iou(first, second), expected, atol=1e-12)
    np.testing.assert_allclose(
        boxes_tf.iou(*(np.float32(a) for a in (first, second))), expected, atol=1e-6
    )


@pytest.mark.parametrize(
    'first, second, shape', [((0, 4), (3, 4), (0, 3)), ((2, 4), (0, 4), (2, 0))]
)
def test_iou_of_nothing(first, second, shape):
    assert boxes.iou(np.zeros(first), np.zeros(second)).shape == shape


def test_iou_of_empty_boxes_is_zero():
    assert boxes.iou(np.zeros((1, 4)), np.zeros((1, 4))) == [[0]]
    assert boxes.iou(np.array([[1., 1, 0, 0]]), np.array([[0., 0, 1, 1]])) == [[0]]


def test_centers_round_trip():
    corners = np.array([[.1, .2, .5, .4]])
    np.testing.assert_allclose(boxes.corners_to_centers(corners), [[.3, .3, .4, .2]])
    np.testing.assert_allclose(boxes.centers_to_corners(boxes.corners_to_centers(corners)), corners)


def test_encode_equals_caffe():
    # TestEncodeBBoxCenterSize, turned from x, y to y, x.
    default = boxes.corners_to_centers(np.array([[.1, .1, .3, .3]]))
    box = np.array([[.2, 0, .5, .4]])
    expected = [[7.5, 0, 2.0273255405408217, 3.465735902799726]]
    np.testing.assert_allclose(boxes.encode(box, default), expected, atol=1e-5)
    np.testing.assert_allclose(
        boxes_tf.encode(np.float32(box), np.float32(default)), expected, atol=1e-4
    )
    np.testing.assert_allclose(
        boxes.encode(box, default, (1, 1, 1, 1)), [[0.75, 0, 0.4054651, 0.6931472]], atol=1e-6
    )


def test_decode_equals_caffe():
    # TestDecodeBBoxesCenterSize.
    defaults = boxes.corners_to_centers(
        np.array([[i / 10, i / 10, i / 10 + 0.2, i / 10 + 0.2] for i in (1, 2, 3, 4)])
    )
    code = np.array([[7.5, 0, 2.0273255405408217, 3.465735902799726]] * 4)
    expected = [[.2, 0, .5, .4], [.3, .1, .6, .5], [.4, .2, .7, .6], [.5, .3, .8, .7]]
    np.testing.assert_allclose(boxes.decode(code, defaults), expected, atol=1e-5)
    np.testing.assert_allclose(
        boxes_tf.decode(np.float32(code), np.float32(defaults)), expected, atol=1e-5
    )


def test_encode_equals_faster_rcnn_coder():
    # tensorflow/models, faster_rcnn_box_coder_test.py.
    anchors = boxes.corners_to_centers(np.array([[15., 12, 30, 18], [.1, 0, .7, .9]]))
    found = boxes.encode(np.array([[10., 10, 20, 15], [.2, .1, .5, .4]]), anchors, (1, 1, 1, 1))
    np.testing.assert_allclose(
        found,
        [[-0.5, -0.416666, -0.405465, -0.182321], [-0.083333, -0.222222, -0.693147, -1.098612]],
        atol=1e-5,
    )
