"""Receptive fields of a traced network along the rows, from kernels, strides and paddings."""
import typing

from nets.slim_compat import tf

_WINDOWS = ('Conv2D', 'DepthwiseConv2dNative', 'MaxPool', 'AvgPool')


class Field(typing.NamedTuple):
    """Receptive field of a feature map's first cell.

    Attributes:
        first, last: its pixels; they may be outside of the image.
        jump: distance from one cell to the next, pixels.
    """
    first: float
    last: float
    jump: float

    @property
    def size(self) -> float:
        """Side of a cell's receptive field, pixels."""
        return self.last - self.first + 1

    @property
    def center(self) -> float:
        """Center of the first cell's receptive field, pixels from the edge of the image."""
        return (self.first + self.last + 1) / 2


def fields(function) -> dict:
    """{tensor reference: Field} of feature maps [B, H, W, D] of a concrete function(image, ...)."""
    found = {function.inputs[0].ref(): Field(0, 0, 1)}
    for operation in function.graph.get_operations():
        seen = [found[tensor.ref()] for tensor in operation.inputs if tensor.ref() in found]
        if not seen:
            continue
        assert len({field.jump for field in seen}) == 1, operation.name
        field = Field(min(f.first for f in seen), max(f.last for f in seen), seen[0].jump)
        if operation.type in _WINDOWS:
            field = _window(operation, field)
        elif operation.type == 'Pad':
            before = int(tf.get_static_value(operation.inputs[1])[1, 0]) * field.jump
            field = field._replace(first=field.first - before, last=field.last - before)
        for tensor in operation.outputs:
            if tensor.shape.rank == 4:
                found[tensor.ref()] = field
    return found


def _window(operation, field):
    rows = operation.inputs[0].shape[1]
    pool = operation.type.endswith('Pool')
    kernel = operation.get_attr('ksize')[1] if pool else operation.inputs[1].shape[0]
    reach = (kernel - 1) * (1 if pool else operation.get_attr('dilations')[1])
    stride = operation.get_attr('strides')[1]
    before = 0
    if operation.get_attr('padding') == b'SAME':
        before = max((-(-rows // stride) - 1) * stride + reach + 1 - rows, 0) // 2
    return Field(field.first - before * field.jump, field.last + (reach - before) * field.jump,
                 field.jump * stride)
