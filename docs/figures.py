"""Draws the figures of README.md and docs/how_ssd_works.md.

The first one shows what the default detector finds, the others the tensors of the shipped
MobilenetV1.

Run it in the root of the repository:

    python3 -m docs.figures
"""
import functools
import os
import pathlib
from collections.abc import Iterator, Sequence

from utils.script import imports, run

with imports():
    import cv2
    import matplotlib
    matplotlib.use('Agg')
    import numpy as np
    from matplotlib import patches, pyplot
    from matplotlib.figure import Figure

    import detection
    from checkpoints import io as checkpoint
    from checkpoints import restoring
    from nets import anchors, backbones, boxes, loss, matching, postprocess, ssd
    from nets.slim_compat import tf
    from preprocessing import augment, normalize, pipeline
    from utils import command_line

BACKBONE = 'mobilenet_v1'
PHOTOGRAPHS = pathlib.Path(__file__).with_name('photographs')
# The person in the photograph of Grace Hopper, marked by hand: corners in [0, 1].
PERSON = np.array([0.037, 0.02, 1., 1.], np.float32)
# Where photographs stand in the two scenes: left, top and height as fractions of the canvas.
THREE_PERSONS = ((0.02, 0.24, 0.74), (0.68, 0.10, 0.30), (0.74, 0.60, 0.16))
CAT_PERSON_CAT = ((0.02, 0.03, 0.52), (0.5, 0.58, 0.4), (0.05, 0.7, 0.18))
# Each part of the augmentation with a seed for which it happens (the draw skips it half the time).
ALONE = {'distort': 8, 'zoom_out': 5, 'crop': 10, 'flip': 1}
GREEN, RED, WHITE = '#20c050', '#ff4030', '#ffffff'
SHAPES = ('square of min size', 'square of √(min · max)', 'ratio 2', 'ratio 1/2', 'ratio 3',
          'ratio 1/3')


class Watched(ssd.SSD):
    """An SSD that keeps the feature maps that its heads read."""

    def _multibox_head(self, points):
        self.maps = [points[layer] for layer in self.spec.head_layers]
        return super()._multibox_head(points)


class Network:
    """The shipped MobilenetV1, with its feature maps and its outputs before suppression."""

    def __init__(self):
        self.spec = backbones.get(BACKBONE)
        prefix = checkpoint.find(f'checkpoints/ssd_{BACKBONE}/{checkpoint.SHIPPED}')
        self.classes = checkpoint.read_description(prefix)['classes']
        self.model = Watched(self.spec, len(self.classes) + 1).build()
        restoring.restore(self.model.variables, prefix)
        self.defaults = anchors.default_boxes(self.spec)
        self._compiled = tf.function(self._outputs, autograph=False)

    def _outputs(self, images):
        normalized = normalize.normalize(images, self.spec.normalization)
        logits, offsets = self.model(normalized, False)
        return self.model.maps, logits, offsets

    def __call__(self, image: np.ndarray) -> tuple[list[tf.Tensor], tf.Tensor, tf.Tensor]:
        """Runs the network on uint8 [H, W, 3].

        Returns:
            maps: [1, grid, grid, channels] of each head.
            logits: [1, K, C].
            offsets: [1, K, 4].
        """
        return self._compiled(self.resized(image)[None])

    def resized(self, image: np.ndarray) -> tf.Tensor:
        """Resizes uint8 [H, W, 3] to the network's input size, uint8 [S, S, 3]."""
        return pipeline.resize_image(image, self.spec.image_size)

    def label(self, name: str) -> int:
        """Label of a class, from 1."""
        return self.classes.index(name) + 1

    def layers(self) -> Iterator[tuple[str, int, int, slice]]:
        """Yields (name, grid, boxes per cell, slice of the default boxes) of each head."""
        start, spec = 0, self.spec
        heads = zip(spec.head_layers, spec.grids, spec.boxes_per_cell, strict=True)
        for name, grid, count in heads:
            yield name, grid, count, slice(start, start + grid * grid * count)
            start += grid * grid * count

    def cell_scores(self, scores: np.ndarray) -> list[np.ndarray]:
        """Best of the scores [K] over the default boxes of each cell: [grid, grid] of each head."""
        return [scores[part].reshape(grid, grid, count).max(axis=-1)
                for _, grid, count, part in self.layers()]

    def detections(self, image: np.ndarray, score_threshold: float,
                   nms_threshold: float = 0.45) -> list[tuple[np.ndarray, float, str]]:
        """Detects objects in uint8 [H, W, 3].

        Returns:
            (box [4] as corners in [0, 1], score, class name) of each detection, best first.
        """
        _, logits, offsets = self(image)
        found = postprocess.detect(logits, offsets, self.defaults, score_threshold=score_threshold,
                                   nms_threshold=nms_threshold)
        rows = [values[0, :int(found.counts[0])].numpy() for values in found[:3]]
        return [(box, score, self.classes[label - 1])
                for box, score, label in zip(*rows, strict=True)]


