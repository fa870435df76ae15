"""A training step and detection stay on the GPU, as far as a machine without one can tell.

TensorFlow lists its kernels by device on every machine, and which of their inputs and outputs they
keep in the host's memory. What leaves the GPU is copied in each step, and the GPU waits.
"""
import functools
import importlib

import numpy as np
import pytest

from benchmarks import models
from detection.detector import Detector
from nets import anchors, backbones, postprocess, slim_compat, ssd, targets
from nets.slim_compat import tf
from training.schedule import Schedule
from training.trainer import Trainer

convert_variables_to_constants_v2 = importlib.import_module(
    'tensorflow.python.framework.convert_to_constants').convert_variables_to_constants_v2
function_def_to_graph = importlib.import_module(
    'tensorflow.python.framework.function_def_to_graph').function_def_to_graph

SMALL = 64  # numbers; shapes and sizes are computed on the host
registry = importlib.import_module('tensorflow.python.framework.kernels')


@functools.cache
def _gpu_kernels(operation):
    kernels = registry.get_registered_kernels_for_op(operation).kernel
    return [kernel for device in ('GPU', 'DEFAULT')
            for kernel in kernels if kernel.device_type == device]


def _gpu_kernel(node):
    """The kernel for the node's types, None where there is none."""
    def fits(constraint):
        given = node.attr[constraint.name]
        return set(given.list.type or [given.type]) <= set(constraint.allowed_values.list.type)
    return next((kernel for kernel in _gpu_kernels(node.op)
                 if all(map(fits, kernel.constraint))), None)


def _named(definitions, tensors, node):
    """(name of an input or output, tensor), of which a name may have several."""
    names = []
    for one in definitions:
        names += [one.name] * (node.attr[one.number_attr].i if one.number_attr else
                               len(node.attr[one.type_list_attr].list.type)
                               if one.type_list_attr else 1)
    return zip(names, tensors, strict=True)


def _is_large(tensor):
    numbers = tensor.shape.num_elements()
    return tensor.dtype != tf.resource and (numbers is None or numbers >= SMALL)


def _that_leave(operation):
    """Inputs and outputs in the host's memory; all of them where the GPU has no kernel."""
    node, definition = operation.node_def, operation.op_def
    kernel = _gpu_kernel(node)
    return [tensor for name, tensor in [*_named(definition.input_arg, operation.inputs, node),
                                        *_named(definition.output_arg, operation.outputs, node)]
            if not kernel or name in kernel.host_memory_arg and _is_large(tensor)]


def _leaves_the_gpu(operation):
    return not _gpu_kernel(operation.node_def) or _that_leave(operation) != []


@pytest.fixture(autouse=True)
def with_cuda():
    if not tf.test.is_built_with_cuda():
        pytest.skip('this TensorFlow was built without CUDA: it has no kernels for GPUs')


@pytest.mark.parametrize(('name', 'precision', 'options'), [
    ('mobilenet_v1', 'float16', {}),
    ('vgg_300', 'bfloat16', {'average': .9, 'clip': 1., 'accumulate': 2})])
def test_a_training_step_stays_on_the_gpu(name, precision, options, monkeypatch):
    monkeypatch.setattr(slim_compat, 'has_gpu', lambda: True)  # for gradients of biases
    spec = backbones.get(name)
    trainer = Trainer(ssd.SSD(spec, 21, precision=precision).build(), Schedule(1e-3, 10), **options)
    batch = models.random_batch(spec, 4)
    classes, _ = targets.match(np.zeros([0, 4], 'f'), [], anchors.default_boxes(spec))
    assert batch['classes'].dtype == classes.dtype  # as in a training
    graph = trainer._step.get_concrete_function(batch, tf.constant(0.)).graph
    assert not graph.as_graph_def().library.function  # whose operations would be looked at too
    assert {op.type for op in graph.get_operations() if _leaves_the_gpu(op)} == set()
    operations = {op.type for op in graph.get_operations()}
    assert ('BiasAddGrad' in operations) == (precision != 'bfloat16')


@pytest.fixture
def with_gpu(monkeypatch):
    monkeypatch.setattr(postprocess, 'has_gpu', lambda: True)


def _lowered(function):
    """The graph of a function with its loops and branches as the single operations that run."""
    return convert_variables_to_constants_v2(function.get_concrete_function(),
                                             lower_control_flow=True).graph


def test_detection_stays_on_the_gpu(with_gpu):
    detector = Detector(ssd.SSD(backbones.get('mobilenet_v1'), 21).build())
    graph = detector._detect.get_concrete_function().graph
    results = {tensor.op.name for tensor in graph.outputs if tensor.dtype == tf.int32}
    functions = [function_def_to_graph(each) for each in graph.as_graph_def().library.function]
    assert len(functions) == 4  # conditions and bodies of two loops, over slices and turns
    leaving = [op for one in (graph, *functions) for op in one.get_operations()
               if _leaves_the_gpu(op)]
    assert {op.name for op in leaving} == results and len(results) == 2  # classes and counts
    # In loops shapes are unknown. What leaves are the numbers of the turns, and whether to go on.
    lowered = _lowered(detector._detect)
    assert {'Enter', 'Switch', 'Merge', 'NextIteration', 'Exit', 'TopKV2'} < {
        op.type for op in lowered.get_operations()}
    assert {(op.type, tensor.dtype.name) for op in lowered.get_operations()
            for tensor in _that_leave(op) if tensor.dtype != tf.int32} == {
                ('Less', 'bool'), ('LoopCond', 'bool')}


def test_exports_keep_the_suppression_that_every_device_has(with_gpu):
    detector = Detector(ssd.SSD(backbones.get('mobilenet_v1'), 21).build())
    lacking = {op.type for op in _lowered(detector.portable).get_operations()
               if not _gpu_kernel(op.node_def)}
    assert lacking == {'CombinedNonMaxSuppression'}


@pytest.mark.parametrize(('dtype', 'operation', 'leaves'), [
    ('uint8', lambda values: tf.split(values, 2), {'Split'}),  # has no kernel for GPUs
    ('int32', lambda values: values[0], {'StridedSlice', 'Identity'}),  # has, in host memory
    ('int64', lambda values: values[0], set())])
def test_what_leaves_the_gpu(dtype, operation, leaves):
    values = tf.TensorSpec([4, 99], dtype)
    graph = tf.function(operation, autograph=False).get_concrete_function(values).graph
    assert {op.type for op in graph.get_operations() if _leaves_the_gpu(op)} == leaves
