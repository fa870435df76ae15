"""A network for inference: fixed weights, and batch norm folded into the convolution before it.

Batch norm in inference mode is y = (x - mean) * gamma / sqrt(variance + epsilon) + beta. Where x
comes from a convolution without bias, the factor goes into the kernel and the rest is a bias. In
float32 TensorFlow does that by itself while it runs, but not for depth-wise convolutions, and not
in bfloat16. docs/inference.md has the figures.

One kind of network must not be folded: TensorFlow 2.21's own optimiser breaks a depth-wise
convolution whose bias leads straight into a sum. All backbones here have an activation between.
"""
from collections.abc import Callable

import tensorflow as tf

_CONVOLUTIONS = ('Conv2D', 'DepthwiseConv2dNative')
_CONVERSIONS = ('Identity', 'Cast')


def fold(function: Callable[[tf.Tensor], tuple[tf.Tensor, ...]],
         signature: tf.TensorSpec) -> Callable[[tf.Tensor], tuple[tf.Tensor, ...]]:
    """Makes a function that computes the same with the present values of the variables.

    Args:
        function: tensor -> tuple of tensors, of stateless operations; batch norm in inference mode.
        signature: of its input; a dimension may be None.

    Returns:
        A function for use inside a tf.function.
    """
    traced = tf.function(function, autograph=False).get_concrete_function(signature)
    values = _read_variables(traced)
    biases = _fold_batch_norm(traced.graph, values)
    _convert(traced.graph, values)
    graph = _with_biases(traced.graph, biases, values)
    used = {source for node in graph.node for source in node.input}
    fixed = {name: value for name, value in (values | biases).items() if name in used}
    # Without the Identity that tf.function adds.
    results = [tensor.op.inputs[0].name for tensor in traced.outputs]

    def folded(inputs):
        known = {name: tf.convert_to_tensor(value) for name, value in fixed.items()}
        known[traced.inputs[0].op.name] = inputs
        return tuple(tf.graph_util.import_graph_def(graph, known, results, name='folded'))

    return folded


def _read_variables(traced):
    """{operation: value} of each that reads a variable, by name."""
    names = (tensor.name for tensor in traced.inputs[1:])
    captured = dict(zip(names, traced.captured_inputs, strict=True))
    return {read.name: tf.raw_ops.ReadVariableOp(resource=captured[read.inputs[0].name],
                                                 dtype=read.get_attr('dtype'))
            for read in traced.graph.get_operations() if read.type == 'ReadVariableOp'}


def _fold_batch_norm(graph, values):
    """Multiplies kernels in `values`; returns {batch norm: bias [D]} of what is folded, by name.

    Some batch norms stay: ResNet v2 normalizes sums, before its convolutions.
    """
    biases = {}
    for norm in graph.get_operations():
        if norm.type == 'FusedBatchNormV3' and _follows_convolution(norm):
            convolution = norm.inputs[0].op
            gamma, beta, mean, variance = (_value(tensor, values) for tensor in norm.inputs[1:])
            factor = gamma / tf.sqrt(variance + norm.get_attr('epsilon'))
            kernel = _origin(convolution.inputs[1]).name
            # Output channels are the last dimension; if depth-wise [h, w, D, 1] the last two.
            depthwise = convolution.type == 'DepthwiseConv2dNative'
            values[kernel] *= tf.reshape(factor, values[kernel].shape[2:] if depthwise else [-1])
            biases[_bias(norm.name)] = tf.cast(beta - mean * factor, norm.inputs[0].dtype)
    return biases


def _follows_convolution(norm):
    """Whether the batch norm takes a convolution's output that nothing else takes."""
    return norm.inputs[0].op.type in _CONVOLUTIONS and len(norm.inputs[0].consumers()) == 1


def _origin(tensor):
    """The operation whose value a tensor is, perhaps in another number format."""
    operation = tensor.op
    while operation.type in _CONVERSIONS:
        operation = operation.inputs[0].op
    return operation


def _value(tensor, values):
    """Of a variable that is read, or of a constant, as slim's gamma without `scale` is."""
    origin = _origin(tensor)
    return values[origin.name] if origin.name in values else tf.get_static_value(origin.outputs[0])


def _convert(graph, values):
    """Adds to `values` what the graph converts of them, so that it is done once."""
    for operation in graph.get_operations():
        if operation.type in _CONVERSIONS and operation.inputs[0].op.name in values:
            value = values[operation.inputs[0].op.name]
            values[operation.name] = tf.cast(value, operation.outputs[0].dtype)


def _with_biases(graph, biases, values):
    """The GraphDef with additions in place of folded batch norms, without what `values` stand for.

    Nor has it the order in which tf.function accesses variables (inputs with '^').
    """
    result = tf.compat.v1.GraphDef()
    for node in graph.as_graph_def().node:
        if node.op not in ('Placeholder', 'NoOp') and node.name not in values:
            node.input[:] = [source for source in node.input if not source.startswith('^')]
            if _bias(node.name) in biases:
                _add_instead(node)
            result.node.append(node)
    return result


def _add_instead(norm):
    norm.op = 'BiasAdd'
    norm.input[1:] = [_bias(norm.name)]
    for attribute in set(norm.attr) - {'T', 'data_format'}:
        del norm.attr[attribute]


def _bias(norm):
    """Name of what is added in place of the batch norm of that name."""
    return norm + '/bias'
