"""The networks of two published SSD projects, written from their facts, without nets/.

Layers, padding, default boxes, orders and decoding are those of balancap/SSD-Tensorflow and
HiKapok/SSD.TensorFlow.
"""
import gzip
import json
import pathlib

import numpy as np
import tensorflow as tf

DATA = pathlib.Path(__file__).parents[1] / 'data/published'
_BODY = [f'conv{block}/conv{block}_{i + 1}'
         for block, layers in enumerate((2, 2, 3, 3, 3), start=1) for i in range(layers)]


def shapes(name):
    """{variable: shape} of a published checkpoint, as its .index file has them."""
    return json.loads(gzip.decompress((DATA / f'{name}.json.gz').read_bytes()))


def values(name, seed=0):
    """A random checkpoint of those names and shapes, slots included, with bounded activations."""
    random = np.random.default_rng(seed)
    return {variable: _value(random, variable.removesuffix('/Momentum'), shape)
            for variable, shape in shapes(name).items()}


def _value(random, variable, shape):
    value = random.standard_normal(shape, np.float32)
    if variable == 'global_step':
        return np.int64(120000)
    if len(shape) == 4:
        pixels = 64 if shape[2] == 3 else 1  # they reach 128
        return value * np.sqrt(2 / np.prod(shape[:3]), dtype='f') / pixels
    if variable.endswith(('conv4_3_scale/weights', 'L2Normalization/gamma')):
        return 20 + value
    if variable.endswith(('batch_normalization/gamma', 'moving_variance')):
        return 1 + .2 * np.tanh(value)
    return .1 * value


class Network:
    """network(image) -> probabilities [K, C], boxes [K, 4] and default boxes [K, 4], in its order.

    Boxes are ymin, xmin, ymax, xmax, default boxes cy, cx, h, w.
    image: uint8 RGB [1, S, S, 3].  values: {variable: array}.
    """

    def __init__(self, values):
        self.values = values

    def __call__(self, image):
        layers = self.layers(self.pixels(tf.cast(image, tf.float32)))
        heads = [self.head(net, *names, np.array(cell), step)
                 for net, names, cell, step in zip(layers, self.heads, self.cells, self.steps,
                                                   strict=True)]
        return [np.concatenate(parts) for parts in zip(*heads, strict=True)]

    def convolve(self, net, layer, stride=1, rate=1, padding='SAME', relu=True):
        kernel, bias = (self.values[f'{self.scope}/{layer}/{part}'] for part in self.parts)
        net = tf.nn.conv2d(net, kernel, stride, padding, dilations=rate) + bias
        normal = f'{self.scope}/{layer}/batch_normalization'
        if f'{normal}/gamma' in self.values:
            gamma, beta, mean, variance = (self.values[f'{normal}/{part}'] for part in (
                'gamma', 'beta', 'moving_mean', 'moving_variance'))
            net = (net - mean) / np.sqrt(variance + 1e-5) * gamma + beta
        return tf.nn.relu(net) if relu else net

    def vgg(self, net):
        """-> conv4_3 after its L2 norm, and fc7."""
        for layer in _BODY:
            if layer.endswith('_1') and layer != 'conv1/conv1_1':
                net = tf.nn.max_pool2d(net, 2, 2, 'SAME')
            net = self.convolve(net, layer)
            if layer == 'conv4/conv4_3':
                scale = self.values[f'{self.scope}/{self.scale}']
                conv4_3 = net / tf.sqrt(tf.reduce_sum(net ** 2, axis=-1, keepdims=True)) * scale
        net = tf.nn.max_pool2d(net, 3, 1, 'SAME')
        return conv4_3, self.convolve(self.convolve(net, self.reduced[0], rate=6), self.reduced[1])

    def head(self, net, location, classes, cell, step):
        """cell: heights and widths of a cell's boxes, pixels."""
        grid, count = net.shape[1], len(cell)
        offsets = self.convolve(net, location, relu=False).numpy().reshape(grid, grid, count, 4)
        logits = self.convolve(net, classes, relu=False).numpy().reshape(grid * grid * count, -1)
        y, x = (np.mgrid[:grid, :grid][..., None] + .5) * step
        defaults = np.stack(np.broadcast_arrays(y, x, *cell.T), axis=-1)
        dy, dx, dh, dw = (offsets[..., self.order.index(name)] for name in ('cy', 'cx', 'h', 'w'))
        height, width = cell[:, 0] * np.exp(.2 * dh), cell[:, 1] * np.exp(.2 * dw)
        y, x = y + .1 * dy * cell[:, 0], x + .1 * dx * cell[:, 1]
        found = np.stack([y - height / 2, x - width / 2, y + height / 2, x + width / 2], axis=-1)
        found, defaults = (each.reshape(-1, 4) / self.size for each in (found, defaults))
        return tf.nn.softmax(logits).numpy(), found, defaults


