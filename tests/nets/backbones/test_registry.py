"""Every backbone of the registry is what its spec says; a new one is tested without a change.

The networks are traced, not run: in bfloat16, with float32 variables, at the size of the record.
"""
import gc
import typing

import numpy as np
import pytest

from nets import backbones
from nets.slim_compat import tf
from tests.nets.backbones.reference import RECORDS, Body, published

BATCH = 2
ASSIGNMENTS = {'AssignVariableOp', 'AssignAddVariableOp', 'AssignSubVariableOp'}
# As the training scripts of the published checkpoints set it; VGG has no batch norm, a new
# backbone is not checked.
PUBLISHED_DECAY = {
    'resnet_v1': 0.997,
    'resnet_v2': 0.997,
    'mobilenet_v1': 0.9997,
    'mobilenet_v2': 0.997,
    'inception_v4': 0.9997,
    'inception_resnet_v2': 0.9997,
}


class Traced(typing.NamedTuple):
    """A record, its body, and the function that returns what the SSD uses: feature layers, and
    where extra layers start.
    """
    spec: backbones.BackboneSpec
    body: Body
    function: typing.Any


def trace(name, depth=None, is_training=False):
    gc.collect()  # the network before this one, up to 240 MB of variables
    spec = backbones.get(name, depth)
    body = Body(spec, tf.bfloat16, layers=sorted({*spec.feature_layers, spec.extra_from}))
    return Traced(spec, body, body.trace([BATCH, spec.image_size, spec.image_size, 3], is_training))


@pytest.fixture(
    scope='module',
    params=RECORDS,
    ids=lambda record: '-'.join(str(part) for part in record if part),
)
def traced(request):
    return trace(*request.param)


@pytest.fixture(scope='module', params=backbones.names())
def training(request):
    return trace(request.param, is_training=True)


def test_feature_maps_have_the_grids_of_the_record(traced):
    spec, _, function = traced
    for layer, grid in zip(spec.feature_layers, spec.grids, strict=False):
        assert function.structured_outputs[layer].shape.as_list()[:3] == [BATCH, grid, grid], layer


def test_activations_are_bfloat16_and_variables_float32(traced):
    _, body, function = traced
    assert {point.dtype for point in function.structured_outputs.values()} == {tf.bfloat16}
    assert {variable.dtype for variable in body.variables} == {tf.float32}


def test_parameter_count_is_the_record_s(traced):
    spec, body, _ = traced
    assert sum(int(np.prod(variable.shape)) for variable in body.variables) == spec.parameters


def test_names_stand_under_the_checkpoint_s_scope(traced):
    spec, body, _ = traced
    assert [
        other for other in body.by_name() if not other.startswith(spec.imagenet.scope + '/')
    ] == []


def test_every_variable_feeds_what_the_ssd_uses(traced):
    _, body, function = traced
    placeholders = {id(outside): inside for outside, inside in function.graph.captures}
    reached, waiting = set(), list(function.graph.outputs)
    while waiting:
        tensor = waiting.pop()
        if tensor.ref() not in reached:
            reached.add(tensor.ref())
            waiting += tensor.op.inputs
    assert [v.name for v in body.variables if placeholders[id(v.handle)].ref() not in reached] == []


def test_inference_changes_no_variable(traced):
    _, _, function = traced
    assert [op.name for op in function.graph.get_operations() if op.type in ASSIGNMENTS] == []


def test_training_moves_every_average(training):
    _, body, function = training
    moved = {id(op.inputs[0]) for op in function.graph.get_operations() if op.type in ASSIGNMENTS}
    averages = {id(inside) for outside, inside in function.graph.captures
                for v in body.variables if v.handle is outside and '/moving_' in v.name}
    assert moved == averages


def test_batch_norm_decay_is_the_published_one(training):
    spec, _, function = training
    # average -= (average - batch's) * (1 - decay)
    updates = [
        op.inputs[1].op
        for op in function.graph.get_operations()
        if op.type == 'AssignSubVariableOp'
    ]
    rates = {float(tf.get_static_value(update.inputs[1])) for update in updates}
    expected = [1 - PUBLISHED_DECAY[spec.name]] if spec.name in PUBLISHED_DECAY else rates
    assert list(rates) == pytest.approx(list(expected), rel=1e-3)


