"""Pipelines over record folders that the tests write: order, resumption, several workers."""

import itertools

import cv2
import numpy as np
import pytest
import tensorflow as tf

from datasets import annotations, tfrecord
from preprocessing import encoded_image, pipeline
from tests.preprocessing.records import write

KEYS = ('images', 'ids', 'boxes', 'labels')


@pytest.fixture(scope='module')
def index(tmp_path_factory):
    return write(tmp_path_factory.mktemp('records') / 'ten', 10)


def training(index, batch_size=4, **options):
    return pipeline.training_batches(
        index, 32, batch_size, **{'fill': (0.0, 0.0, 0.0), 'seed': 1} | options
    )


def take(batches, count):
    return [{name: value.numpy() for name, value in batch.items()} for batch in batches.take(count)]


def ids(batches):
    return [int(bytes(row).rstrip(b'\0')) for batch in batches for row in batch['ids']]


def assert_same(found, expected):
    for one, other in itertools.zip_longest(found, expected):
        for name in KEYS:
            np.testing.assert_array_equal(one[name], other[name])


def test_shapes_and_padding(index):
    batch = take(training(index, max_objects=5), 1)[0]
    assert batch['images'].shape == (4, 32, 32, 3) and batch['images'].dtype == np.uint8
    assert batch['boxes'].shape == (4, 5, 4) and batch['boxes'].dtype == np.float32
    assert batch['labels'].shape == (4, 5) and batch['labels'].dtype == np.int32
    objects = (batch['labels'] > 0).sum(axis=1)
    assert ((objects > 0) == [i % 3 > 0 for i in ids([batch])]).all()
    assert not batch['boxes'][batch['labels'] == 0].any()


