"""Folding: the same numbers from fixed weights, with batch norm in the convolutions before it."""
import numpy as np
import pytest

from detection import detector, folding
from nets import backbones, ssd
from nets.backbones.common import batch_norm
from nets.slim_compat import slim, tf
from preprocessing import normalize

NORM = {'is_training': False, 'scale': True, 'epsilon': .5}


class Layers(tf.Module):
    """Two convolutions with batch norm, the first depth-wise and without gamma; norm of the sum."""

    @tf.compat.v1.keras.utils.track_tf1_style_variables
    def __call__(self, images):
        with slim.arg_scope([slim.conv2d, slim.separable_conv2d], normalizer_fn=batch_norm,
                            activation_fn=None):
            one = slim.separable_conv2d(images, None, 1, depth_multiplier=1, scope='depthwise',
                                        normalizer_params=NORM | {'scale': False})
            two = slim.conv2d(one, 2, 1, scope='full', normalizer_params=NORM)
            return (batch_norm(one + two, scope='sum', **NORM),)


def _assign(variables, **values):
    """Values by the last part of a variable's name, for all channels or channel by channel."""
    for variable in variables:
        variable.assign(tf.broadcast_to(values[variable.name.split('/')[-1].split(':')[0]],
                                        variable.shape))


def _randomize(variables):
    """Values that show an error in any of them, and keep activations small."""
    random = np.random.default_rng(0)
    for variable in variables:
        kind = variable.name.split('/')[-1].split(':')[0]
        if kind in ('gamma', 'moving_variance'):
            variable.assign(random.uniform(.5, 1, variable.shape) * (.5 if kind == 'gamma' else 2))
        elif kind in ('beta', 'moving_mean', 'biases'):
            variable.assign(random.normal(0, .1, variable.shape))


def _kinds(network, signature):
    """Kinds of the operations that a function becomes."""
    graph = tf.function(network, autograph=False).get_concrete_function(signature).graph
    return [operation.type for operation in graph.get_operations()]


def test_layers_by_hand():
    layers = Layers()
    images = tf.constant([[3., 1.], [5., 2.]], shape=[1, 1, 2, 2])
    tf.function(layers)(images)
    _assign(layers.variables, weights=[2., 4.], depthwise_weights=[[1.], [3.]], gamma=[2., 4.],
            beta=1., moving_mean=1.,
            moving_variance=3.5)
    folded = tf.function(folding.fold(layers, tf.TensorSpec([None, None, None, 2])))
    # sqrt(3.5 + .5) = 2. Depth-wise: (x - 1) / 2 + 1 = (x + 1) / 2. Full and sum:
    # (x - 1) * (2, 4) / 2 + 1 = (x, 2 x - 1).
    # Pixel 3, 1: times 1, 3 = 3, 3; normalised 2, 2; full 4 * 2, 4 * 4 = 8, 16; normalised 8, 31;
    # sum 10, 33; normalised 10, 65.
    # Pixel 5, 2: 5, 6; 3, 3.5; full 13, 26; 13, 51; sum 16, 54.5; normalised 16, 108.
    np.testing.assert_allclose(folded(images)[0][0, 0], [[10, 65], [16, 108]], rtol=1e-6)
    assert folded(tf.zeros([0, 4, 4, 2]))[0].shape == (0, 4, 4, 2)


def test_only_the_norm_of_a_sum_stays():
    layers, signature = Layers(), tf.TensorSpec([None, None, None, 2])
    tf.function(layers)(tf.zeros([1, 1, 1, 2]))
    kinds = _kinds(folding.fold(layers, signature), signature)
    assert [kinds.count(kind) for kind in ('FusedBatchNormV3', 'BiasAdd', 'ReadVariableOp')] == [1,
                                                                                                 2,
                                                                                                 0]


def test_weights_are_those_of_the_moment():
    layers = Layers()
    images = tf.ones([1, 1, 1, 2])
    before = tf.function(layers)(images)[0].numpy()
    folded = tf.function(folding.fold(layers, tf.TensorSpec([1, 1, 1, 2])))
    _randomize(layers.variables)
    np.testing.assert_allclose(folded(images)[0], before, atol=1e-6)
    assert np.abs(tf.function(layers)(images)[0] - before).max() > .01


# Batch norms that stay: ResNet v2's before the convolutions, of 16 units and the last.
@pytest.mark.parametrize('name, staying', [('mobilenet_v1', 0), ('resnet_v2', 17), ('vgg_300', 0)])
def test_networks_give_the_same(name, staying):
    spec = backbones.get(name)
    model = ssd.SSD(spec, 4).build()
    _randomize(model.variables)
    live, folded = detector.Detector(model).network, detector.Detector(model, folded=True).network
    signature = tf.TensorSpec([1, spec.image_size, spec.image_size, 3], tf.uint8)
    assert _kinds(folded, signature).count('FusedBatchNormV3') == staying
    images = np.random.default_rng(1).integers(0, 256, signature.shape).astype(np.uint8)
    for one, other in zip(tf.function(live)(images), tf.function(folded)(images), strict=True):
        assert .1 < np.abs(one).max() < 100
        np.testing.assert_allclose(other, one, atol=1e-4)


def test_bfloat16_is_as_near_to_float32_as_before():
    spec = backbones.get('mobilenet_v1')
    models = [ssd.SSD(spec, 4, precision=precision).build()
              for precision in ('float32', 'bfloat16')]
    _randomize(models[0].variables)
    for one, two in zip(*(model.variables for model in models), strict=True):
        two.assign(one)
    images = np.random.default_rng(1).integers(0, 256, [1, 300, 300, 3]).astype(np.uint8)
    exact, live, folded = (tf.function(network)(images)[0] for network in (
        detector.Detector(models[0]).network, detector.Detector(models[1]).network,
        detector.Detector(models[1], folded=True).network))
    errors = [float(tf.math.reduce_std(rough - exact) / tf.math.reduce_std(exact))
              for rough in (live, folded)]
    assert 0 < errors[1] < 1.5 * errors[0] < .1


def test_detector_is_traced_once_for_all_batch_sizes(monkeypatch):
    traces, real = [], normalize.normalize
    monkeypatch.setattr(normalize, 'normalize', lambda *given: traces.append(1) or real(*given))
    found = detector.Detector(ssd.SSD(backbones.get('mobilenet_v1'), 4).build())
    for images in (1, 3, 2):
        assert found.detect(np.zeros([images, 300, 300, 3], np.uint8)).counts.shape == (images,)
    assert len(traces) == 1
