"""Which checkpoints stay, and which mAP is the best: of this training, and of these images."""
import types

import numpy as np
import pytest

from checkpoints import io as checkpoint
from nets.slim_compat import tf
from training import keeper as keepers
from training import state

FACTS = {'classes': ['cat'], 'run': 'a1'}
HERE = {'records': 'easy', 'records_id': 'e1', 'images': 5}


@pytest.fixture
def trainer(monkeypatch):
    """A trainer whose state is its step alone."""
    monkeypatch.setattr(state, 'save', lambda trainer, folder: checkpoint.save(
        folder, trainer.step, {'step': np.array([trainer.step])}))
    return types.SimpleNamespace(step=0, strategy=tf.distribute.get_strategy())


def _saved(keeper, *steps):
    for step in steps:
        keeper.trainer.step = step
        keeper.save()


def test_only_what_this_training_wrote_is_removed(trainer, tmp_path):
    for step in (0, 30):  # another's: where this training started, and one that was copied here
        checkpoint.save(tmp_path, step, {'a': np.zeros(1)})
    _saved(keepers.Keeper(trainer, str(tmp_path), 2, FACTS), 10, 20, 30, 40)
    assert checkpoint.steps_in(tmp_path) == {0, 30, 40}
    facts = checkpoint.read_description(tmp_path / 'model.ckpt-40')
    assert facts == FACTS | {'written': [20, 30, 40]}
    checkpoint.save(tmp_path, 35, {'a': np.zeros(1)})
    _saved(keepers.Keeper(trainer, str(tmp_path), 2, facts), 50, 60)  # resumed
    assert checkpoint.steps_in(tmp_path) == {0, 35, 50, 60}


def test_what_is_written_stays_though_higher_steps_are_there(trainer, tmp_path):
    # A training that goes on from before its last checkpoints.
    _saved(keepers.Keeper(trainer, str(tmp_path), 1, FACTS | {'written': [10, 11]}), 10, 11, 5)
    assert checkpoint.steps_in(tmp_path) == {5}


def test_the_best_of_other_images_is_not_compared(trainer, tmp_path, capsys):
    def offers(measured_on, *scores):
        keeper = keepers.Keeper(trainer, str(tmp_path), 1, FACTS, measured_on)
        for score in scores:
            trainer.step += 1
            keeper.offer(score)
        found = checkpoint.read_description(tmp_path / 'best/model.ckpt-1')
        assert checkpoint.steps_in(tmp_path / 'best') == {found['step']}
        return found['step'], found['mean_ap'], found['records'], capsys.readouterr().out

    assert offers(HERE, .5, .9, .7, float('nan')) == (2, .9, 'easy', '')
    assert offers(HERE, .8) == (2, .9, 'easy', '')
    assert offers(HERE | {'records': 'moved/easy'}, .8) == (2, .9, 'easy', '')
    harder = {'records': 'easy', 'records_id': 'h1', 'images': 5}  # converted to the same place
    assert offers(harder, .3, .2) == (7, .3, 'easy', (
        f'{tmp_path}/best is the best on other images (of easy); the first evaluation on easy '
        'takes its place\n'))
    assert offers(harder | {'images': 3}, .1)[:2] == (9, .1)
    # A best checkpoint from before the records were noted is compared.
    checkpoint.write_description(tmp_path / 'best', **FACTS, mean_ap=.6, step=9, records='old')
    assert offers(HERE, .5)[:2] == (9, .6)


def test_without_held_out_records_the_best_is_left_alone(trainer, tmp_path, capsys):
    checkpoint.write_description(tmp_path / 'best', **FACTS, **HERE, mean_ap=.6)
    assert keepers.Keeper(trainer, str(tmp_path), 1, FACTS).best == .6
    assert capsys.readouterr().out == ''