def test_restores_completely_from_the_published_checkpoint(traced):
    """Names and shapes, exactly the part that is used: nothing less, and nothing that the
    checkpoint could not fill.
    """
    spec, body, _ = traced
    scope, derive = spec.imagenet.scope, spec.imagenet.derive
    data = published(scope)
    if data is None:
        pytest.skip(
            f'no list of the published variables: tests/data/slim/{scope}.json.gz, '
            'see benchmarks/make_golden.py'
        )
    sources = {source for source, _ in derive.values()}
    left_out = tuple(f'{scope}/{beginning}' for beginning in data['left_out'])
    expected = {
        other: shape
        for other, shape in data['variables'].items()
        if other.startswith(scope + '/') and not other.startswith(left_out) and other not in sources
    }
    for variable, (source, function) in derive.items():
        array = np.broadcast_to(np.float32(0), data['variables'][source])
        expected[variable] = list(function(array).shape)
    assert {
        other: variable.shape.as_list() for other, variable in body.by_name().items()
    } == expected


def test_default_boxes_are_the_sum_over_the_heads(traced):
    spec = traced.spec
    heads = len(spec.feature_layers) + len(spec.extra_layers)
    assert (
        len(spec.head_layers)
        == len(spec.grids)
        == len(spec.steps)
        == len(spec.aspect_ratios)
        == heads
    )
    assert spec.num_default_boxes == sum(
        grid**2 * (2 + 2 * len(ratios))
        for grid, ratios in zip(spec.grids, spec.aspect_ratios, strict=True)
    )


def test_extra_layers_reach_the_grids_of_the_record(traced):
    spec, _, function = traced
    side = function.structured_outputs[spec.extra_from].shape[1]
    reached = []
    for layer in spec.extra_layers:
        if layer.padding == 'SAME':
            side = -(-side // layer.stride)
        else:
            pads = 2 * layer.pad if layer.padding == 'EXPLICIT' else 0
            side = (side + pads - layer.kernel) // layer.stride + 1
        reached.append(side)
    assert tuple(reached) == spec.grids[len(spec.feature_layers):]


def test_steps_cover_the_image(traced):
    spec = traced.spec
    assert [grid for grid, step in zip(spec.grids, spec.steps, strict=True)
            if abs(grid * step - spec.image_size) > 0.1 * spec.image_size] == []


def test_pixels_and_checkpoint_are_named(traced):
    spec = traced.spec
    assert spec.name in backbones.names()
    assert spec.normalization in ('vgg', 'inception')
    assert spec.imagenet.file.endswith('.ckpt')
    assert spec.imagenet.url.startswith('http')


# 38*38*4 + 19*19*6 + 10*10*6 + 5*5*6 + 3*3*4 + 1*1*4 = 8732
# 64*64*4 + 32*32*6 + 16*16*6 + 8*8*6 + 4*4*6 + 2*2*4 + 1*1*4 = 24564
# 19*19*4 + 10*10*6 + 10*10*6 + 5*5*6 + 3*3*4 + 1*1*4 = 2834
# 17*17*4 + 17*17*6 + 8*8*6 + 8*8*6 + 4*4*4 + 2*2*4 = 3738
# 71*71*4 + 35*35*6 + 17*17*6 + 8*8*6 + 4*4*4 + 2*2*4 = 29712
@pytest.mark.parametrize(
    ('name', 'boxes'),
    [
        ('vgg_300', 8732),
        ('vgg_512', 24564),
        ('resnet_v1', 2834),
        ('resnet_v2', 2834),
        ('mobilenet_v1', 8732),
        ('mobilenet_v2', 8732),
        ('inception_v4', 3738),
        ('inception_resnet_v2', 29712),
    ],
)
def test_published_default_box_counts(name, boxes):
    assert backbones.get(name).num_default_boxes == boxes


def test_depths():
    assert backbones.depths('resnet_v2') == (50, 101, 152) and backbones.depths('vgg_300') == (
        None,
    )
    assert backbones.get('resnet_v1').imagenet.scope == 'resnet_v1_50'
    assert backbones.get('resnet_v1', 152).imagenet.scope == 'resnet_v1_152'
    assert backbones.get('vgg_300', 101) == backbones.get('vgg_300')


def test_an_unknown_depth_lists_the_known_ones():
    with pytest.raises(ValueError, match='unknown depth 34 .* known: 50, 101, 152'):
        backbones.get('resnet_v1', 34)
