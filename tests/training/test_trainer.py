"""Schedule and optimizer step, on a model of a few parameters."""
import os
import types

import numpy as np
import pytest

from checkpoints import io as checkpoint
from checkpoints import restoring
from nets import loss, ssd
from nets.slim_compat import tf
from tests.training import tiny
from training import state
from training.finite import NotFinite, check_finite
from training.schedule import Schedule
from training.trainer import Trainer
from utils.errors import CheckpointError


class TinyModel(tf.Module):
    """logits and offsets [B, 2, ...] from two variables; the images matter only by their mean."""

    def __init__(self):
        super().__init__()
        self.spec, self.dtype = types.SimpleNamespace(
            normalization='inception', imagenet=types.SimpleNamespace(scope='Body')), tf.float32
        self.w = tf.Variable([[.1, .2, .3], [.3, .2, .1]], name='ssd/logits/weights')
        self.b = tf.Variable(tf.zeros([3]), name='ssd/logits/biases')
        self.o = tf.Variable(tf.ones([2, 4]), name='ssd/offsets/weights')

    def __call__(self, images, is_training):
        ones = tf.ones_like(images[:, 0, 0, 0])[:, None, None]
        return ones * (self.w + self.b), ones * self.o

    @property
    def learned_variables(self):
        return [self.w, self.b, self.o]


def _batch(images=2):
    return {
        'images': tf.zeros([images, 4, 4, 3], tf.uint8),
        'classes': tf.constant([[1, 0]] * images),
        'offsets': tf.zeros([images, 2, 4]),
        'ids': tf.constant([[97, 0], [98, 0]], tf.uint8)[:images],
    }


def _trainer(rate=.1, **options):
    return Trainer(TinyModel(), Schedule(rate, 100), **options)


def test_step_is_sgd_with_momentum_decay_and_faster_biases():
    trainer = _trainer(weight_decay=.01)
    w, b = trainer.model.w.numpy().copy(), np.zeros(3)
    with tf.GradientTape() as tape:
        logits, offsets = trainer.model(tf.zeros([2, 4, 4, 3]), True)
        total = sum(loss.multibox_loss(
            logits, offsets, _batch()['classes'], _batch()['offsets']).values())
    gw, gb = tape.gradient(total, [trainer.model.w, trainer.model.b])
    trainer.train_step(_batch())
    np.testing.assert_allclose(trainer.model.w, w - .1 * (gw + .01 * w), rtol=1e-5)
    np.testing.assert_allclose(trainer.model.b, b - .1 * 2 * gb, rtol=1e-5)
    velocity = trainer.optimizer.get_slot(trainer.model.w, 'momentum')
    np.testing.assert_allclose(velocity, -.1 * (gw + .01 * w), rtol=1e-5)


def test_clipping():
    trainer = _trainer(weight_decay=0., clip=.001, bias_rate=1.)
    before = [v.numpy().copy() for v in trainer.variables]
    trainer.train_step(_batch())
    moved = np.sqrt(
        sum(((v.numpy() - b) ** 2).sum() for v, b in zip(trainer.variables, before, strict=True))
    )
    assert moved == pytest.approx(.1 * .001, rel=1e-3)


def test_the_backbone_has_a_rate_of_its_own():
    moved = []
    for rate in (1., .1):
        tf.keras.utils.set_random_seed(1)
        model = ssd.SSD(tiny.SPEC, 3).build()
        trainer = Trainer(model, Schedule(.1, 10, 'steps'), weight_decay=0., backbone_rate=rate)
        before = {v.name: v.numpy() for v in trainer.variables}
        images = np.random.default_rng(1).integers(0, 256, (2, 32, 32, 3), np.uint8)
        trainer.train_step({'images': images, 'classes': np.ones([2, 80], np.int64),
                            'offsets': np.ones([2, 80, 4], np.float32)})
        moved.append({v.name: v.numpy() - before[v.name] for v in trainer.variables})
    for name, first in moved[0].items():
        assert np.abs(first).max() > 0, name
        factor = .1 if name.startswith('Tiny/') else 1.
        np.testing.assert_allclose(moved[1][name], first * factor, rtol=1e-3, atol=1e-7)


def test_images_without_objects():
    trainer = _trainer()
    batch = _batch() | {'classes': tf.zeros([2, 2], tf.int32)}
    scalars = trainer.train_step(batch)
    assert np.isfinite(scalars['loss']) and scalars['matched'] == 0
    assert scalars['losses']['confidence'] == scalars['losses']['localization'] == 0


def test_save_and_resume_go_on_as_if_never_stopped(tmp_path):
    straight, first = _trainer(), _trainer()
    for _ in range(6):
        straight.train_step(_batch())
    for _ in range(3):
        first.train_step(_batch())
    second = _trainer()
    state.resume(second, state.save(first, tmp_path))
    assert second.step == 3
    for _ in range(3):
        second.train_step(_batch())
    for one, two in zip(straight.variables, second.variables, strict=True):
        np.testing.assert_array_equal(one, two)


