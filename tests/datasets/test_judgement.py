"""What is judged of all annotations together."""
import pathlib

import pytest

from datasets import annotations, judgement
from datasets.annotations import Numbering
from utils.errors import DataError


class _Source(annotations.Source):
    name, path, classes, boxes = 'set', pathlib.Path('set'), (), 'corners'

    def __init__(self, *numberings):
        self._numberings = numberings

    def image_ids(self):
        return []

    def read(self, image_id):
        raise NotImplementedError

    def numberings(self):
        return list(self._numberings)


def _survey(source, *rows, size=(50, 100), images=1):
    """rows: (name, edges, crowd)."""
    found = judgement.Survey()
    for number in range(images):
        objects = [annotations.box(name, edges, '', crowd=crowd) for name, edges, crowd in rows]
        found.add(source, '', annotations.Annotation(
            pathlib.Path(f'{number}.jpg'), objects, size, f'{number}.xml'))
    return found


BOX = (10, 10, 30, 30)


@pytest.mark.parametrize('used, known, said', [
    ('12', '01', 'set: class is 1 to 2, but what it stands for is numbered from 0 to 1: all '
     'numbers are too high by 1, so that each would mean its neighbour; subtract 1 from them'),
    ('01', '12', 'set: class is 0 to 1, but what it stands for is numbered from 1 to 2: all '
     'numbers are too low by 1, so that each would mean its neighbour; add 1 to them'),
    ('13', '012', 'set: class is 1 to 3, but'), 
    ('78', '01', 'set: class is 7, 8, ..., and none of these is there; known are 0, 1, ...'),
    ('ab', 'cd', 'set: class is a, b, ..., and none of these is there; known are c, d, ...'),
    ('12', '012', ''), ('012', '01', ''), ('023', '012', ''), ('', '01', ''), ('01', '', ''),
    ('1', '0', 'set: class is 1 to 1, but')])
def test_numbers_that_count_otherwise(used, known, said):
    found = judgement.numbered_otherwise(Numbering('set: class', {*used}, {*known}))
    assert found.startswith(said) and bool(found) == bool(said)


def test_a_set_of_wrong_numbers_is_refused():
    source = _Source(Numbering('set: class', {'1', '2'}, {'0', '1'}))
    with pytest.raises(DataError, match='all numbers are too high by 1'):
        judgement.refuse(_survey(source, ('cat', BOX, False)), [source], ('cat',), {})


def test_crowds_alone():
    source = _Source()
    found = _survey(source, ('cat', BOX, True), images=3)
    assert judgement.crowds_alone(found).startswith('all 3 objects are crowd regions (iscrowd 1), ')
    assert judgement.crowds_alone(_survey(source, ('cat', BOX, True), ('cat', BOX, False))) == ''
    assert judgement.crowds_alone(_survey(source)) == ''


def test_boxes_in_fractions():
    source = _Source()
    said = judgement.in_fractions(_survey(source, ('cat', (.1, .1, .5, .9), False)), source)
    assert said == ('set: no box reaches beyond 0.9 pixels; boxes have to be in pixels, not in '
                    'fractions of the image (corners)')
    assert judgement.in_fractions(_survey(source, ('cat', (1, 1, 3, 3), False)), source) == ''
    assert judgement.in_fractions(_survey(source), source) == ''


@pytest.mark.parametrize('edges, size, images, refused', [
    ((10, 50, 40, 150), (50, 100), 4, True), ((10, 50, 40, 150), (50, 100), 3, False),
    ((10, 50, 40, 110), (50, 100), 9, False), ((10, 50, 40, 100), (50, 100), 9, False),
    ((10, 50, 40, 150), None, 9, False), ((-30, 5, 10, 10), (50, 100), 9, True)])
def test_boxes_beyond_the_images(edges, size, images, refused):
    source = _Source()
    found = _survey(source, ('cat', edges, False), size=size, images=images)
    said = judgement.beyond_the_images(found, source)
    assert said.startswith(f'{images} of {images} boxes of set reach beyond their images: corners; '
                           'do the files hold corners') if refused else said == ''


@pytest.mark.parametrize('listed, merged, said', [
    (('cat,kitten', 'dog'), {}, "no object is called 'cat,kitten', as a line of --classes_file is, "
     "but cat, kitten: write one name per line, or 'cat = kitten' to make them one class"),
    (('cat: kitten', 'dog'), {}, "no object is called 'cat: kitten'"),
    (('cat', 'dog'), {'kitten': 'cat'}, ''), (('a,b', 'cat'), {}, ''), ((), {}, '')])
def test_several_names_in_a_line(listed, merged, said):
    found = _survey(_Source(), *((name, BOX, False) for name in ('cat', 'kitten', 'dog')))
    text = judgement.several_in_a_line(found, listed, merged)
    assert text.startswith(said) and bool(text) == bool(said)


@pytest.mark.parametrize('first', ['BACKGROUND', '__background__', '???', 'background'])
def test_a_list_that_begins_with_the_background(first):
    found = _survey(_Source(), ('cat', BOX, False))
    assert judgement.background_first(found, (first, 'cat')) == (
        f"--classes_file begins with '{first}', which no object is: the background needs no line; "
        'leave it out')
    assert judgement.background_first(found, ('cat', first)) == ''
    assert judgement.background_first(_survey(_Source(), (first, BOX, False)), (first,)) == ''


def test_spellings():
    found = _survey(_Source(), ('traffic light', BOX, False), ('Traffic_Light', BOX, False))
    assert judgement.spelt_twice(found.counts, found.counts) == (
        "'Traffic_Light' (1) and 'traffic light' (1) are 2 classes; to make them one, write "
        "'Traffic_Light = traffic light' as a line of --classes_file=FILE")
    assert judgement.spelt_twice({'cat', 'cart', 'cats'}, {}) == ''
    # Names that are merged are one.
    assert judgement.notes(found, ('a',), {'traffic light': 'a', 'Traffic_Light': 'a'}) == []


def test_objects_that_stand_twice():
    found = _survey(_Source(), ('cat', BOX, False), ('cat', BOX, False), ('dog', BOX, False))
    assert judgement.standing_twice(found).endswith('taken once: 1, first in 0.xml')
    objects = annotations.usable([annotations.box('cat', BOX, '')] * 3, 50, 100, ('cat',), '')
    assert len(objects.labels) == 1


def test_images_in_training_and_test():
    found = judgement.Survey()
    for purpose, names in (('train', 'ab'), ('test', 'bc')):
        for name in names:
            found.add(_Source(), purpose, annotations.Annotation(
                pathlib.Path(f'/{name}.jpg'), [], None, ''))
    assert judgement.in_training_and_test(found).endswith('too much: 1, first /b.jpg')
    assert judgement.in_training_and_test(judgement.Survey()) == ''


def test_all_difficult():
    found = judgement.Survey()
    item = annotations.box('cat', BOX, '', difficult=True)
    found.add(_Source(), '', annotations.Annotation(pathlib.Path('a'), [item], None, ''))
    assert judgement.all_difficult(found).startswith('all 1 objects are difficult')
    assert judgement.all_difficult(judgement.Survey()) == ''
