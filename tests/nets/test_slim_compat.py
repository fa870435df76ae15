"""tf-slim works on this TensorFlow, through its only door.

If this fails, look at the versions before anything else.
"""
import subprocess
import sys

import numpy as np
import pytest

from nets import slim_compat
from nets.slim_compat import slim, tf

ONE_LAYER = """
from nets.slim_compat import slim, tf
class Net(tf.Module):
    @tf.compat.v1.keras.utils.track_tf1_style_variables
    def __call__(self, images):
        with slim.arg_scope([slim.batch_norm], fused=True, updates_collections=None):
            return slim.conv2d(images, 4, 3, normalizer_fn=slim.batch_norm, scope='conv')
net = Net()
net(tf.ones([2, 8, 8, 3]))
print(*sorted(v.name for v in net.variables))
"""

SAME_STEPS = """
from nets.slim_compat import prepare_devices, tf
prepare_devices(deterministic=True)
from benchmarks import models
from nets import backbones, ssd
from training import state
from training.schedule import Schedule
from training.trainer import Trainer
tf.keras.utils.set_random_seed(1)
spec = backbones.get('mobilenet_v2')
trainer = Trainer(ssd.SSD(spec, 21).build(), Schedule(1e-3, 10))
tensors, batch = state.tensors(trainer).values(), models.random_batch(spec, 2)
start, found = [tensor.numpy() for tensor in tensors], set()
for _ in range(8):
    for tensor, value in zip(tensors, start):
        tensor.assign(value)
    trainer.train_step(batch)
    found.add(b''.join(tensor.numpy().tobytes() for tensor in tensors))
print(len(found))
"""


class Net(tf.Module):
    """A convolution, a depthwise one, both with batch norm, and a pool."""

    @tf.compat.v1.keras.utils.track_tf1_style_variables
    def __call__(self, images, is_training):
        options = {'decay': .9, 'fused': True, 'scale': True, 'updates_collections': None}
        with slim.arg_scope([slim.batch_norm], is_training=is_training, **options):
            net = slim.conv2d(images, 4, 3, normalizer_fn=slim.batch_norm, scope='conv')
            net = slim.separable_conv2d(
                net, None, 3, depth_multiplier=1, normalizer_fn=slim.batch_norm, scope='depthwise'
            )
            return slim.max_pool2d(net, 2, scope='pool')


@pytest.fixture
def images():
    return tf.constant(np.random.RandomState(0).standard_normal((2, 8, 8, 3)).astype('f'))


def test_a_fresh_process_builds_a_layer_without_a_deprecation_warning():
    run = subprocess.run(
        [sys.executable, '-c', ONE_LAYER], capture_output=True, text=True, timeout=120
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == [f'conv/{name}:0' for name in (
        'BatchNorm/beta', 'BatchNorm/moving_mean', 'BatchNorm/moving_variance', 'weights')]
    assert 'deprecated' not in run.stderr and 'UserWarning' not in run.stderr


def test_a_deterministic_step_is_the_same_to_the_bit():
    """Without the order of sums: two or three results of eight steps from the same weights."""
    run = subprocess.run([sys.executable, '-c', SAME_STEPS], capture_output=True, text=True,
                         timeout=120)
    assert run.stdout == '1\n', run.stderr


def test_variables_carry_slim_s_names_and_are_made_once(images):
    net = Net()
    net(images, True)
    net(images, False)
    batch_norm = [
        f'BatchNorm/{name}:0' for name in ('beta', 'gamma', 'moving_mean', 'moving_variance')
    ]
    assert sorted(v.name for v in net.variables) == sorted(
        ['conv/weights:0', 'depthwise/depthwise_weights:0',
         *(f'{layer}/{name}' for layer in ('conv', 'depthwise') for name in batch_norm)])
    assert not any('moving_' in v.name for v in net.trainable_variables)


def test_averages_move_in_training_only(images):
    net = Net()
    function = tf.function(net)
    function(images, False)
    averages = [v for v in net.variables if 'moving_' in v.name]
    before = [v.numpy() for v in averages]
    function(images, False)
    assert all((v.numpy() == old).all() for v, old in zip(averages, before, strict=True))
    function(images, True)
    assert all((v.numpy() != old).any() for v, old in zip(averages, before, strict=True))


def test_gradients_reach_every_trained_variable(images):
    net = Net()

    @tf.function
    def gradients():
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(net(images, True) ** 2)
        return tape.gradient(loss, net.trainable_variables)

    net(images, True)
    assert len(gradients()) == 6
    assert all(g is not None for g in gradients())


def test_autograph_leaves_slim_alone():
    from tensorflow.python.autograph.impl import conversion
    assert conversion.is_allowlisted(slim.conv2d)
    assert conversion.is_allowlisted(slim.batch_norm)


def _bias_gradient(upstream, data_format='NHWC'):
    """Gradient of a bias [D] to which `upstream` comes back, and the operations that compute it."""
    biases = tf.zeros([upstream.shape[1 if data_format == 'NCHW' else -1]], upstream.dtype)

    def function(biases, upstream):
        with tf.GradientTape() as tape:
            tape.watch(biases)
            net = tf.nn.bias_add(tf.zeros_like(upstream), biases, data_format)
        return tape.gradient(net, biases, upstream)

    traced = tf.function(function, autograph=False).get_concrete_function(
        tf.TensorSpec.from_tensor(biases), tf.TensorSpec([None, *upstream.shape[1:]],
                                                         upstream.dtype))
    return traced(biases, upstream), {op.type for op in traced.graph.get_operations()}


@pytest.fixture
def with_gpu(monkeypatch):
    monkeypatch.setattr(slim_compat, 'has_gpu', lambda: True)


def test_bias_gradients_in_bfloat16_are_added_up_in_float32(with_gpu):
    # 2 x 40 x 50 times 1 are 4,000; in bfloat16 256 + 1 is 256. A quarter of the last is -1. The
    # thirds, the sum of each row and the result are rounded, to 8 bits.
    upstream = np.ones([2, 40, 50, 3])
    upstream[:, :, :, 1] = 1 / 3
    upstream[:, ::4, :, 2] = -1
    found, operations = _bias_gradient(tf.constant(upstream, tf.bfloat16))
    np.testing.assert_allclose(tf.cast(found, tf.float32), [4000, 4000 / 3, 2000], rtol=1e-2)
    assert found.dtype == tf.bfloat16 and 'BiasAddGrad' not in operations


@pytest.mark.parametrize('shape', [[0, 3, 4, 2], [5, 2], [3, 5, 2], [2, 3, 1, 5], [2, 1, 3, 4]])
def test_bias_gradients_are_those_of_tensorflow(with_gpu, shape):
    # Quarters of small whole numbers: every sum is exact.
    upstream = np.random.default_rng(0).integers(-3, 4, shape) / 4
    for dtype in (tf.bfloat16, tf.float32):
        found, operations = _bias_gradient(tf.constant(upstream, dtype))
        np.testing.assert_array_equal(tf.cast(found, tf.float32),
                                      upstream.reshape(-1, shape[-1]).sum(axis=0))
        assert ('BiasAddGrad' in operations) == (dtype == tf.float32)
    if len(shape) == 4:
        _, operations = _bias_gradient(tf.constant(upstream, tf.bfloat16), 'NCHW')
        assert 'BiasAddGrad' in operations


def test_bias_gradients_on_a_cpu_are_left_to_onednn():
    _, operations = _bias_gradient(tf.ones([2, 3, 4, 5], tf.bfloat16))
    assert 'BiasAddGrad' in operations