class Balancap300(Network):
    scope, parts = 'ssd_300_vgg', ('weights', 'biases')
    scale, reduced = 'block4_box/L2Normalization/gamma', ('conv6', 'conv7')
    order, size = ('cx', 'cy', 'w', 'h'), 300
    blocks = ('block8', 'block9', 'block10', 'block11')
    strided = ('block8', 'block9')
    steps = (8, 16, 32, 64, 100, 300)
    sizes = ((21, 45), (45, 99), (99, 153), (153, 207), (207, 261), (261, 315))
    ratios = ((2, .5), (2, .5, 3, 1 / 3), (2, .5, 3, 1 / 3), (2, .5, 3, 1 / 3), (2, .5), (2, .5))

    @property
    def heads(self):
        return [(f'{block}_box/conv_loc', f'{block}_box/conv_cls')
                for block in ('block4', 'block7', *self.blocks)]

    @property
    def cells(self):
        return [[(low, low), ((low * high) ** .5,) * 2,
                 *((low / r ** .5, low * r ** .5) for r in ratios)]
                for (low, high), ratios in zip(self.sizes, self.ratios, strict=True)]

    def pixels(self, image):
        return image - [123., 117., 104.]

    def layers(self, image):
        found = list(self.vgg(image))
        for block in self.blocks:
            found.append(self.block(self.convolve(found[-1], f'{block}/conv1x1'), block))
        return found

    def block(self, net, block):
        if block in self.strided:
            return self.convolve(_pad(net), f'{block}/conv3x3', stride=2, padding='VALID')
        return self.convolve(net, f'{block}/conv3x3', padding='VALID')


class Balancap512(Balancap300):
    scope, size = 'ssd_512_vgg', 512
    blocks = ('block8', 'block9', 'block10', 'block11', 'block12')
    strided = ('block8', 'block9', 'block10', 'block11')
    steps = (8, 16, 32, 64, 128, 256, 512)
    sizes = ((20.48, 51.2), (51.2, 133.12), (133.12, 215.04), (215.04, 296.96), (296.96, 378.88),
             (378.88, 460.8),
             (460.8, 542.72))
    ratios = ((2, .5), *((2, .5, 3, 1 / 3),) * 4, (2, .5), (2, .5))

    def block(self, net, block):
        if block == 'block12':
            return self.convolve(_pad(net), 'block12/conv4x4', padding='VALID')
        return super().block(net, block)


class HiKapok(Network):
    scope, parts = 'ssd300', ('kernel', 'bias')
    scale, reduced = 'conv4_3_scale/weights', ('fc6', 'fc7')
    order, size = ('cy', 'cx', 'h', 'w'), 300
    steps = (8, 16, 32, 64, 100, 300)
    scales = ((30, 42.43), (60, 82.17), (112.5, 136.23), (165, 189.45), (217.5, 242.34),
              (270, 295.08))
    ratios = ((1, 2, .5), (1, 2, 3, .5, .3333), (1, 2, 3, .5, .3333), (1, 2, 3, .5, .3333),
              (1, 2, .5), (1, 2, .5))
    heads = [(f'multibox_head/loc_{i}', f'multibox_head/cls_{i}') for i in range(6)]

    @property
    def cells(self):
        return [[(extra, extra), *((scale / r ** .5, scale * r ** .5) for r in ratios)]
                for (scale, extra), ratios in zip(self.scales, self.ratios, strict=True)]

    def pixels(self, image):
        return (image - [123.68, 116.78, 103.94])[..., ::-1]

    def layers(self, image):
        found = list(self.vgg(image))
        for number, stride, padding in ((8, 2, 'SAME'), (9, 2, 'SAME'), (10, 1, 'VALID'),
                                        (11, 1, 'VALID')):
            net = self.convolve(found[-1], f'additional_layers/conv{number}/conv{number}_1')
            found.append(self.convolve(net, f'additional_layers/conv{number}/conv{number}_2',
                                       stride, padding=padding))
        return found


def _pad(net):
    return tf.pad(net, [[0, 0], [1, 1], [1, 1], [0, 0]])


NETWORKS = {'balancap_ssd_300_vgg': Balancap300, 'balancap_ssd_512_vgg': Balancap512,
            'hikapok_ssd300': HiKapok}
