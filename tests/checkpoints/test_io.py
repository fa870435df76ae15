"""Finding, restoring and writing checkpoints."""
import resource

import numpy as np
import pytest
import tensorflow as tf

from checkpoints import io as checkpoint
from checkpoints import restoring
from utils.errors import CheckpointError


def _variables(**shapes):
    return [tf.Variable(tf.ones(shape), name=name.replace('__', '/'))
            for name, shape in shapes.items()]


@pytest.fixture
def saved(tmp_path):
    return checkpoint.save(tmp_path / 'run', 7,
                           {'net/weights': np.full((2, 3), 5., 'f'), 'net/biases': np.zeros(3, 'f'),
                                                 'head/weights': np.zeros((4,), 'f'),
                                                 'global_step': np.int64(7)})


def test_save_writes_a_standard_checkpoint(saved):
    assert saved.endswith('model.ckpt-7')
    reader = tf.train.load_checkpoint(saved)
    assert reader.get_variable_to_shape_map() == {
        'net/weights': [2, 3], 'net/biases': [3], 'head/weights': [4], 'global_step': []}


@pytest.mark.parametrize('ending', ['', '.index', '.data-00000-of-00001'])
def test_find_takes_prefix_index_and_data(saved, ending):
    assert checkpoint.find(saved + ending) == saved


def test_find_takes_a_folder_and_its_highest_step(saved, tmp_path):
    checkpoint.save(tmp_path / 'run', 10, {'a': np.zeros(1)})
    checkpoint.save(tmp_path / 'run', 9, {'a': np.zeros(1)})
    assert checkpoint.find(tmp_path / 'run').endswith('model.ckpt-10')


@pytest.mark.parametrize('path', ['nowhere/model.ckpt-1', '.'])
def test_find_names_what_it_looked_for(tmp_path, path):
    with pytest.raises(CheckpointError, match='no checkpoint (at|in) .*looked for'):
        checkpoint.find(tmp_path / path)


@pytest.mark.parametrize('name', ['a*b', 'a?b', '{a}', ' a', '~', 'a]'])
def test_folders_with_unusual_names_are_read_literally(tmp_path, name):
    (tmp_path / 'axb').mkdir()
    prefix = checkpoint.save(tmp_path / name, 3, {'a': np.zeros(1)})
    assert prefix == str(tmp_path / name / 'model.ckpt-3')
    assert checkpoint.find(tmp_path / name) == checkpoint.newest(tmp_path / name) == prefix
    assert checkpoint.find(prefix) == prefix
    assert checkpoint.read(prefix).has_tensor('a')
    with pytest.raises(CheckpointError, match='no checkpoint in'):
        checkpoint.find(tmp_path / 'axb')


@pytest.mark.parametrize('name', ['a[b]', 'a[b', 'a\\b'])
def test_folders_that_tensorflow_cannot_read_are_refused(tmp_path, name):
    # It would write there, and then not find what it wrote.
    for look in (checkpoint.find, checkpoint.newest):
        with pytest.raises(CheckpointError,
                           match='TensorFlow reads no file in .*; rename the folder') as error:
            look(tmp_path / name if look is checkpoint.newest
                 else _touched(tmp_path / name / 'model.ckpt-1.index'))
        assert '\n' not in str(error.value)


def _touched(path):
    path.parent.mkdir(exist_ok=True)
    path.touch()
    return path


def test_restore_takes_what_fits_and_lists_the_rest(saved):
    variables = _variables(net__weights=(2, 3), head__weights=(9,), new__weights=(1,))
    result = restoring.restore(variables, saved)
    assert result.restored == ['net/weights']
    assert result.mismatched == ['head/weights (4,) -> (9,)']
    assert result.fresh == ['new/weights']
    assert result.unused == ['net/biases']  # a counter is no layer
    np.testing.assert_array_equal(variables[0], np.full((2, 3), 5))
    np.testing.assert_array_equal(variables[1], np.ones(9))
    assert result.summary() == (
        f'restored 1 variables from {saved}\n  2 start fresh: head/weights, new/weights\n'
        '  1 of the checkpoint are not used: net/biases')
    assert result.report() == (
        f'{saved}\n1 restored\n  net/weights\n1 of another shape, start fresh\n'
        '  head/weights (4,) -> (9,)\n1 not in the checkpoint, start fresh\n  new/weights\n'
        '1 in the checkpoint, not used\n  net/biases')


def test_restore_derives(saved):
    variables = _variables(small__weights=(1, 3))
    result = restoring.restore(variables, saved,
                                {'small/weights': ('net/weights', lambda array: array[:1])})
    assert result.restored == ['small/weights'] and variables[0].numpy()[0, 0] == 5