def test_every_epoch_holds_every_image_in_another_order(index):
    order = ids(take(training(index, 5), 6))
    epochs = [order[:10], order[10:20], order[20:]]
    assert all(sorted(epoch) == list(range(10)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]
    assert ids(take(training(index, 5, seed=2), 2)) != epochs[0]


@pytest.mark.parametrize('start', [1, 3, 7, 25])
def test_resumed_equals_uninterrupted(index, start):
    # 4 images of 10: batches lie across the ends of epochs.
    assert_same(
        take(training(index, start_step=start), 3), take(training(index), start + 3)[start:]
    )


def test_neither_threads_nor_the_global_seed_matter(index):
    expected = take(training(index, threads=1), 6)
    for seed, threads in ((3, 0), (4, 2)):
        tf.random.set_seed(seed)
        assert_same(take(training(index, threads=threads), 6), expected)


def test_fewer_images_than_a_batch(tmp_path):
    index = write(tmp_path / 'three', 3)
    batches = take(training(index, 8), 3)
    assert sorted(ids(batches)) == [0] * 8 + [1] * 8 + [2] * 8
    assert (
        len({image.tobytes() for image in batches[0]['images']}) > 3
    )  # the same image is augmented anew
    assert_same(take(training(index, 8, start_step=2), 1), batches[2:])


def test_workers_share_the_batch(index):
    whole = take(training(index), 6)
    shares = [take(training(index, worker=worker, workers=2), 6) for worker in range(2)]
    joined = [
        {name: np.concatenate([one[name], other[name]]) for name in KEYS}
        for one, other in zip(*shares, strict=True)
    ]
    assert_same(joined, whole)
    assert_same(take(training(index, worker=1, workers=2, start_step=4), 2), shares[1][4:])


def test_difficult_objects_can_be_left_out(index):
    parts = dict(crop=False, zoom_out=False, flip=False)
    first, second = (1, .1, .1, .5, .6), (2, .3, .2, .9, 1.)
    for use, expected in ((True, {first, second}), (False, {first})):
        batches = take(training(index, 5, use_difficult=use, **parts), 2)
        rows = np.concatenate(
            [np.concatenate([b['labels'][..., None], b['boxes']], axis=-1) for b in batches]
        ).reshape(-1, 5)
        assert {tuple(row.round(5)) for row in rows if row[0]} == expected


def test_targets_see_all_objects_unpadded(index):
    def count(boxes, labels):
        return {'count': tf.shape(boxes)[0], 'sum': tf.reduce_sum(labels)}
    parts = dict(crop=False, zoom_out=False)
    for batch in take(training(index, 5, target_fn=count, max_objects=1, **parts), 2):
        assert batch['count'].tolist() == [i % 3 for i in ids([batch])]
        assert batch['sum'].tolist() == [[0, 1, 3][i % 3] for i in ids([batch])]
        assert batch['labels'].shape == (5, 1)


@pytest.mark.parametrize('options, message', [
    (dict(batch_size=5, workers=2), 'batch_size 5 is not divisible by 2'),
    (dict(worker=2, workers=2), 'worker 2 of 2'),
])
def test_wrong_shares(index, options, message):
    with pytest.raises(ValueError, match=message):
        training(index, **options)


def test_no_images(index):
    empty = tfrecord.RecordIndex('nowhere', (), 0, ('cat',))
    with pytest.raises(ValueError, match='nowhere holds no images'):
        training(empty)


def test_evaluation_is_ordered_and_whole(index):
    batches = take(pipeline.evaluation_batches(index, 32, 4), -1)
    assert [len(batch['ids']) for batch in batches] == [4, 4, 2]
    assert ids(batches) == list(range(10))
    first = batches[0]
    assert first['images'].shape == (4, 32, 32, 3) and first['images'].dtype == np.uint8
    assert first['images'].mean(axis=(1, 2, 3)).tolist() == pytest.approx([0, 10, 20, 30], abs=1)
    assert first['heights'].tolist() == [20, 30, 40, 20] and first['widths'].tolist() == [40] * 4
    assert first['labels'].tolist() == [[0, 0], [1, 0], [1, 2], [0, 0]]
    assert first['difficult'].tolist() == [
        [False, False], [False, False], [False, True], [False, False]
    ]
    np.testing.assert_allclose(first['boxes'][2], [[.1, .1, .5, .6], [.3, .2, .9, 1]])
    assert ids(take(pipeline.evaluation_batches(index, 32, 4, max_images=5), -1)) == list(range(5))


def test_evaluation_of_one_image_without_objects(tmp_path):
    batch, = take(pipeline.evaluation_batches(write(tmp_path / 'one', 1), 32, 4), -1)
    assert batch['boxes'].shape == (1, 0, 4) and batch['labels'].shape == (1, 0)


@pytest.mark.parametrize('height, width', [(70, 110), (40, 33), (64, 64), (1, 1), (100, 40)])
def test_resize_equals_opencv(height, width):
    image = np.random.RandomState(0).randint(0, 256, [height, width, 3]).astype(np.uint8)
    found = pipeline.resize_image(image, 64)
    assert found.dtype == tf.uint8
    expected = cv2.resize(image, (64, 64), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(found.numpy().astype(int), expected.astype(int), atol=1)


def test_resize_averages_large_images():
    image = np.zeros([256, 256, 3], np.uint8)
    image[::4, ::4] = 160  # one pixel of 16, and none of the four in the middle of each cell
    np.testing.assert_allclose(pipeline.resize_image(image, 64), np.full([64, 64, 3], 10))


def test_crowd_regions_are_no_training_objects(tmp_path):
    index = write(tmp_path / 'crowds', 5, crowd=True)  # every second object
    for use in (True, False):
        batch, = take(training(index, 5, use_difficult=use, crop=False, zoom_out=False), 1)
        assert sorted(batch['labels'].max(axis=1)) == [0, 0, 1, 1, 1] and batch['labels'].max() == 1
    batch, = take(pipeline.evaluation_batches(index, 32, 5), 1)
    assert batch['crowd'].tolist() == [[False, label == 2] for _, label in batch['labels']]
    assert (batch['labels'] == 2).sum() == 1


@pytest.mark.parametrize(
    'ending, channels',
    [('.jpg', 3), ('.jpg', 1), ('.png', 3), ('.png', 4), ('.png', 1), ('.bmp', 3)],
)
def test_decoded_images_have_the_pixels_of_opencv(ending, channels):
    random = np.random.default_rng(0).integers(0, 256, [12, 16, channels]).astype(np.uint8)
    encoded = cv2.imencode(ending, cv2.resize(random, (75, 50)))[1].tobytes()
    expected = cv2.cvtColor(
        cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB
    )
    np.testing.assert_array_equal(pipeline.decode_image(encoded), expected)


def test_records_are_decoded_as_the_demo_decodes_files(tmp_path):
    """Saturated noise, of which TensorFlow's default transform makes other pixels."""
    noise = np.random.default_rng(0).choice([0, 255], [40, 40, 3]).astype(np.uint8)
    encoded = cv2.imencode('.jpg', noise, [cv2.IMWRITE_JPEG_QUALITY, 100])[1].tobytes()
    expected = encoded_image.decode(encoded, 'noise.jpg')
    assert np.abs(tf.io.decode_jpeg(encoded).numpy().astype(int) - expected).max() > 20
    nothing = annotations.usable([], 40, 40, ('cat',), '')
    with tfrecord.Writer(tmp_path / 'records', ('cat',), (), 1) as writer:
        for name in 'ab':
            writer.add(tfrecord.example(encoded, 40, 40, 'x', name, nothing, ('cat',)))
    index = tfrecord.read_index(tmp_path / 'records')
    batch, = take(pipeline.evaluation_batches(index, 40, 2), 1)
    np.testing.assert_array_equal(batch['images'], [expected] * 2)
    found = pipeline.read_images(index, ['b', 'nowhere'])
    assert list(found) == ['b'] and pipeline.read_images(index, []) == {}
    np.testing.assert_array_equal(found['b'], expected)


@pytest.mark.parametrize('encoded', [b'', b'hello', b'\xff\xd8\xff and no more'])
def test_other_bytes_are_no_image(encoded):
    with pytest.raises(tf.errors.InvalidArgumentError):
        pipeline.decode_image(encoded)
