"""False alarms by literal counts, on images without objects alone."""
from evaluation import false_alarms
from evaluation import voc as voc_eval
from tests.evaluation.rows import found_of, truth_of

A, B = (1, 1, 10, 10), (21, 21, 40, 40)
CLASSES = ('cat', 'dog')


def _count(detections, truths, **thresholds):
    return false_alarms.count(voc_eval.Rows(detections, truths), CLASSES, thresholds)


def test_counts_by_class_and_image():
    truths = {'none': truth_of(), 'empty': truth_of(), 'more': truth_of(),
              'cat': truth_of((A, 1, False)), 'difficult': truth_of((A, 1, True))}
    found = {'none': found_of((A, 1, .3), (B, 2, .5)),  # a score has to be above its threshold
             'empty': found_of((A, 1, .31)),
             'more': found_of((A, 1, .9), (B, 1, .4), (B, 2, .51)),
             'cat': found_of((A, 1, .9), (B, 1, .9)),
             'difficult': found_of((B, 1, .9))}
    alarms = _count(found, truths, cat=.3)
    assert (alarms.images, alarms.total, alarms.thresholds) == (3, 4, {'cat': .3, 'dog': .5})
    assert (alarms.counts, alarms.touched) == ({'cat': 3, 'dog': 1}, {'cat': 2, 'dog': 1})
    assert list(alarms.by_image.items()) == [('more', 3), ('empty', 1)]
    assert alarms.table() == (
        'class threshold  false alarms  an image  images with any\n'
        'cat        0.30             3     1.000                2\n'
        'dog        0.50             1     0.333                1\n'
        'false alarms: 4 in 2 of 3 images without objects (1.333 an image)\n'
        'most in: more (3), empty (1)')
    assert alarms.numbers() == {
        'images': 3, 'count': 4, 'images_with_any': 2, 'by_image': {'more': 3, 'empty': 1},
        'classes': {'cat': {'threshold': .3, 'count': 3, 'images': 2},
                    'dog': {'threshold': .5, 'count': 1, 'images': 1}}}


def test_every_image_has_objects_and_no_image():
    alarms = _count({'a': found_of((B, 1, .9))}, {'a': truth_of((A, 1, False))})
    assert (alarms.images, alarms.total, alarms.line()) == (0, 0, '')
    assert _count({}, {}).by_image == {}
