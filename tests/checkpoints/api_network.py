"""The SSD with MobilenetV1 of the Object Detection API, written from its facts, without nets/."""
import numpy as np
import tensorflow as tf

STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)  # of Conv2d_1 ... Conv2d_13
EXTRA = ((256, 512), (128, 256), (128, 256), (64, 128))
GRIDS = (19, 10, 5, 3, 2, 1)


def values(shapes, seed=0):
    """A random checkpoint of these names and shapes, with bounded activations and scores."""
    random = np.random.default_rng(seed)
    found = {}
    for name, shape in shapes.items():
        value = random.standard_normal(shape, np.float32)
        if name == 'global_step':
            value = np.int64(200000)
        elif name.endswith('depthwise_weights'):
            value *= np.sqrt(2 / 9, dtype=np.float32)
        elif name.endswith('/weights'):
            value *= np.sqrt(2 / np.prod(shape[:3]), dtype=np.float32)
        elif name.endswith(('gamma', 'moving_variance')):
            value = 1 + .2 * np.tanh(value)
        else:
            value *= np.float32(.1)
        found[name] = value
    return found


def outputs(values, image):
    """-> sigmoid scores [K, C] without background, boxes [K, 4] and default boxes [K, 4].

    image: uint8 RGB [1, 300, 300, 3].  Boxes are ymin, xmin, ymax, xmax, default boxes cy, cx, h,
    w.
    """
    scope = 'FeatureExtractor/MobilenetV1'

    def normalized(net, name):
        gamma, beta, mean, variance = (values[f'{name}/BatchNorm/{part}'] for part in (
            'gamma', 'beta', 'moving_mean', 'moving_variance'))
        return tf.nn.relu6((net - mean) / np.sqrt(variance + .001) * gamma + beta)

    def convolved(net, name, stride=1):
        return normalized(tf.nn.conv2d(net, values[f'{name}/weights'], stride, 'SAME'), name)

    net = 2 / 255 * tf.cast(image, tf.float32) - 1
    net, layers = convolved(net, f'{scope}/Conv2d_0', 2), []
    for number, stride in enumerate(STRIDES, start=1):
        name = f'{scope}/Conv2d_{number}_depthwise'
        net = normalized(tf.nn.depthwise_conv2d(net, values[f'{name}/depthwise_weights'],
                                                [1, stride, stride, 1], 'SAME'), name)
        net = convolved(net, f'{scope}/Conv2d_{number}_pointwise')
        if number in (11, 13):
            layers.append(net)
    for number, (squeeze, depth) in enumerate(EXTRA, start=2):
        name = f'{scope}/Conv2d_13_pointwise'
        net = convolved(net, f'{name}_1_Conv2d_{number}_1x1_{squeeze}')
        net = convolved(net, f'{name}_2_Conv2d_{number}_3x3_s2_{depth}', 2)
        layers.append(net)

    scores, codes, defaults = [], [], []
    for number, (net, grid) in enumerate(zip(layers, GRIDS, strict=True)):
        for head, to, size in (('BoxEncoding', codes, 4), ('Class', scores, None)):
            name = f'BoxPredictor_{number}/{head}Predictor'
            out = tf.nn.conv2d(net, values[f'{name}/weights'], 1, 'SAME') + values[f'{name}/biases']
            boxes = values[f'BoxPredictor_{number}/BoxEncodingPredictor/biases'].size // 4
            to.append(out.numpy().reshape(grid * grid * boxes, size or out.shape[-1] // boxes))
        scale, after = .2 + .15 * number, .2 + .15 * (number + 1) if number < 5 else 1.
        cell = [(scale, 1), (scale, 2), (scale, .5), (scale, 3), (scale, .3333),
                ((scale * after) ** .5, 1)] if number else [(.1, 1), (.2, 2), (.2, .5)]
        for row in range(grid):
            for column in range(grid):
                defaults += [((row + .5) / grid, (column + .5) / grid, side / ratio ** .5,
                              side * ratio ** .5) for side, ratio in cell]
    codes, defaults = np.concatenate(codes), np.array(defaults)
    middle = codes[:, :2] / 10 * defaults[:, 2:] + defaults[:, :2]
    sides = np.exp(codes[:, 2:] / 5) * defaults[:, 2:]
    boxes = np.concatenate([middle - sides / 2, middle + sides / 2], axis=1)
    return 1 / (1 + np.exp(-np.concatenate(scores)[:, 1:])), boxes, defaults
