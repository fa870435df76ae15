"""Which checkpoint a training starts from, in every mode and kind of folder."""
import dataclasses
import os
import types

import numpy as np
import pytest

from checkpoints import io as checkpoint
from nets import backbones, overrides, ssd
from nets.slim_compat import tf
from tests.checkpoints import few
from training import log, starting_point
from utils.choices import EXISTING, SCRATCH, STEP1, STEP2
from utils.errors import CheckpointError

SPEC = backbones.get('mobilenet_v1')


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Every test in a folder of its own; neither it nor the `REPOSITORY` has checkpoints/."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(checkpoint, 'REPOSITORY', tmp_path / 'repository')


def _facts(mode):
    return checkpoint.describe(SPEC, mode, ('a', 'b'))


def _trained(folder, mode, step=10, **more):
    checkpoint.write_description(folder, **_facts(mode), started_from='/somewhere/model.ckpt',
                                 **more)
    return checkpoint.save(folder, step, few.variables(SPEC))


def _choose(mode, folder='out', given='', restart=False, classes=('a', 'b')):
    start = starting_point.choose(mode, SPEC, folder, given, restart, classes)
    return starting_point.make_room(start, folder)


def _told(start):
    """The facts of a training's description, without its id."""
    return {key: value for key, value in start.facts.items() if key != 'run'}


def test_from_scratch():
    start = _choose(SCRATCH)
    assert (start.spec, start.prefix, start.step, start.resumed) == (SPEC, None, 0, False)
    assert _told(start) == _facts(SCRATCH) | {'started_from': None}
    assert start.facts['run'] != _choose(SCRATCH).facts['run']


def test_from_scratch_takes_no_checkpoint():
    prefix = _trained('other', STEP2)
    message = 'from_scratch starts from nothing, but checkpoint is other'
    with pytest.raises(CheckpointError, match=message):
        _choose(SCRATCH, given=prefix)


def test_step1_takes_the_classifier_from_its_folder():
    checkpoint.save('checkpoints/mobilenet_v1', 0, {'MobilenetV1/Conv2d_0/weights': np.zeros(1)})
    for ending in ('.index', '.data-00000-of-00001'):
        os.rename(f'checkpoints/mobilenet_v1/model.ckpt-0{ending}',
                  f'checkpoints/mobilenet_v1/{SPEC.imagenet.file}{ending}')
    start = _choose(STEP1)
    assert start.prefix == f'checkpoints/mobilenet_v1/{SPEC.imagenet.file}'
    assert start.imagenet and start.step == 0


def test_missing_classifier_names_path_and_source():
    with pytest.raises(CheckpointError,
                       match='no ImageNet checkpoint at checkpoints/mobilenet_v1/.*ckpt; '
                             'python3 -m checkpoints.fetch mobilenet_v1 fetches it .from http'):
        _choose(STEP1)


def test_step2_needs_step1():
    with pytest.raises(CheckpointError, match='train finetune_new_ssd_step1 first, or name one'):
        _choose(STEP2)
    default = 'checkpoints/ssd_mobilenet_v1'  # named once
    with pytest.raises(CheckpointError, match=f' in {default}/{STEP1} or {default}; train'):
        _choose(STEP2, folder=default)


def test_step2_takes_step1s_result_from_the_same_folder_and_moves_it_aside():
    _trained('out', STEP1)
    start = _choose(STEP2)
    assert start.prefix == f'out/{STEP1}/model.ckpt-10' and start.step == 0 and not start.resumed
    assert checkpoint.newest('out') is None and checkpoint.newest(f'out/{STEP1}') == start.prefix
    # Interrupted before its first checkpoint, it starts from there again.
    assert _choose(STEP2).prefix == start.prefix


def test_a_named_folder_wins():
    _trained('out', STEP1)
    named = _trained('elsewhere', STEP1, step=3)
    assert _choose(STEP2, given='elsewhere').prefix == named


def test_resume():
    _trained('out', STEP2, step=70)
    start = _choose(STEP2)
    assert (start.prefix, start.step, start.resumed) == ('out/model.ckpt-70', 70, True)
    assert start.origin == '/somewhere/model.ckpt'


def test_resume_with_the_same_start_named():
    prefix = _trained('first', STEP1)
    checkpoint.write_description('out', **_facts(STEP2), started_from=os.path.abspath(prefix))
    checkpoint.save('out', 5, few.variables(SPEC))
    assert _choose(STEP2, given='first').resumed


def test_another_start_is_not_mixed_in():
    _trained('out', STEP2)
    _trained('other', STEP1)
    message = 'started from /somewhere/model.ckpt, not from other.*--restart=True'
    with pytest.raises(CheckpointError, match=message):
        _choose(STEP2, given='other')


def test_other_classes_are_not_resumed():
    _trained('out', STEP2)
    message = 'trained with classes a, b, configured is x; choose another --output'
    with pytest.raises(CheckpointError, match=message):
        _choose(STEP2, classes=('x',))