def main() -> None:
    parser = command_line.parser('python3 -m docs.figures', __doc__)
    parser.add_argument('--output', default='docs/figures', metavar='FOLDER', help='Output folder.')
    output = pathlib.Path(parser.parse_args().output)
    output.mkdir(parents=True, exist_ok=True)
    network = Network()
    cat, astronaut = (read_image(PHOTOGRAPHS / name) for name in ('cat.jpg', 'astronaut.jpg'))
    hopper = read_image(matplotlib.get_data_path() + '/sample_data/grace_hopper.jpg')
    mixed, _ = compose([cat, astronaut, cat], CAT_PERSON_CAT)
    scene, people = compose([hopper] * 3, THREE_PERSONS)
    for name, figure in (('detections', detections([cat, astronaut])),
                         ('score_maps', score_maps(network, mixed)),
                         ('feature_maps', feature_maps(network, hopper)),
                         ('default_boxes', default_boxes(network, hopper)),
                         ('matching', matched_boxes(network, scene, people)),
                         ('hard_negatives', hard_negatives(network, scene, people)),
                         ('augmentation', augmentations(network, hopper)),
                         ('loss', losses(network, scene, people)),
                         ('suppression', suppression(network, hopper))):
        path = output / f'{name}.jpg'
        figure.savefig(path, dpi=100, pil_kwargs={'quality': 80})
        pyplot.close(figure)
        print(f'{path}: {os.path.getsize(path) / 1000:.0f} kB')


def read_image(path: str | os.PathLike) -> np.ndarray:
    """Reads an image file as uint8 RGB [H, W, 3]."""
    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)


def compose(images: list[np.ndarray], places: Sequence[tuple[float, float, float]],
            side: int = 600) -> tuple[np.ndarray, np.ndarray]:
    """Puts photographs into one scene.

    Args:
        images: uint8 [H, W, 3] each.
        places: left, top and height of each, as fractions of the canvas.
        side: of the canvas, pixels.

    Returns:
        scene: uint8 [side, side, 3].
        boxes: float32 [len(images), 4], where PERSON is in each photograph, corners in [0, 1].
    """
    scene = np.full([side, side, 3], (150, 165, 175), np.uint8)
    found = []
    for image, (left, top, height) in zip(images, places, strict=True):
        rows = round(height * side)
        columns = round(rows * image.shape[1] / image.shape[0])
        y, x = round(top * side), round(left * side)
        scene[y:y + rows, x:x + columns] = cv2.resize(image, (columns, rows),
                                                      interpolation=cv2.INTER_AREA)
        found.append((np.tile([y, x], 2) + PERSON * np.tile([rows, columns], 2)) / side)
    return scene, np.array(found, np.float32)


def detections(images: list[np.ndarray]) -> Figure:
    """README: detections with a score above 0.5, one image beside the other."""
    detector = detection.load(score_threshold=0.5)
    widths = [image.shape[1] / image.shape[0] for image in images]
    figure, axes = pyplot.subplots(1, len(images), figsize=(3.3 * sum(widths), 3.3),
                                   width_ratios=widths, layout='constrained')
    for axis, image, width in zip(axes, images, widths, strict=True):
        _show(axis, image)
        axis.set_aspect(1 / width)
        sides = np.tile(image.shape[:2], 2)
        rows = []
        for found in detector(image):
            xmin, ymin, xmax, ymax = found.box
            rows.append((np.array([ymin, xmin, ymax, xmax]) / sides, found.score, found.name))
        _draw_detections(axis, rows, fontsize=10)
    return figure


