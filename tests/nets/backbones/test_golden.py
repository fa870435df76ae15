"""With the same weights and input, activations equal those of the published definitions.

By default one depth of each ResNet runs; all of them with `-m slow`.
"""
import pytest

from nets import backbones
from nets.slim_compat import slim
from tests.nets.backbones.reference import BACKBONES, golden_error, golden_run, marks, published

# Of an end point's standard deviation. Agreement is about 1e-6; a wrong padding, stride, epsilon
# or activation shows as 1e-1.
TOLERANCE = 1e-3
# For some layers with heads the published data have no values, but the next end points, which are
# computed from them.
NEXT = {'postnorm': 'block4', 'Repeat': 'Mixed_6a'}


def cases():
    """Every spec with data except VGG (below); the deeper ResNets as slow tests."""
    for name, depth in BACKBONES:
        if not name.startswith('vgg'):
            yield pytest.param(name, depth, marks=marks(depth),
                               id=f'{name}-{depth}' if depth else name)


@pytest.mark.parametrize(('name', 'depth'), cases())
def test_golden_activations(name, depth):
    spec = backbones.get(name, depth)
    data = published(spec.imagenet.scope)
    if data is None:
        pytest.skip(
            f'no golden values: tests/data/slim/{spec.imagenet.scope}.json.gz, '
            'see benchmarks/make_golden.py'
        )
    points, expected = golden_run(spec, data['input']), data['end_points']
    errors = {
        layer: golden_error(point, expected[layer])
        for layer, point in points.items()
        if layer in expected
    }
    print({layer: f'{error:.1e}' for layer, error in errors.items()})
    needed = {NEXT.get(layer, layer.split('/')[0] if 'unit' in layer else layer)
              for layer in spec.feature_layers}
    assert needed <= set(errors)
    assert {layer: error for layer, error in errors.items() if not error < TOLERANCE} == {}


def test_golden_activations_of_vgg_with_the_classifier_s_pooling(monkeypatch):
    """slim's classifier drops the last odd row and column (75 -> 37) where SSD keeps them (38):
    pool here as the former.
    """
    padded = slim.max_pool2d

    @slim.add_arg_scope
    def max_pool2d(net, kernel, stride=2, padding='VALID', scope=None):
        return padded(
            net, kernel, stride=stride, padding='SAME' if stride == 1 else 'VALID', scope=scope
        )

    monkeypatch.setattr(slim, 'max_pool2d', max_pool2d)
    data = published('vgg_16')
    points = golden_run(backbones.get('vgg_300'), data['input'])
    errors = {layer: golden_error(points[layer], data['end_points'][f'{layer[:5]}/{layer}'])
              for layer in ('conv1_2', 'conv2_2', 'conv3_3', 'conv4_3', 'conv5_3')}
    print({layer: f'{error:.1e}' for layer, error in errors.items()})
    assert {layer: error for layer, error in errors.items() if not error < TOLERANCE} == {}