def test_restart_moves_aside():
    _trained('out', SCRATCH)
    log.Log('out').scalars(10, {'loss': 1.})
    assert _choose(SCRATCH, restart=True).prefix is None
    assert checkpoint.newest('out/earlier') and not checkpoint.newest('out')
    assert os.listdir('out') == ['earlier']
    assert {'logs', 'scalars.jsonl'} < set(os.listdir('out/earlier'))


def test_evaluations_of_the_earlier_training_go_along():
    for mode, aside in ((STEP1, STEP1), (STEP2, 'earlier')):
        _trained('out', mode)
        names = ['evaluation.html', 'evaluation.json', 'evaluation.npz', 'evaluations.jsonl']
        for name in names:
            open(f'out/{name}', 'w').close()
        _choose(STEP2, restart=mode == STEP2, given=f'out/{STEP1}' if mode == STEP2 else '')
        assert {*names} < {*os.listdir(f'out/{aside}')} and not {*names} & {*os.listdir('out')}


def test_the_id_of_a_training_is_kept_until_another_begins():
    first = _choose(SCRATCH).facts
    checkpoint.write_description('out', **first)
    checkpoint.save('out', 1, few.variables(SPEC))
    assert _choose(SCRATCH).facts['run'] == first['run']
    assert _choose(SCRATCH, restart=True).facts['run'] != first['run']
    _trained('old', STEP2)  # from before there were ids
    assert len(_choose(STEP2, folder='old').facts['run']) == 12


def test_a_checkpoint_that_the_training_started_from_is_not_counted_as_its_own():
    prefix = checkpoint.save('out', 0, few.variables(SPEC))
    start = _choose(EXISTING)
    assert (start.prefix, start.aside, start.facts.get('written')) == (prefix, '', None)
    # Resumed, by a description from before what was written was listed.
    checkpoint.write_description('out', **_facts(EXISTING), started_from=os.path.abspath(prefix))
    for step in (10, 20):
        checkpoint.save('out', step, few.variables(SPEC))
    assert _choose(EXISTING).facts['written'] == [10, 20]


def test_a_best_checkpoint_without_its_training_is_moved_aside():
    checkpoint.write_description('out/best', mean_ap=.9)
    best = checkpoint.save('out/best', 7, few.variables(SPEC))
    assert _choose(SCRATCH).aside == 'earlier'
    assert not os.path.exists(best + '.index') and checkpoint.newest('out/earlier/best')


def test_a_misfit_changes_no_file():
    _trained('out', STEP1)
    other = checkpoint.save('other', 0, few.variables(backbones.get('mobilenet_v2')))
    with pytest.raises(CheckpointError, match='its network is --backbone_network=ssd_mobilenet_v2'):
        _choose(EXISTING, given=other)
    assert checkpoint.newest('out') and not os.path.exists(f'out/{STEP1}')


def test_step1_does_not_overwrite_step2():
    _trained('out', STEP2)
    message = 'out holds a training of mode finetune_new_ssd_step2'
    with pytest.raises(CheckpointError, match=message):
        _choose(STEP1)


def test_foreign_checkpoints_are_not_resumed():
    checkpoint.save('out', 8, {'a': np.zeros(1)})
    with pytest.raises(CheckpointError, match='which no training here wrote'):
        _choose(STEP2)


def test_existing_takes_what_lies_in_its_folder():
    _trained('checkpoints/ssd_mobilenet_v1', STEP2)
    start = _choose(EXISTING, folder='checkpoints/ssd_mobilenet_v1')
    assert start.prefix == f'checkpoints/ssd_mobilenet_v1/{STEP2}/model.ckpt-10' and start.step == 0
    with pytest.raises(CheckpointError, match='fetch a published SSD'):
        _choose(EXISTING, folder='out')


def test_existing_starts_from_the_shipped_weights_and_leaves_them():
    shipped = _trained('checkpoints/ssd_mobilenet_v1/shipped', EXISTING)
    for folder in ('checkpoints/ssd_mobilenet_v1', 'out'):
        start = _choose(EXISTING, folder=folder)
        assert (start.prefix, start.step, start.resumed) == (shipped, 0, False)
    assert checkpoint.newest('checkpoints/ssd_mobilenet_v1/shipped') == shipped


def test_shipped_weights_are_found_from_other_folders(tmp_path):
    shipped = _trained(tmp_path / 'repository/checkpoints/ssd_mobilenet_v1/shipped', EXISTING)
    assert checkpoint.default(SPEC) == _choose(EXISTING).prefix == shipped
    own = _trained('checkpoints/ssd_mobilenet_v1', STEP2)
    assert checkpoint.default(SPEC) == own
    assert checkpoint.default(backbones.get('vgg_300')) is None