def score_maps(network: Network, scene: np.ndarray) -> Figure:
    """README: the best score of any class in each cell of the six maps, over the image."""
    _, logits, _ = network(scene)
    figure, axes = pyplot.subplots(2, 4, figsize=(9, 4.9), layout='constrained')
    shown = network.resized(scene)
    grey = np.mean(shown, axis=-1, keepdims=True).repeat(3, axis=-1)
    maps = network.cell_scores(tf.nn.softmax(logits)[0, :, 1:].numpy().max(axis=-1))
    _show(axes[0, 0], shown, 'input, 300 x 300')
    for axis, scores in zip(axes.flat[1:7], maps, strict=True):
        cells = f'{len(scores)} x {len(scores)} cells' if len(scores) > 1 else '1 cell'
        _show(axis, grey, f'{cells}, best score {scores.max():.2f}')
        axis.imshow(scores, cmap='inferno', vmin=0, vmax=1, alpha=0.65, extent=(0, 1, 1, 0))
    _show(axes[1, 3], shown, 'boxes with a score above 0.5')
    _draw_detections(axes[1, 3], network.detections(scene, 0.5), fontsize=8)
    return figure


def feature_maps(network: Network, photograph: np.ndarray) -> Figure:
    """Section 1: one channel of each head's map, and the score of "person" in its cells."""
    maps, logits, _ = network(photograph)
    figure, axes = pyplot.subplots(2, 7, figsize=(11, 3.7), layout='constrained')
    _show(axes[0, 0], network.resized(photograph), 'input, 300 x 300')
    axes[1, 0].axis('off')
    text = ('Above: one channel of\neach of the six maps\n(the one with the largest\nvariance).\n\n'
            'Right: the best score for\n"person" among the default\nboxes of each cell.')
    axes[1, 0].text(0, 0.95, text, va='top', fontsize=8)
    scores = network.cell_scores(tf.nn.softmax(logits)[0, :, network.label('person')].numpy())
    for column, ((name, grid, _, _), values) in enumerate(zip(network.layers(), maps, strict=True)):
        above, below = axes[:, column + 1]
        channel = tf.argmax(tf.math.reduce_std(values[0], axis=[0, 1]))
        above.imshow(values[0, ..., channel], cmap='viridis', vmin=0)
        above.set_title(f'{name}\n{grid} x {grid} x {values.shape[-1]}', fontsize=7)
        below.imshow(scores[column], cmap='magma', vmin=0, vmax=1)
        below.set_title(f'best {scores[column].max():.2f}', fontsize=8)
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
    return figure


