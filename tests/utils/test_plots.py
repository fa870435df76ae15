"""Names in plots, whatever they hold."""
import io

import numpy as np
from matplotlib import rcParams
from matplotlib.figure import Figure

from utils import plots


def _image(text):
    figure = Figure(figsize=(2, 1))
    figure.text(0, 0, text)
    file = io.BytesIO()
    figure.savefig(file, format='raw')
    return np.frombuffer(file.getvalue(), np.uint8)


def test_dollars_are_no_formula():
    names = r'$\frac$', '$x^2$', r'a_b{c}^\$', '$'
    drawn = [plots.literal(_image)(name) for name in names]
    assert all(image.min() == 0 for image in drawn)
    assert not np.array_equal(drawn[1], _image('$x^2$'))  # which raises the 2
    assert rcParams['text.parse_math'] is True  # of the user's own plots


def test_results_are_those_of_the_function():
    assert plots.literal(lambda a, b=2: (a, b))(1, b=3) == (1, 3)
