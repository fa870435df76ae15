"""Curves of a training: a panel for each scalar that was logged."""
import cv2
import numpy as np
import pytest

from datasets import visualize
from utils.errors import DataError


@pytest.mark.parametrize('rows, panels', [
    ([], 0),
    ([{'step': 20, 'loss': 3., 'matched': 8.}], 1),
    ([{'step': step, 'loss': 3., 'confidence': 2., 'localization': 1., 'learning_rate': .1} for step in range(100)], 4),
    ([{'step': 20, 'loss': 3.}, {'step': 20, 'mean_ap': .5}], 2),
])
def test_plot_training(rows, panels, tmp_path):
    visualize.plot_training(rows, tmp_path / 'curves.png')
    picture = cv2.imread(str(tmp_path / 'curves.png'))
    assert picture.shape == (330, 352 * max(1, panels), 3)
    blue = (picture[..., 0] > picture[..., 2].astype(int) + 40).reshape(330, max(1, panels), 352).any(axis=(0, 2))
    assert blue.sum() == panels


@pytest.mark.parametrize('name, size, message', [
    ('a.jpg', (70_000, 1), 'a.jpg cannot be written: its format has no place for 1 x 70000 pixels; use .png'),
    ('a.xyz', (1, 1), 'a.xyz cannot be written: OpenCV knows no format of that ending; use .png or .jpg')])
def test_pictures_that_their_format_cannot_hold(tmp_path, name, size, message):
    with pytest.raises(DataError, match=message):
        visualize.save_image(tmp_path / name, np.zeros((*size, 3), np.uint8))
    assert not list(tmp_path.iterdir())


def test_running_mean():
    np.testing.assert_allclose(visualize._running_mean(np.array([1., 2., 6.]), 3), [1.5, 3, 4])
    np.testing.assert_allclose(visualize._running_mean(np.array([1., 2., 6.]), 1), [1, 2, 6])