@pytest.mark.parametrize('names', [
    ['a/w/Momentum'], ['a/w/ExponentialMovingAverage', 'gone/w/ExponentialMovingAverage'],
    ['a/w/RMSProp', 'a/w/RMSProp_1'], ['a/w/Adam', 'a/w/Adam_1', 'beta1_power', 'beta2_power'],
    ['a/w/biased', 'a/w/local_step'], ['global_step', 'train/global_step', 'loss_scale']])
def test_what_an_optimizer_keeps_is_no_layer(names):
    shapes = {name: [] if 'step' in name or 'power' in name or name == 'loss_scale' else [3]
              for name in names}
    layers = {'a/w': [3], 'a/weights': [3], 'a/w_1': [2]}
    assert checkpoint.layers(layers | shapes) == layers


def test_steps_of_a_folder_and_their_removal(tmp_path):
    assert checkpoint.steps_in(tmp_path / 'nowhere') == set()
    for step in (1, 2, 10):
        checkpoint.save(tmp_path, step, {'a': np.zeros(1)})
    (tmp_path / 'other.ckpt-7.index').touch()
    checkpoint.remove(tmp_path, 2)
    checkpoint.remove(tmp_path, 5)  # is not there
    assert checkpoint.steps_in(tmp_path) == {1, 10} and not list(tmp_path.glob('*-2.*'))
    assert not list(tmp_path.glob('.writing*'))


def test_reports_are_not_written_to_what_is_shipped(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, 'REPOSITORY', tmp_path)
    for name in ('checkpoints/ssd_a/shipped', 'checkpoints/ssd_a', 'shipped'):
        (tmp_path / name).mkdir(parents=True, exist_ok=True)
    assert not checkpoint.is_own(tmp_path / 'checkpoints/ssd_a/shipped')
    assert checkpoint.is_own(tmp_path / 'checkpoints/ssd_a')
    assert checkpoint.is_own(tmp_path / 'shipped')
    assert not checkpoint.is_own(tmp_path / 'nowhere')


def test_damaged_checkpoint_is_one_line(saved):
    with open(saved + '.index', 'r+b') as file:
        file.truncate(10)
    with pytest.raises(CheckpointError, match='is not a readable checkpoint') as error:
        checkpoint.read(saved)
    assert '\n' not in str(error.value)


def test_truncated_data_is_one_line(saved):
    with open(saved + '.data-00000-of-00001', 'r+b') as file:
        file.truncate(3)
    with pytest.raises(CheckpointError) as error:
        restoring.restore(_variables(net__weights=(2, 3)), saved)
    assert '\n' not in str(error.value)


def test_description_round_trip(tmp_path):
    assert checkpoint.read_description(tmp_path / 'model.ckpt-1') == {}
    checkpoint.write_description(tmp_path, classes=['cat', 'dog'])
    assert checkpoint.read_description(tmp_path / 'model.ckpt-1') == {'classes': ['cat', 'dog']}


def test_v1_checkpoints_are_read(tmp_path):
    # vgg_16.ckpt, resnet_v1_50.ckpt and inception_v4.ckpt of research/slim are such single files.
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        variable = tf.compat.v1.get_variable('net/weights', initializer=[[5.] * 3] * 2,
                                             use_resource=False)
        session.run(variable.initializer)
        tf.compat.v1.train.Saver(write_version=tf.compat.v1.train.SaverDef.V1).save(
            session, str(tmp_path / 'old.ckpt'), write_meta_graph=False, write_state=False)
    for path in (tmp_path, tmp_path / 'old.ckpt'):
        assert checkpoint.find(path) == str(tmp_path / 'old.ckpt')
    variables = _variables(net__weights=(2, 3))
    assert restoring.restore(variables, tmp_path / 'old.ckpt').restored == ['net/weights']
    assert variables[0].numpy()[0, 0] == 5


def test_folder_without_a_training_gives_what_is_shipped_in_it(tmp_path):
    shipped = checkpoint.save(tmp_path / 'shipped', 9, {'a': np.zeros(1)})
    assert checkpoint.newest(tmp_path) is None
    assert checkpoint.find(tmp_path) == shipped
    own = checkpoint.save(tmp_path, 1, {'a': np.zeros(1)})
    assert checkpoint.find(tmp_path) == own


def test_restore_of_float16(tmp_path):
    prefix = checkpoint.save(tmp_path, 1, {'net/weights': np.full((2, 3), .5, np.float16)})
    variables = _variables(net__weights=(2, 3))
    restoring.restore(variables, prefix)
    np.testing.assert_array_equal(variables[0], np.full((2, 3), .5, np.float32))