@pytest.mark.parametrize('mode', [STEP1, EXISTING])
def test_a_classifier_fills_the_backbone_with_its_averages(mode):
    # As slim's checkpoints of the MobileNets: the moving average beside the last step's weights.
    name = 'MobilenetV1/Conv2d_0/weights'
    prefix = checkpoint.save('classifier', 0, {
        name: np.zeros(2, 'f'), name + checkpoint.AVERAGE: np.ones(2, 'f'),
        'MobilenetV1/fc/weights': np.array([7., 8, 9], 'f'),
        'MobilenetV1/Logits/biases': np.ones(3)})
    derived = {'MobilenetV1/derived/weights': ('MobilenetV1/fc/weights', lambda array: array[::2])}
    spec = dataclasses.replace(SPEC, imagenet=dataclasses.replace(SPEC.imagenet, derive=derived))
    variables = [tf.Variable(np.full(2, 5., 'f'), name=other)
                 for other in (name, 'MobilenetV1/derived/weights', 'ssd/extra_1/weights')]
    trainer = types.SimpleNamespace(model=types.SimpleNamespace(variables=variables),
                                    average=types.SimpleNamespace(start=lambda: None))
    start = starting_point.choose(mode, spec, 'out', prefix, False, ['a'])
    text, report = starting_point.restore(start, trainer)
    assert [v.numpy().tolist() for v in variables] == [[1, 1], [7, 9], [5, 5]]
    assert 'restored 2 variables' in text and '2 restored\n  ' + name in report


def test_class_rows_go_by_name():
    merged = starting_point._rows(['pear', 'apple'], ['apple', 'plum', 'pear'])
    theirs = np.arange(16.).reshape(2, 8)  # two boxes of a cell: background, apple, plum, pear
    fresh = -np.ones([2, 6])
    assert merged(theirs, fresh).tolist() == [[0, 3, 1, 4, 7, 5], [8, 11, 9, 12, 15, 13]]
    # Another number of boxes is another network: the shapes tell it.
    assert merged(np.arange(6.), -np.ones([6])).tolist() == [0, 1, 2, 3, 4, 5]


def test_unknown_classes_start_from_the_mean_of_the_known_ones():
    merged = starting_point._rows(['pear', 'cherry'], ['apple', 'pear'])
    theirs = np.array([0, 2, 4, 10, 30, 50], np.float16)  # two boxes: background, apple, pear
    assert merged(theirs, np.zeros([6])).tolist() == [0, 4, 3, 10, 50, 40]
    merged = starting_point._rows(['cherry', 'plum'], ['pear', 'apple'])
    assert merged(theirs, np.zeros([6])).tolist() == [0, 3, 3, 10, 40, 40]


def test_what_is_said_of_the_classes():
    assert starting_point._about_classes(['b', 'c'], ['a', 'b'], False) == [
        '  1 class known from the checkpoint: b',
        '  1 class start from the mean of its classes: c',
        '  1 class of the checkpoint, left out: a']
    assert starting_point._about_classes(['b'], ['b'], False) == []
    assert 'does not name its classes' in starting_point._about_classes(['b'], None, False)[0]


def test_a_new_ssd_on_the_body_of_another(tmp_path):
    """Body, and extra layers whose kernels fit; its own heads, default boxes and layers."""
    base = backbones.get('mobilenet_v1')
    theirs = overrides.apply(base, {
        'last': 'Conv2d_13_pointwise', 'extra_from': 'Conv2d_13_pointwise',
        'feature_layers': ['Conv2d_11_pointwise', 'Conv2d_13_pointwise'],
        'grids': [19, 10, 5, 3, 2, 1], 'box_set': 'other', 'box_shapes': [[[30, 30]]] * 6,
        'extra_layers': [{'squeeze': s, 'depth': d} for s, d in ((256, 512), (128, 256)) * 2]})
    variables = {checkpoint.variable_name(v): np.full(v.shape, .5, np.float32)
                 for v in ssd.SSD(theirs, 3).build().variables}
    prefix = checkpoint.save(tmp_path / 'converted', 0, variables)
    checkpoint.write_description(tmp_path / 'converted',
                                 **checkpoint.describe(theirs, '', ['cat', 'dog']))
    start = starting_point.choose(STEP1, base, str(tmp_path / 'out'), prefix, False, ['cat'])
    assert start.spec == base and start.spec.num_default_boxes == 8732
    model = ssd.SSD(base, 2).build()
    trainer = types.SimpleNamespace(model=model,
                                    average=types.SimpleNamespace(start=lambda: None))
    starting_point.restore(start, trainer)
    taken = {'/'.join(v.name.split('/')[:3]) for v in model.variables
             if v.name.startswith('ssd/') and (v.numpy() == .5).all()}
    # conv1x1 of extra_1 follows another layer there, extra_3 has other depths.
    assert taken == {'ssd/extra_1/conv3x3', 'ssd/extra_2/conv1x1', 'ssd/extra_2/conv3x3',
                     'ssd/extra_4/conv3x3'}
    assert all((v.numpy() == .5).all() for v in model.variables
               if v.name.startswith('MobilenetV1/'))
