"""The learning rate of published trainings, warm-up and cosine, and the key of its drops."""
import pytest

from training.schedule import Schedule, parse_drops
from utils.errors import UserError


@pytest.mark.parametrize('step, rate', [
    (0, 1e-3), (79_999, 1e-3), (80_000, 1e-4), (99_999, 1e-4), (100_000, 1e-5)])
def test_ssd300_on_voc(step, rate):
    assert float(Schedule(1e-3, 120_000)(step)) == pytest.approx(rate)
    drops = parse_drops('80000,100000', 120_000)
    assert float(Schedule(1e-3, 120_000, drops=drops)(step)) == pytest.approx(rate)


@pytest.mark.parametrize('step, rate', [
    (279_999, 1e-3), (280_000, 1e-4), (359_999, 1e-4), (360_000, 1e-5)])
def test_ssd300_on_coco(step, rate):
    drops = parse_drops('280000, 360000', 400_000)
    assert float(Schedule(1e-3, 400_000, drops=drops)(step)) == pytest.approx(rate)


@pytest.mark.parametrize('step, rate', [(0, .1), (4, .5), (9, 1.), (54.5, .5), (100, 0), (200, 0)])
def test_warm_up_and_cosine(step, rate):
    assert float(Schedule(1., 100, 'cosine', 9)(step)) == pytest.approx(rate, abs=1e-6)


def test_no_drops_are_those_of_the_length():
    assert parse_drops('', 120_000) == () and Schedule(1., 30).drops == (20, 25)


@pytest.mark.parametrize('text', ['80000,x', '100,80', '80,80', '80,120', '-5'])
def test_drops_that_are_no_growing_steps(text):
    with pytest.raises(UserError, match=f"learning_rate_drops: '{text}' .* max_steps .120.,"):
        parse_drops(text, 120)