def test_resume_refuses_another_state(tmp_path):
    prefix = checkpoint.save(tmp_path, 1, {'ssd/logits/weights': np.zeros((2, 3), 'f')})
    with pytest.raises(CheckpointError, match='is missing, wanted .*--restart=True'):
        state.resume(_trainer(), prefix)


def test_the_first_loss_that_is_not_finite_is_named():
    trainer = _trainer()
    steps = []
    for step in (1, 2, 3):
        if step == 2:
            trainer.model.w.assign(np.full((2, 3), np.nan))
        steps.append((step, trainer.train_step(_batch()), _batch()['ids']))
    check_finite(steps[:1], trainer.strategy)
    with pytest.raises(
        NotFinite, match='step 2 .confidence nan, localization .*, loss nan.; images: a, b'
    ):
        check_finite(steps, trainer.strategy)


def test_a_term_is_added_in_one_place(monkeypatch):
    def with_entropy(logits, *arguments):
        p = tf.nn.softmax(logits)
        return loss.multibox_loss(logits, *arguments) | {
            'entropy': -tf.reduce_sum(p * tf.math.log(p))}
    monkeypatch.setattr('training.trainer.multibox_loss', with_entropy)
    trainer = _trainer(accumulate=2)
    before = trainer.model.w.numpy()
    scalars = trainer.train_step(_batch())
    losses = scalars['losses']
    assert list(losses) == ['confidence', 'localization', 'entropy', 'l2']
    np.testing.assert_allclose(scalars['loss'], sum(losses.values()), rtol=1e-6)
    p = np.exp(before) / np.exp(before).sum(1, keepdims=True)
    np.testing.assert_allclose(losses['entropy'], -2 * (p * np.log(p)).sum(), rtol=1e-5)


def test_turns_of_images_without_objects_add_up():
    batch = _batch(4) | {'classes': tf.zeros([4, 2], tf.int32)}
    losses = [_trainer(min_negatives=6, negative_ratio=3., accumulate=turns).train_step(batch)
              ['losses']['confidence'].numpy() for turns in (1, 2)]
    logits = np.array([[.1, .2, .3], [.3, .2, .1]])
    entropy = (np.log(np.exp(logits).sum(1)) - logits[:, 0]).sum()
    # Four images of two negatives, divided by 4 * 6 / 3.
    np.testing.assert_allclose(losses, 4 * entropy / 8, rtol=1e-5)


def test_moving_average_of_the_weights(tmp_path):
    trainer = _trainer(average=.5)
    w = trainer.model.w
    average = w.numpy()
    for step in range(3):
        trainer.train_step(_batch())
        decay = min(.5, (2 + step) / (11 + step))  # the optimizer has counted the step already
        average = decay * average + (1 - decay) * w.numpy()
    present = w.numpy()
    with trainer.average.taken():
        np.testing.assert_allclose(w, average, rtol=1e-5)
    np.testing.assert_array_equal(w, present)
    other = _trainer(average=.5)
    state.resume(other, state.save(trainer, tmp_path))
    with other.average.taken():
        np.testing.assert_allclose(other.model.w, average, rtol=1e-5)
    restoring.restore([other.model.w], checkpoint.newest(tmp_path), averages=True)
    np.testing.assert_allclose(other.model.w, average, rtol=1e-5)


def test_without_an_average_the_model_is_evaluated_as_it_is():
    trainer = _trainer()
    before = trainer.model.w.numpy()
    with trainer.average.taken():
        np.testing.assert_array_equal(trainer.model.w, before)


@pytest.mark.parametrize('options', [
    {'clip': .1, 'average': .5}, {'accumulate': 2, 'min_negatives': 2}, {'weight_decay': 0.}])
@pytest.mark.parametrize('precision', ['float32', 'float16'])
def test_a_step_that_xla_compiled_is_the_same_step(options, precision):
    found = []
    for xla in (False, True):
        model = TinyModel()
        model.dtype = tf.as_dtype(precision)
        trainer = Trainer(model, Schedule(.1, 100, 'cosine', warmup=1), xla=xla, **options)
        scalars = [trainer.train_step(_batch(4)) for _ in range(3)]
        found.append([tensor.numpy() for tensor in tf.nest.flatten(scalars)]
                     + [variable.numpy() for variable in state.tensors(trainer).values()])
        assert bool(trainer._step.function_spec.jit_compile) is xla
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_weights_are_not_fixed_even_where_the_environment_says_so(monkeypatch):
    """oneDNN would go on with the kernels of the first step."""
    monkeypatch.setenv('TF_ONEDNN_ASSUME_FROZEN_WEIGHTS', '1')
    _trainer()
    assert os.environ['TF_ONEDNN_ASSUME_FROZEN_WEIGHTS'] == '0'
