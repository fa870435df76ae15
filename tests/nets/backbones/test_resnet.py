"""The ResNets' own: padding, the place of the strides, and what the heads of v2 see."""
import numpy as np
import pytest

from nets import backbones
from nets.backbones import resnet_common
from nets.slim_compat import tf
from tests.nets.backbones.reference import Body, golden_input, golden_value


@pytest.mark.parametrize('side', [9, 10])
@pytest.mark.parametrize('kernel', [3, 7])
def test_a_strided_convolution_is_the_dense_one_at_each_second_pixel(side, kernel):
    class Convolution(tf.Module):
        @tf.compat.v1.keras.utils.track_tf1_style_variables
        def __call__(self, images, stride):
            return resnet_common.conv2d_same(
                images, 4, kernel, stride, scope='conv', activation_fn=None
            )

    convolution = Convolution()
    images = tf.constant(golden_input([1, side, side, 3]))
    dense, strided = convolution(images, 1), convolution(images, 2)
    np.testing.assert_allclose(strided, dense[:, ::2, ::2], atol=1e-5)
    assert len(convolution.variables) == 2


def test_subsample_takes_each_second_pixel():
    image = np.arange(25, dtype='f').reshape(1, 5, 5, 1)
    assert resnet_common.subsample(tf.constant(image), 2).numpy().ravel().tolist() == [
        0,
        2,
        4,
        10,
        12,
        14,
        20,
        22,
        24,
    ]


def test_the_stride_stands_at_the_end_of_a_block():
    assert dict(resnet_common.blocks(50)) == {
        'block1': [(64, 1), (64, 1), (64, 2)],
        'block2': [(128, 1), (128, 1), (128, 1), (128, 2)],
        'block3': [(256, 1)] * 5 + [(256, 2)],
        'block4': [(512, 1), (512, 1), (512, 1)],
    }


@pytest.mark.parametrize('depth', backbones.depths('resnet_v1'))
def test_depth_counts_the_layers_with_weights(depth):
    first_and_classifier, convolutions_per_unit = 2, 3
    assert first_and_classifier + convolutions_per_unit * sum(resnet_common.UNITS[depth]) == depth


def test_every_depth_can_be_chosen():
    assert backbones.depths('resnet_v1') == tuple(resnet_common.UNITS) == (50, 101, 152)


def test_heads_of_v2_see_the_sums_after_batch_norm_and_relu():
    spec = backbones.get('resnet_v2', 50)
    body = Body(spec)
    run = body.trace([1, 64, 64, 3])
    variables = body.by_name()
    for name, variable in variables.items():
        variable.assign(golden_value(name, variable.shape.as_list()))
    images = tf.constant(golden_input([1, 64, 64, 3]))
    points = {name: point.numpy() for name, point in run(images).items()}
    assert spec.feature_layers == ('block2/unit_3', 'block3/unit_5', 'postnorm')
    gamma, beta, mean, variance = (variables[f'resnet_v2_50/postnorm/{name}'].numpy()
                                   for name in ('gamma', 'beta', 'moving_mean', 'moving_variance'))
    expected = np.maximum(0, (points['block4'] - mean) / np.sqrt(variance + 1e-5) * gamma + beta)
    np.testing.assert_allclose(points['postnorm'], expected, atol=1e-4 * expected.std())
    convolutions = {op.name: op for op in run.graph.get_operations() if op.type == 'Conv2D'}
    for tap, reader in (('block2/unit_3', 'block2/unit_4'), ('block3/unit_5', 'block3/unit_6')):
        read = convolutions[f'resnet_v2_50/{reader}/bottleneck_v2/conv1/Conv2D'].inputs[0]
        assert read.op.type == 'Relu' and read is run.structured_outputs[tap].op.inputs[0]


@pytest.mark.parametrize('name, depth, layers', [
    ('resnet_v1', 50, ('block2/unit_3', 'block3/unit_5', 'block4')),
    ('resnet_v1', 152, ('block2/unit_7', 'block3/unit_35', 'block4')),
    ('resnet_v2', 101, ('block2/unit_3', 'block3/unit_22', 'postnorm'))])
def test_heads_stand_before_the_strides(name, depth, layers):
    assert backbones.get(name, depth).feature_layers == layers
