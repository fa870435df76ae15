"""A checkpoint of the published names and shapes fills every backbone; what is missing is listed.

The large ones are written and read with `-m slow`: half a gigabyte for VGG, whose fc6 has 103
million weights.
"""
import types

import numpy as np
import pytest

from checkpoints import io as checkpoint
from nets import backbones, ssd
from tests.nets.backbones.reference import BACKBONES, published
from training import starting_point
from utils.choices import EXISTING, STEP1
from utils.errors import CheckpointError

QUICK = ('mobilenet_v1', 'mobilenet_v2')


def _write(folder, scope, without=()):
    """A classifier's checkpoint: in each variable, one number that no other has. -> (prefix,
    {name: that number}).
    """
    shapes = {
        name: shape for name, shape in published(scope)['variables'].items() if name not in without
    }
    numbers = {name: float(number) for number, name in enumerate(sorted(shapes), start=1)}
    values = {name: np.full(shape, numbers[name], np.float32) for name, shape in shapes.items()}
    return checkpoint.save(folder, 0, values), numbers


def _restore(spec, prefix, imagenet=True):
    model = ssd.SSD(spec, 4).build()
    start = starting_point.Start(spec, prefix, imagenet=imagenet)
    trainer = types.SimpleNamespace(model=model, average=types.SimpleNamespace(start=lambda: None))
    return model, starting_point.restore(start, trainer)


@pytest.mark.parametrize(
    ('name', 'depth'),
    [
        pytest.param(
            *backbone,
            marks=[] if backbone[0] in QUICK else pytest.mark.slow,
            id='-'.join(str(p) for p in backbone if p),
        )
        for backbone in BACKBONES
    ],
)
def test_published_checkpoint_fills_the_backbone(name, depth, tmp_path):
    spec = backbones.get(name, depth)
    prefix, numbers = _write(tmp_path, spec.imagenet.scope)
    model, (text, _) = _restore(spec, prefix)
    body = [v for v in model.variables if v.name.startswith(spec.imagenet.scope + '/')]
    assert f'restored {len(body)} variables' in text and 'start fresh' not in text
    for variable in body:
        own = checkpoint.variable_name(variable)
        source = spec.imagenet.derive.get(own, (own, None))[0]
        assert (
            float(np.ptp(variable.numpy())) == 0
            and float(np.ravel(variable.numpy())[0]) == numbers[source]
        ), own


def test_what_lacks_is_listed(tmp_path):
    spec = backbones.get('mobilenet_v1')
    lacking = [
        'MobilenetV1/Conv2d_3_pointwise/weights',
        'MobilenetV1/Conv2d_3_pointwise/BatchNorm/gamma',
    ]
    prefix, _ = _write(tmp_path, spec.imagenet.scope, without=lacking)
    with pytest.raises(
        CheckpointError,
        match='does not fill the backbone.*2 start fresh.*'
        r'MobilenetV1/Conv2d_3_pointwise \(2\)',
    ):
        _restore(spec, prefix)


@pytest.mark.parametrize('mode', [STEP1, EXISTING])
def test_another_network_is_refused(mode, tmp_path):
    prefix, _ = _write(tmp_path, 'MobilenetV2')
    with pytest.raises(
        CheckpointError,
        match=r'holds no variable of mobilenet_v1 \(scope MobilenetV1\); '
        'its network is --backbone_network=ssd_mobilenet_v2$',
    ):
        starting_point.choose(mode, backbones.get('mobilenet_v1'), 'out', prefix, False, ['a'])


def test_a_backbone_of_another_width_is_refused(tmp_path):
    """As MobilenetV1 0.75: the same names, other shapes. It would train from random weights."""
    spec = backbones.get('mobilenet_v1')
    prefix = checkpoint.save(tmp_path, 0, {'MobilenetV1/Conv2d_0/weights': np.zeros([3, 3, 3, 24])})
    with pytest.raises(CheckpointError, match=r'does not fill the backbone\. restored 0 variables'):
        _restore(spec, prefix, imagenet=False)