def test_restore_of_averages(tmp_path):
    prefix = checkpoint.save(tmp_path, 1, {'a': np.zeros(1, 'f'), 'b': np.zeros(1, 'f'),
                                           'a/ExponentialMovingAverage': np.full(1, 2, 'f')})
    variables = _variables(a=(1,), b=(1,))
    result = restoring.restore(variables, prefix, averages=True)
    assert [v.numpy()[0] for v in variables] == [2, 0]
    assert (result.restored, result.unused) == (['a', 'b'], [])
    restoring.restore(variables, prefix)
    assert [v.numpy()[0] for v in variables] == [0, 0]


def test_full_disk_leaves_the_last_checkpoint_and_names_the_disk(saved, tmp_path):
    # A limit on the size of files fails as a full disk does: in the middle of writing.
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(CheckpointError) as error:
            checkpoint.save(tmp_path / 'run', 8, {'big': np.zeros(10**6, 'f')})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    text = str(error.value)
    assert f'cannot write {tmp_path}/run/model.ckpt-8: ' in text
    assert 'GB are free on the disk of' in text
    assert f'last checkpoint: {saved}' in text and '\n' not in text
    assert checkpoint.find(tmp_path / 'run') == saved
    assert not list((tmp_path / 'run').glob('.writing*'))


def test_unfinished_files_of_a_killed_process_are_removed(tmp_path):
    (tmp_path / '.writing-1.data-00000-of-00001').write_text('half')
    checkpoint.save(tmp_path, 1, {'a': np.zeros(1)})
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        'model.ckpt-1.data-00000-of-00001', 'model.ckpt-1.index']


def test_folder_that_cannot_be_made(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(CheckpointError,
                       match='cannot write .*file/model.ckpt-1: .*last checkpoint: none'):
        checkpoint.save(tmp_path / 'file', 1, {'a': np.zeros(1)})


@pytest.mark.parametrize('value, text', [
    (np.array([b'x', b'y', b'z']), 'net/biases object (3,) -> (3,)'),
    (np.array(b'x'), 'net/biases |S1 () -> (3,)'),
    (np.zeros(3, np.complex64), 'net/biases complex64 (3,) -> (3,)')])
def test_restore_of_what_is_no_number(tmp_path, value, text):
    prefix = checkpoint.save(tmp_path, 1, {'net/biases': value})
    assert restoring.restore(_variables(net__biases=(3,)), prefix).mismatched == [text]


@pytest.mark.parametrize('text', ['[]', 'null', '{"classes": 3}', '{"classes": [1]}',
                                  '{"mean_ap": "x"}', '{"written": [[]]}',
                                  '{"thresholds": {"a": "b"}}', '{', '[' * 100_000])
def test_description_of_something_else(tmp_path, text):
    (tmp_path / 'model.json').write_text(text)
    with pytest.raises(CheckpointError,
                       match='model.json (is not readable JSON|does not describe a detector)'):
        checkpoint.read_description(tmp_path / 'model.ckpt-1')


@pytest.mark.parametrize('name, kind', [
    ('model.pb', r'a frozen graph \(GraphDef\)'), ('weights.H5', 'a file of Keras weights'),
    ('ssd.pth', 'a PyTorch checkpoint'), ('detector.tflite', 'an exported TFLite model'),
    ('saved/saved_model.pb', 'an exported SavedModel'),
    ('tf2/ckpt-1.index', r'a checkpoint of another name \(ckpt-1.index\), perhaps of TensorF')])
def test_other_formats_are_named(tmp_path, name, kind):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text('x')
    given = path if path.parent == tmp_path else path.parent
    with pytest.raises(CheckpointError, match=f'^{given} is {kind}.*; wanted is a checkpoint of'):
        checkpoint.find(given)


def test_an_object_based_checkpoint_is_named(tmp_path):
    prefix = tf.train.Checkpoint(v=tf.Variable(1.)).write(str(tmp_path / 'model.ckpt-1'))
    with pytest.raises(CheckpointError, match='is an object-based checkpoint of TensorFlow 2'):
        checkpoint.read(prefix)


def test_a_checkpoint_of_averages_alone(tmp_path):
    prefix = checkpoint.save(
        tmp_path, 1, {'net/weights/ExponentialMovingAverage': np.full([2, 3], 7)})
    variables = _variables(net__weights=(2, 3))
    assert restoring.restore(variables, prefix).restored == ['net/weights']
    assert variables[0].numpy().tolist() == [[7, 7, 7]] * 2
