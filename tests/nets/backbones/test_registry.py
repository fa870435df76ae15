"""Every backbone of the registry is what its spec says; a new one is tested without a change.

The networks are traced, not run: in bfloat16, with float32 variables, at the spec's image size; for
inference the backbone alone, for training the whole SSD. The deeper ResNets are traced with
`-m slow`.
"""
import gc
import typing

import numpy as np
import pytest

from nets import anchors, backbones, ssd
from nets.slim_compat import tf
from tests.nets import receptive_field
from tests.nets.backbones.reference import BACKBONES, Body, marks, published

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
    """A spec, its body, and the function that returns what the SSD uses: feature layers, and
    where extra layers start.
    """
    spec: backbones.BackboneSpec
    body: Body
    function: typing.Any


class Training(typing.NamedTuple):
    """A spec, its SSD with 20 classes, and the function that returns logits and offsets."""
    spec: backbones.BackboneSpec
    model: ssd.SSD
    function: typing.Any


@pytest.fixture(
    scope='module',
    params=[pytest.param(key, marks=marks(key[1])) for key in BACKBONES],
    ids=lambda key: '-'.join(str(part) for part in key if part),
)
def traced(request):
    gc.collect()  # the network before this one, up to 240 MB of variables
    spec = backbones.get(*request.param)
    body = Body(spec, tf.bfloat16, layers=sorted({*spec.feature_layers, spec.extra_from}))
    return Traced(spec, body, body.trace([BATCH, spec.image_size, spec.image_size, 3]))


@pytest.fixture(scope='module', params=backbones.names())
def training(request):
    gc.collect()
    spec = backbones.get(request.param)
    model = ssd.SSD(spec, 21, precision='bfloat16')
    images = tf.TensorSpec([BATCH, spec.image_size, spec.image_size, 3])
    return Training(spec, model, tf.function(model).get_concrete_function(images, True))


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


def _within(training):
    """{id of a variable's tensor within the function: the variable}."""
    variables = {id(v.handle): v for v in training.model.variables}
    return {id(inside): variables[id(outside)]
            for outside, inside in training.function.graph.captures if id(outside) in variables}


def test_heads_fit_the_default_boxes(training):
    spec, model, function = training
    logits, offsets = function.structured_outputs
    boxes = len(anchors.default_boxes(spec))
    assert logits.shape == (BATCH, boxes, 21) and offsets.shape == (BATCH, boxes, 4)
    assert logits.dtype == offsets.dtype == tf.float32
    assert {v.dtype for v in model.variables} == {tf.float32}
    scopes = {v.name.split('/')[0] for v in model.variables}
    assert scopes == {'ssd', spec.imagenet.scope}
    scales = [v for v in model.variables if 'l2_norm' in v.name]
    assert [float(v[0]) for v in scales] == list(spec.l2_norm.values())


def test_training_moves_every_average(training):
    function = training.function
    moved = {id(op.inputs[0]) for op in function.graph.get_operations() if op.type in ASSIGNMENTS}
    assert moved == {key for key, v in _within(training).items() if '/moving_' in v.name}


def test_no_layer_waits_for_the_average_of_another(training):
    """Else TensorFlow fuses no batch norm with the relu after it."""
    _, _, function = training
    # From the tensors before the last: tf.function lets what it returns wait for all assignments.
    waiting = [tensor.op for output in function.graph.outputs for tensor in output.op.inputs]
    reached = set()
    while waiting:
        op = waiting.pop()
        if op not in reached:
            reached.add(op)
            waiting += [tensor.op for tensor in op.inputs] + op.control_inputs
    assert len(reached) > 50 and not ASSIGNMENTS & {op.type for op in reached}