def default_boxes(network: Network, photograph: np.ndarray) -> Figure:
    """Section 2: the cells of each layer, and the default boxes of the middle cell."""
    figure, axes = pyplot.subplots(1, 6, figsize=(11, 2.85), layout='constrained')
    pale = network.resized(photograph) / 255 * 0.45 + 0.5
    sizes = network.spec.sizes
    layers = zip(axes, network.layers(), sizes[:-1], sizes[1:], strict=True)
    for axis, (_, grid, count, part), low, high in layers:
        _show(axis, pale, f'{grid} x {grid} cells x {count} = {grid * grid * count:,}\n'
                          f'min {low:g}, max {high:g} pixels')
        for line in np.arange(grid + 1) / grid:
            axis.plot([line, line], [0, 1], [0, 1], [line, line], color='black', linewidth=0.25,
                      alpha=0.5)
        corners = boxes.centers_to_corners(network.defaults[part]).reshape(grid, grid, count, 4)
        for number, corner in enumerate(corners[grid // 2, grid // 2]):
            _draw_box(axis, corner, f'C{number}', linewidth=1.3)
        axis.set(xlim=(-0.1, 1.1), ylim=(1.1, -0.1))
    handles = [_legend(number, name) for number, name in enumerate(SHAPES)]
    figure.legend(handles=handles, loc='outside lower center', ncols=6, fontsize=8, frameon=False)
    return figure


def matched_boxes(network: Network, scene: np.ndarray, people: np.ndarray) -> Figure:
    """Section 3: three objects, and the default boxes that match them."""
    corners = boxes.centers_to_corners(network.defaults)
    best = {default for default, _ in matching.bipartite(boxes.iou(corners, people))}
    matched = np.flatnonzero(_match(network, people).objects >= 0)
    figure, axes = pyplot.subplots(1, 2, figsize=(9, 4.9), layout='constrained')
    _show(axes[0], network.resized(scene), 'three objects')
    for person in people:
        _draw_box(axes[0], person, WHITE, linewidth=2)
    _show(axes[1], network.resized(scene) // 2,
          f'{len(matched)} of {len(corners):,} default boxes match; thick: the best of each object')
    handles = []
    for number, (_, grid, _, part) in enumerate(network.layers()):
        of_layer = [default for default in matched if part.start <= default < part.stop]
        for default in of_layer:
            width = 3 if default in best else 0.8
            _draw_box(axes[1], corners[default], f'C{number}', linewidth=width)
        if of_layer:
            handles.append(_legend(number, f'{grid} x {grid} layer: {len(of_layer)}'))
    axes[1].legend(handles=handles, loc='lower right', fontsize=8)
    return figure


def hard_negatives(network: Network, scene: np.ndarray, people: np.ndarray) -> Figure:
    """Section 4: the hard negatives, and the losses of all unmatched default boxes."""
    classes = _match(network, people).classes
    _, logits, _ = network(scene)
    confidence = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=classes[None], logits=logits)
    kept = loss.hard_negatives(confidence, tf.constant(classes[None] > 0), 3.0)[0].numpy()
    matched, count = classes > 0, kept.sum()
    figure, axes = pyplot.subplots(1, 2, figsize=(9, 4.6), layout='constrained')
    _show(axes[0], network.resized(scene) // 2,
          f'{matched.sum()} matched (green) and {count} hard negatives (red)')
    corners = boxes.centers_to_corners(network.defaults)
    for chosen, colour in ((kept, RED), (matched, GREEN)):
        for default in np.flatnonzero(chosen):
            _draw_box(axes[0], corners[default], colour, linewidth=0.9)
    falling = np.sort(confidence[0].numpy()[~matched])[::-1]
    rank = np.arange(1, len(falling) + 1)
    axes[1].loglog(rank, falling, color='grey')
    axes[1].loglog(rank[:count], falling[:count], color=RED, linewidth=3)
    axes[1].set(xlabel='unmatched default boxes, largest loss first', ylabel='confidence loss')
    share = falling[:count].sum() / falling.sum()
    axes[1].set_title(f'{count} of {len(falling):,} have {share:.0%} of the loss', fontsize=9)
    axes[1].grid(alpha=0.3)
    return figure


def losses(network: Network, scene: np.ndarray, people: np.ndarray) -> Figure:
    """Section 5: both terms of the loss as curves, and the matched default boxes on them."""
    found = _match(network, people)
    _, logits, offsets = network(scene)
    matched = found.classes > 0
    errors = (offsets[0].numpy() - found.offsets)[matched]
    scores = tf.nn.softmax(logits)[0, :, network.label('person')].numpy()[matched]
    figure, axes = pyplot.subplots(1, 2, figsize=(9, 3.2), layout='constrained')
    x = np.linspace(-3, 3, 301).astype(np.float32)
    axes[0].plot(x, loss.smooth_l1(x), color='black', label='smooth L1')
    axes[0].plot(x, x * x / 2, color='grey', linestyle=':', label='x² / 2')
    dots = {'markersize': 4, 'alpha': 0.7}
    for number, name in enumerate(('cy', 'cx', 'h', 'w')):
        axes[0].plot(errors[:, number], loss.smooth_l1(errors[:, number]), 'o', color=f'C{number}',
                     label=name, **dots)
    axes[0].set(xlim=(-3, 3), ylim=(-0.1, 3), xlabel='predicted minus target offset',
                ylabel='localization loss')
    p = np.linspace(0.003, 1, 300)
    axes[1].plot(p, -np.log(p), color='black', label='-log p')
    axes[1].plot(scores, -np.log(scores), 'o', color=GREEN, label='matched default boxes', **dots)
    axes[1].set(xlabel='score p of the target class', ylabel='confidence loss', ylim=(-0.1, 6))
    for axis in axes:
        axis.legend(fontsize=8)
        axis.grid(alpha=0.3)
    return figure


def augmentations(network: Network, photograph: np.ndarray) -> Figure:
    """Section 6: each part of the augmentation alone, and all together."""
    draw = functools.partial(
        augment.augment, photograph, PERSON[None], [network.label('person')],
        image_size=network.spec.image_size, fill=normalize.mean_colour(network.spec.normalization))
    none = dict.fromkeys(ALONE, False)
    alone = [('unchanged', none, 0)]
    alone += [(part.replace('_', ' '), none | {part: True}, seed) for part, seed in ALONE.items()]
    together = [(f'all, seed {seed}', {}, seed) for seed in range(1, 6)]
    figure, axes = pyplot.subplots(2, 5, figsize=(9, 4), layout='constrained')
    for axis, (title, parts, seed) in zip(axes.flat, alone + together, strict=True):
        image, found, _ = draw(seed=[seed, 0], **parts)
        _show(axis, image, title)
        for box in found.numpy():
            _draw_box(axis, box, GREEN, linewidth=1.5)
    return figure


def suppression(network: Network, photograph: np.ndarray) -> Figure:
    """Section 7: boxes before and after non-maximum suppression, and what the demo shows."""
    figure, axes = pyplot.subplots(1, 3, figsize=(10, 3.7), layout='constrained')
    for axis, score_threshold, nms_threshold, title in (
            (axes[0], 0.1, 1., 'score above 0.1'),
            (axes[1], 0.1, 0.45, 'after suppression, IoU above 0.45'),
            (axes[2], 0.5, 0.45, 'score above 0.5')):
        found = network.detections(photograph, score_threshold, nms_threshold)
        _show(axis, network.resized(photograph),
              f'{title}: {len(found)} box' + ('es' if len(found) != 1 else ''))
        for box, score, name in found:
            _draw_box(axis, box, 'black', linewidth=2.4)
            _draw_box(axis, box, pyplot.cm.plasma(0.2 + 0.8 * score), linewidth=1.4)
            if axis is not axes[0]:
                axis.text(box[1] + 0.01, box[2] - 0.01, f'{name} {score:.2f}', fontsize=7,
                          bbox={'facecolor': WHITE, 'linewidth': 0, 'pad': 1})
    return figure


def _match(network, people):
    labels = np.full(len(people), network.label('person'))
    return matching.match(people, labels, network.defaults)


def _show(axis, image, title=''):
    """Shows an image on axes from 0 to 1, the unit of the boxes."""
    axis.imshow(image / 255 if np.asarray(image).max() > 1 else image, extent=(0, 1, 1, 0))
    axis.set_title(title, fontsize=8)
    axis.set(xlim=(0, 1), ylim=(1, 0), xticks=[], yticks=[])


def _draw_box(axis, box, colour, **style):
    ymin, xmin, ymax, xmax = box
    axis.add_patch(patches.Rectangle((xmin, ymin), xmax - xmin, ymax - ymin, fill=False,
                                     edgecolor=colour, **style))


def _draw_detections(axis, found, fontsize):
    for box, score, name in found:
        _draw_box(axis, box, GREEN, linewidth=2)
        axis.text(box[1] + 0.02, box[0] + 0.02, f'{name} {score:.2f}', va='top', fontsize=fontsize,
                  bbox={'facecolor': GREEN, 'linewidth': 0, 'pad': 1.5})


def _legend(number, label):
    return patches.Patch(edgecolor=f'C{number}', fill=False, label=label)


if __name__ == '__main__':
    run(main)
