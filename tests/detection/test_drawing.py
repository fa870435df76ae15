"""Images that are written."""
import numpy as np
import pytest

from detection import drawing
from utils.errors import DataError


@pytest.mark.parametrize('name, size, message', [
    ('a.jpg', (70_000, 1),
     'a.jpg cannot be written: its format has no place for 1 x 70000 pixels; use .png'),
    ('a.xyz', (1, 1),
     'a.xyz cannot be written: OpenCV knows no format of that ending; use .png or .jpg')])
def test_images_that_their_format_cannot_hold(tmp_path, name, size, message):
    with pytest.raises(DataError, match=message):
        drawing.save_image(tmp_path / name, np.zeros((*size, 3), np.uint8))
    assert not list(tmp_path.iterdir())