def test_batch_norm_decay_is_the_published_one(training):
    spec, _, function = training
    variables = _within(training)
    # average -= (average - batch's) * (1 - decay)
    updates = [
        op.inputs[1].op
        for op in function.graph.get_operations()
        if op.type == 'AssignSubVariableOp'
        and not variables[id(op.inputs[0])].name.startswith('ssd/')
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


@pytest.fixture(scope='module')
def head_fields(training):
    """(spec, the receptive field of each head's cells)."""
    spec, _, function = training
    found = receptive_field.fields(function)
    heads = [op for op in function.graph.get_operations()
             if op.type == 'Conv2D' and '/logits/' in op.name]
    assert len(heads) == len(spec.grids)
    return spec, [found[head.outputs[0].ref()] for head in heads]


def test_every_head_sees_its_largest_box(head_fields):
    spec, fields = head_fields
    largest = [shapes.max() for shapes in anchors.layer_shapes(spec)]
    rows = zip(spec.head_layers, fields, largest, strict=True)
    assert [row for row in rows if row[1].size < row[2]] == []


def test_default_boxes_are_centred_near_what_the_cells_see(head_fields):
    """Exact with `first_centers`; an even grid, as published, is off by less than half a box."""
    spec, fields = head_fields
    for field, grid, step, first, shapes in zip(
            fields, spec.grids, spec.steps, spec.centers, anchors.layer_shapes(spec), strict=True):
        cells = np.arange(grid)
        off = np.abs(first + cells * step - (field.center + cells * field.jump)).max()
        assert off == 0 if first != step / 2 else off < shapes.min() / 2


@pytest.fixture(scope='module')
def averaging():
    """InceptionV4 with averaging kernels, of which the gradient of a cell shows what it sees."""
    body = Body(backbones.get('inception_v4'), layers=['Mixed_5e', 'Mixed_6a'])
    body(tf.zeros([1, 299, 299, 3]))
    for variable in body.variables:
        kind = variable.name.split('/')[-1]
        averaging = {'weights:0': 1 / np.prod(variable.shape[:3]), 'moving_variance:0': 1.}
        value = averaging.get(kind, 0.)
        variable.assign(np.full(variable.shape, value, np.float32))
    return body


@pytest.mark.parametrize('layer, jump, cell, center', [
    ('Mixed_5e', 8, 17, 149.5), ('Mixed_5e', 8, 8, 77.5), ('Mixed_6a', 16, 6, 117.5)])
def test_receptive_fields_are_where_gradients_come_from(averaging, layer, jump, cell, center):
    """The gradient of a cell is symmetric about its computed center."""
    # Random values: no ties in pools.
    image = np.random.default_rng(0).uniform(size=[1, 299, 299, 3])
    image = tf.Variable(image.astype(np.float32))
    with tf.GradientTape() as tape:
        value = tf.reduce_sum(averaging(image)[layer][0, cell, cell])
    weight = tf.reduce_sum(tape.gradient(value, image), [0, 2, 3]).numpy().astype(np.float64)
    found = np.sum(weight * (np.arange(299) + .5)) / weight.sum()
    assert found == pytest.approx(center, abs=jump / 4)


def test_pixels_and_checkpoint_are_named(traced):
    spec = traced.spec
    assert spec.name in backbones.names()
    assert spec.normalization in ('vgg', 'inception')
    assert spec.imagenet.file.endswith('.ckpt')
    assert spec.imagenet.url.startswith('http')


# 38*38*4 + 19*19*6 + 10*10*6 + 5*5*6 + 3*3*4 + 1*1*4 = 8732
# 64*64*4 + 32*32*6 + 16*16*6 + 8*8*6 + 4*4*6 + 2*2*4 + 1*1*4 = 24564
# 35*35*4 + 17*17*6 + 8*8*6 + 4*4*6 + 2*2*4 + 1*1*4 = 7134
@pytest.mark.parametrize(('name', 'boxes'), [
    ('vgg_300', 8732), ('vgg_512', 24564), ('resnet_v1', 8732), ('resnet_v2', 8732),
    ('mobilenet_v1', 8732), ('mobilenet_v2', 8732), ('inception_v4', 7134),
    ('inception_resnet_v2', 7134)])
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
