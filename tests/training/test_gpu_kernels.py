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
from nets import anchors, backbones, ssd, targets
from nets.slim_compat import tf
from training.schedule import Schedule
from training.trainer import Trainer

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


def _leaves_the_gpu(operation):
    node, definition = operation.node_def, operation.op_def
    kernel = _gpu_kernel(node)
    return not kernel or any(
        name in kernel.host_memory_arg and _is_large(tensor)
        for name, tensor in [*_named(definition.input_arg, operation.inputs, node),
                             *_named(definition.output_arg, operation.outputs, node)])


@pytest.fixture(autouse=True)
def with_cuda():
    if not tf.test.is_built_with_cuda():
        pytest.skip('this TensorFlow was built without CUDA: it has no kernels for GPUs')


@pytest.mark.parametrize(('name', 'precision', 'options'), [
    ('mobilenet_v1', 'float16', {}),
    ('vgg_300', 'bfloat16', {'average': .9, 'clip': 1., 'accumulate': 2})])
def test_a_training_step_stays_on_the_gpu(name, precision, options):
    spec = backbones.get(name)
    trainer = Trainer(ssd.SSD(spec, 21, precision=precision).build(), Schedule(1e-3, 10), **options)
    batch = models.random_batch(spec, 4)
    classes, _ = targets.match(np.zeros([0, 4], 'f'), [], anchors.default_boxes(spec))
    assert batch['classes'].dtype == classes.dtype  # as in a training
    graph = trainer._step.get_concrete_function(batch, tf.constant(0.)).graph
    assert not graph.as_graph_def().library.function  # whose operations would be looked at too
    assert {op.type for op in graph.get_operations() if _leaves_the_gpu(op)} == set()


def test_detection_leaves_the_gpu_for_suppression_alone():
    spec = backbones.get('mobilenet_v1')
    images = tf.TensorSpec([4, 300, 300, 3], tf.uint8)
    function = tf.function(Detector(ssd.SSD(spec, 21).build()).detect, autograph=False)
    functions = function.get_concrete_function(images).graph.as_graph_def().library.function
    nodes = [node for inner in functions for node in inner.node_def]
    assert len(nodes) > 500
    assert {node.op for node in nodes if not _gpu_kernel(node)} == {'CombinedNonMaxSuppression'}


@pytest.mark.parametrize(('dtype', 'operation', 'leaves'), [
    ('uint8', lambda values: tf.split(values, 2), {'Split'}),  # has no kernel for GPUs
    ('int32', lambda values: values[0], {'StridedSlice', 'Identity'}),  # has, in host memory
    ('int64', lambda values: values[0], set())])
def test_what_leaves_the_gpu(dtype, operation, leaves):
    values = tf.TensorSpec([4, 99], dtype)
    graph = tf.function(operation, autograph=False).get_concrete_function(values).graph
    assert {op.type for op in graph.get_operations() if _leaves_the_gpu(op)} == leaves
