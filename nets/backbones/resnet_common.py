"""What ResNet v1 and v2 share.

Behaviour as in research/slim/nets/resnet_utils.py of tensorflow/models.
"""
import contextlib
from collections.abc import Callable, Iterator, Mapping

from nets.backbones.common import conv_bn_scope
from nets.slim_compat import slim, tf
from nets.spec import BackboneSpec, ExtraLayer, ImageNetCheckpoint

# Units of block1 ... block4. Depth = 1 + 3 * units + 1 layers with weights (the last: classifier).
UNITS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
# (bottleneck depth, stride) of block1 ... block4. The output of a block has 4 times that depth. The
# *last* unit of a block has the stride (in the paper, the first): block1 ends at stride 8, block3
# and block4 at 32.
_BLOCKS = ((64, 2), (128, 2), (256, 2), (512, 1))


def blocks(depth: int) -> Iterator[tuple[str, list[tuple[int, int]]]]:
    """Yields (block's name, [(bottleneck depth, stride) of each unit]) for block1 ... block4."""
    rows = zip(UNITS[depth], _BLOCKS, strict=True)
    for i, (units, (bottleneck, stride)) in enumerate(rows, start=1):
        yield f'block{i}', [(bottleneck, 1)] * (units - 1) + [(bottleneck, stride)]


def scope(is_training: bool,
          batch_norm_decay: float | None) -> contextlib.AbstractContextManager[None]:
    """slim's resnet_arg_scope. Weight decay: see training.trainer."""
    return conv_bn_scope(
        is_training, decay=0.997 if batch_norm_decay is None else batch_norm_decay, epsilon=1e-5,
        scale=True, initializer=slim.variance_scaling_initializer(), activation=tf.nn.relu)


def subsample(net: tf.Tensor, stride: int) -> tf.Tensor:
    """Each `stride`-th pixel: [B, H, W, D] -> [B, ceil(H / stride), ceil(W / stride), D]."""
    return net if stride == 1 else slim.max_pool2d(net, 1, stride=stride)


def conv2d_same(net: tf.Tensor, depth: int, kernel: int, stride: int, scope: str,
                **options: object) -> tf.Tensor:
    """Convolution, [B, H, W, D] -> [B, ceil(H / stride), ceil(W / stride), depth].

    TensorFlow's SAME with stride 2 centers its windows on the odd pixels of an even image and on
    the even pixels of an odd one. Here the padding does not depend on the size of the image: the
    output is always every second pixel of the output with stride 1. **options: of slim.conv2d.
    """
    if stride == 1:
        return slim.conv2d(net, depth, kernel, scope=scope, **options)
    before, after = (kernel - 1) // 2, kernel // 2
    net = tf.pad(net, [[0, 0], [before, after], [before, after], [0, 0]])
    return slim.conv2d(net, depth, kernel, stride=stride, padding='VALID', scope=scope, **options)


def spec(name: str, depth: int, builder: Callable[..., dict[str, tf.Tensor]], feature_layers: str,
         last: str, normalization: str, parameters: Mapping[int, int], date: str) -> BackboneSpec:
    """Returns the spec of a ResNet: heads at 38, 19 and 10 cells, and on three extra layers.

    The first two heads are before the last unit of block2 and of block3, which halves the grid.
    Caffe's own ResNet SSD (examples/ssd/ssd_pascal_resnet.py) and NVIDIA's start at 38 cells too.
    Heads after these blocks, at 19 and 10, would lose most objects below 30 pixels: .329 of them
    would have a default box with an IoU of .5, instead of .621.

    Args:
        name: of the backbone.
        depth: 50, 101 or 152.
        builder: as of BackboneSpec.
        feature_layers: format of an end point's name, such as '{block}/unit_{unit}'.
        last: end point of the last block.
        normalization: a word of preprocessing.normalize.
        parameters: depth -> exact number.
        date: of the published checkpoints.

    Raises:
        ValueError: unknown depth; the message lists the known ones.
    """
    if depth not in UNITS:
        raise ValueError(f"unknown depth {depth} of backbone '{name}'; "
                         f"known: {', '.join(map(str, UNITS))}")
    units = UNITS[depth]
    return BackboneSpec(
        name=name,
        builder=builder,
        image_size=300,
        feature_layers=(feature_layers.format(block='block2', unit=units[1] - 1),
                        feature_layers.format(block='block3', unit=units[2] - 1), last),
        extra_from=last,
        grids=(38, 19, 10, 5, 3, 1),
        extra_layers=(
            ExtraLayer(256, 512),
            ExtraLayer(128, 256),
            ExtraLayer(128, 256, stride=1, padding='VALID'),
        ),
        normalization=normalization,
        imagenet=ImageNetCheckpoint(
            file=f'{name}_{depth}.ckpt',
            scope=f'{name}_{depth}',
            url='https://storage.googleapis.com/download.tensorflow.org/models/'
                f'{name}_{depth}_{date}.tar.gz',
        ),
        parameters=parameters[depth],
    )
