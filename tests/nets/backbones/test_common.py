"""Depth-wise convolutions, computed in two ways."""
import numpy as np
import pytest

from nets.backbones import common
from nets.slim_compat import slim, tf


class Layer(tf.Module):
    @tf.compat.v1.keras.utils.track_tf1_style_variables
    def __call__(self, images, stride, grouped):
        initializer = tf.compat.v1.glorot_uniform_initializer()
        with common.conv_bn_scope(True, .9, .001, True, initializer, tf.nn.relu6), \
                slim.arg_scope([common.depthwise], grouped=grouped):
            return common.depthwise(images, stride, 'layer')


@pytest.mark.parametrize('stride', [1, 2])
@pytest.mark.parametrize('side', [7, 8])
def test_grouped_equals_depthwise_in_values_gradients_and_statistics(stride, side):
    layer = Layer()
    images = tf.constant(np.random.default_rng(0).normal(size=[3, side, side, 4]).astype('f'))
    results = []
    for grouped in (False, True):
        with tf.GradientTape() as tape:
            tape.watch(images)
            found = layer(images, stride, grouped)
            value = tf.reduce_sum(found * tf.sin(found))
        mean = next(v for v in layer.variables if v.name == 'layer/BatchNorm/moving_mean:0')
        gradients = tape.gradient(value, [images, *layer.trainable_variables])
        results.append([found, *gradients, mean.numpy()])
        mean.assign(tf.zeros_like(mean))
    assert sorted(v.name for v in layer.variables) == [
        'layer/BatchNorm/beta:0', 'layer/BatchNorm/gamma:0', 'layer/BatchNorm/moving_mean:0',
        'layer/BatchNorm/moving_variance:0', 'layer/depthwise_weights:0']
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-5)
