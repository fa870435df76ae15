"""VGG's own: the reduction of fc6 and fc7 to conv6 and conv7, and the published figures of SSD300
and SSD512.
"""
import os
import subprocess
import sys

import numpy as np
import pytest

from nets import backbones
from nets.slim_compat import tf

DERIVE = backbones.get('vgg_300').imagenet.derive


def derived(variable, array):
    """The variable of the SSD, made from an array of the classifier."""
    return DERIVE[f'vgg_16/{variable}'][1](array)


def test_conv6_is_fc6_without_the_taps_between():
    """fc6 at twice its spacing (pool5 has lost its stride), with two of three taps zero, equals
    conv6 with dilation 6.
    """
    random = np.random.RandomState(0)
    fc6 = random.standard_normal((7, 7, 5, 8)).astype('f')
    image = random.standard_normal((1, 19, 19, 5)).astype('f')
    sparse = np.zeros_like(fc6)
    sparse[::3, ::3] = fc6[::3, ::3]
    every_fourth = tf.nn.conv2d(image, sparse, 1, 'SAME', dilations=2).numpy()[..., ::4]
    conv6 = tf.nn.conv2d(image, derived('conv6/weights', fc6), 1, 'SAME', dilations=6).numpy()
    np.testing.assert_allclose(conv6, every_fourth, atol=1e-4)


# Outputs, and gradients of the image and of the kernel, of the dilated convolution.
DILATED = '''
from nets.backbones import vgg
from nets.slim_compat import has_onednn, tf
class Layer(tf.Module):
    @tf.compat.v1.keras.utils.track_tf1_style_variables
    def __call__(self, image):
        with tf.compat.v1.variable_scope('vgg_16'):
            return vgg._dilated_conv2d(image, 4, 3, rate=6, scope='conv6')
layer, image = Layer(), tf.random.stateless_normal([2, 19, 19, 3], [0, 0])
layer(image)
for variable in layer.variables:
    variable.assign(tf.random.stateless_normal(variable.shape, [1, 1]))
with tf.GradientTape() as tape:
    tape.watch(image)
    total = tf.reduce_sum(layer(image) ** 2)
grads = tape.gradient(total, [image, *layer.variables])
print(has_onednn(), *sorted(v.name for v in layer.variables),
      *[f'{tf.norm(value):.4f}' for value in (total, *grads)])
'''


def test_conv6_learns_without_onednn_and_gives_the_same():
    """TensorFlow's own kernels for CPUs have no gradient of a dilated convolution."""
    found = [subprocess.run([sys.executable, '-c', DILATED], capture_output=True, text=True,
                            timeout=120, env=os.environ | {'TF_ENABLE_ONEDNN_OPTS': on})
             for on in '01']
    assert [run.returncode for run in found] == [0, 0], found[0].stderr + found[1].stderr
    without, usual = (run.stdout.split() for run in found)
    assert without[0] == 'False'
    assert without[1:3] == usual[1:3] == ['vgg_16/conv6/biases:0', 'vgg_16/conv6/weights:0']
    np.testing.assert_allclose([float(norm) for norm in without[3:]],
                               [float(norm) for norm in usual[3:]], rtol=1e-5)
    assert float(usual[3]) > 0 and len(usual) == 7


def test_conv7_joins_the_channels_that_conv6_kept():
    fc7 = np.arange(64).reshape(1, 1, 8, 8)
    assert derived('conv7/weights', fc7).tolist() == [[[[0, 4], [32, 36]]]]
    assert derived('conv6/biases', np.arange(8)).tolist() == [0, 4]
    assert derived('conv7/biases', np.arange(8)).tolist() == [0, 4]


@pytest.mark.parametrize(('variable', 'source'), [
    ('conv6/weights', 'fc6/weights'), ('conv6/biases', 'fc6/biases'),
    ('conv7/weights', 'fc7/weights'), ('conv7/biases', 'fc7/biases')])
def test_sources_of_the_derived_variables(variable, source):
    assert DERIVE[f'vgg_16/{variable}'][0] == f'vgg_16/{source}'


@pytest.mark.parametrize(('name', 'steps', 'grids'), [
    ('vgg_300', (8, 16, 32, 64, 100, 300), (38, 19, 10, 5, 3, 1)),
    ('vgg_512', (8, 16, 32, 64, 128, 256, 512), (64, 32, 16, 8, 4, 2, 1))])
def test_published_steps_and_grids(name, steps, grids):
    spec = backbones.get(name)
    assert spec.steps == steps
    assert spec.grids == grids
    assert spec.l2_norm == {'conv4_3': 20}
    assert not spec.extra_batch_norm
