"""Draws the figures of docs/how_ssd_works.md from the tensors of the shipped detector, on a photograph that matplotlib brings.

To be run in the repository's root, where the detector is looked for.

    python3 -m docs.figures
"""
import functools
import os
import pathlib
from collections.abc import Iterator

from utils.script import quiet, run

with quiet():
    import cv2
    import matplotlib
    matplotlib.use('Agg')
    import numpy as np
    from matplotlib import patches, pyplot
    from matplotlib.figure import Figure

    from checkpoints import io as checkpoint
    from detection import sources
    from nets import anchors, backbones, boxes, loss, matching, postprocess, ssd
    from nets.slim_compat import tf
    from preprocessing import augment, normalize, pipeline
    from utils import command_line
    from utils.errors import DataError

BACKBONE = 'mobilenet_v1'
# The person on the photograph, drawn by hand: ymin, xmin, ymax, xmax in units of the image.
PERSON = np.array([0.037, 0.02, 1., 1.], np.float32)
# The scene: copies of the photograph, as left, top and height in units of the canvas.
COPIES = ((0.02, 0.24, 0.74), (0.68, 0.10, 0.30), (0.74, 0.60, 0.16))
# Each part of the augmentation, and a seed with which it happens: half the time each is left out.
ALONE = {'distort': 8, 'zoom_out': 5, 'crop': 10, 'flip': 1}
GREEN, RED, WHITE = '#20c050', '#ff4030', '#ffffff'
SHAPES = ('square of min size', 'square of √(min · max)', 'ratio 2', 'ratio 1/2', 'ratio 3', 'ratio 1/3')


class Watched(ssd.SSD):
    """An SSD that keeps the maps its heads see."""

    def _multibox_head(self, points):
        self.maps = [points[layer] for layer in self.spec.head_layers]
        return super()._multibox_head(points)


class Detector:
    """The shipped detector's tensors on one picture, before anything is suppressed."""

    def __init__(self):
        self.spec = backbones.get(BACKBONE)
        prefix = checkpoint.find(f'checkpoints/ssd_{BACKBONE}/{checkpoint.SHIPPED}')
        self.classes = checkpoint.read_description(prefix)['classes']
        self.person = self.classes.index('person') + 1
        self.model = Watched(self.spec, len(self.classes) + 1).build()
        checkpoint.restore(self.model.variables, prefix)
        self.defaults = anchors.default_boxes(self.spec)
        self.network = tf.function(self._outputs, autograph=False)

    def _outputs(self, images):
        logits, offsets = self.model(normalize.normalize(images, self.spec.normalization), False)
        return self.model.maps, logits, offsets

    def __call__(self, picture: np.ndarray) -> tuple[list[tf.Tensor], tf.Tensor, tf.Tensor]:
        """uint8 [H, W, 3] -> (map [1, grid, grid, channels] of each head, logits [1, K, C], offsets [1, K, 4])."""
        return self.network(self.resized(picture)[None])

    def resized(self, picture: np.ndarray) -> tf.Tensor:
        """uint8 [H, W, 3] -> uint8 [S, S, 3], as the network sees it."""
        return pipeline.resize_image(picture, self.spec.image_size)

    def layers(self) -> Iterator[tuple[str, int, int, slice]]:
        """Yields (name, grid, boxes per cell, slice of the default boxes) of each head."""
        start = 0
        for name, grid, count in zip(self.spec.head_layers, self.spec.grids, self.spec.boxes_per_cell, strict=True):
            yield name, grid, count, slice(start, start + grid * grid * count)
            start += grid * grid * count


def main() -> None:
    parser = command_line.parser('python3 -m docs.figures', __doc__)
    parser.add_argument('--output', default='docs/figures', metavar='FOLDER', help='Folder that is written.')
    output = pathlib.Path(parser.parse_args().output)
    output.mkdir(parents=True, exist_ok=True)
    network, photograph = Detector(), read_photograph()
    scene, people = compose(photograph)
    for name, figure in (('feature_maps', feature_maps(network, photograph)),
                         ('default_boxes', default_boxes(network, photograph)),
                         ('matching', matched_boxes(network, scene, people)),
                         ('hard_negatives', hard_negatives(network, scene, people)),
                         ('augmentation', augmentations(network, photograph)),
                         ('loss', losses(network, scene, people)),
                         ('suppression', suppression(network, photograph))):
        path = output / f'{name}.jpg'
        figure.savefig(path, dpi=100, pil_kwargs={'quality': 80})
        pyplot.close(figure)
        print(f'{path}: {os.path.getsize(path) / 1000:.0f} kB')


def read_photograph() -> np.ndarray:
    """uint8 RGB [H, W, 3]: Grace Hopper, an official photograph of the United States Navy (public domain)."""
    path = sources.photograph()
    if path is None:
        raise DataError('this matplotlib brings no photograph')
    return sources.read(path)


def compose(photograph: np.ndarray, side: int = 600) -> tuple[np.ndarray, np.ndarray]:
    """-> (uint8 [side, side, 3] with the photograph in three sizes, boxes [3, 4] of its persons)."""
    scene = np.full([side, side, 3], (150, 165, 175), np.uint8)
    people = []
    for left, top, height in COPIES:
        rows = round(height * side)
        columns = round(rows * photograph.shape[1] / photograph.shape[0])
        y, x = round(top * side), round(left * side)
        scene[y:y + rows, x:x + columns] = cv2.resize(photograph, (columns, rows), interpolation=cv2.INTER_AREA)
        people.append((np.tile([y, x], 2) + PERSON * np.tile([rows, columns], 2)) / side)
    return scene, np.array(people, np.float32)


def feature_maps(network: Detector, photograph: np.ndarray) -> Figure:
    """Section 1: of each head's map the liveliest channel, and the score of person in its cells."""
    maps, logits, _ = network(photograph)
    probabilities = tf.nn.softmax(logits)[0, :, network.person].numpy()
    figure, axes = pyplot.subplots(2, 7, figsize=(11, 3.7), layout='constrained')
    _picture(axes[0, 0], network.resized(photograph), 'input, 300 x 300')
    axes[1, 0].axis('off')
    text = ('Above: of each of the six\nmaps the channel that\nvaries most.\n\nRight: the highest score\nfor "person" of each\n'
            "cell's default boxes.")
    axes[1, 0].text(0, 0.95, text, va='top', fontsize=8)
    for column, ((name, grid, count, part), values) in enumerate(zip(network.layers(), maps, strict=True), start=1):
        liveliest = tf.argmax(tf.math.reduce_std(values[0], axis=[0, 1]))
        axes[0, column].imshow(values[0, ..., liveliest], cmap='viridis', vmin=0)
        axes[0, column].set_title(f'{name}\n{grid} x {grid} x {values.shape[-1]}', fontsize=7)
        scores = probabilities[part].reshape(grid, grid, count).max(axis=-1)
        axes[1, column].imshow(scores, cmap='magma', vmin=0, vmax=1)
        axes[1, column].set_title(f'best {scores.max():.2f}', fontsize=8)
    _no_ticks(axes)
    return figure


def default_boxes(network: Detector, photograph: np.ndarray) -> Figure:
    """Section 2: of each layer the cells, and the default boxes of the middle one."""
    figure, axes = pyplot.subplots(1, 6, figsize=(11, 2.85), layout='constrained')
    shown = network.resized(photograph) / 255 * 0.45 + 0.5
    sizes = network.spec.sizes
    for axis, (_, grid, count, part), low, high in zip(axes, network.layers(), sizes[:-1], sizes[1:], strict=True):
        corners = boxes.centers_to_corners(network.defaults[part]).reshape(grid, grid, count, 4)
        _picture(axis, shown, f'{grid} x {grid} cells x {count} = {grid * grid * count:,}\nmin {low:g}, max {high:g} pixels')
        for line in np.arange(grid + 1) / grid:
            axis.plot([line, line], [0, 1], [0, 1], [line, line], color='black', linewidth=0.25, alpha=0.5)
        for number, corner in enumerate(corners[grid // 2, grid // 2]):
            _box(axis, corner, f'C{number}', linewidth=1.3)
        axis.set(xlim=(-0.1, 1.1), ylim=(1.1, -0.1))
    handles = [patches.Patch(edgecolor=f'C{number}', fill=False, label=name) for number, name in enumerate(SHAPES)]
    figure.legend(handles=handles, loc='outside lower center', ncols=6, fontsize=8, frameon=False)
    return figure


def matched_boxes(network: Detector, scene: np.ndarray, people: np.ndarray) -> Figure:
    """Section 3: objects, and the default boxes that are matched with them. scene, people: as of `compose`."""
    found = _match(network, people)
    best = {default for default, _ in matching.bipartite(boxes.iou(boxes.centers_to_corners(network.defaults), people))}
    figure, axes = pyplot.subplots(1, 2, figsize=(9, 4.9), layout='constrained')
    _picture(axes[0], network.resized(scene), 'three objects')
    for person in people:
        _box(axes[0], person, WHITE, linewidth=2)
    matched = np.flatnonzero(found.objects >= 0)
    _picture(axes[1], network.resized(scene) // 2,
             f"{len(matched)} of {len(network.defaults):,} default boxes matched; thick: each object's best")
    corners = boxes.centers_to_corners(network.defaults)
    handles = []
    for number, (_, grid, _, part) in enumerate(network.layers()):
        mine = [default for default in matched if part.start <= default < part.stop]
        for default in mine:
            _box(axes[1], corners[default], f'C{number}', linewidth=3 if default in best else 0.8)
        if mine:
            handles.append(patches.Patch(edgecolor=f'C{number}', fill=False, label=f'{grid} x {grid} layer: {len(mine)}'))
    axes[1].legend(handles=handles, loc='lower right', fontsize=8)
    return figure


def hard_negatives(network: Detector, scene: np.ndarray, people: np.ndarray) -> Figure:
    """Section 4: the unmatched default boxes that are kept, and the losses of all."""
    found = _match(network, people)
    _, logits, _ = network(scene)
    positive = found.classes[None] > 0
    confidence = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=found.classes[None], logits=logits)
    kept = loss.hard_negatives(confidence, tf.constant(positive), 3.0)[0].numpy()
    figure, axes = pyplot.subplots(1, 2, figsize=(9, 4.6), layout='constrained')
    _picture(axes[0], network.resized(scene) // 2, f'{positive.sum()} matched (green) and {kept.sum()} hardest negatives (red)')
    corners = boxes.centers_to_corners(network.defaults)
    for chosen, colour in ((kept, RED), (positive[0], GREEN)):
        for default in np.flatnonzero(chosen):
            _box(axes[0], corners[default], colour, linewidth=0.9)
    losses_down = np.sort(confidence[0].numpy()[~positive[0]])[::-1]
    rank, count = np.arange(1, len(losses_down) + 1), kept.sum()
    axes[1].loglog(rank, losses_down, color='grey')
    axes[1].loglog(rank[:count], losses_down[:count], color=RED, linewidth=3)
    axes[1].set(xlabel='unmatched default boxes, hardest first', ylabel='confidence loss')
    axes[1].set_title(f'{count} of {len(losses_down):,} hold {losses_down[:count].sum() / losses_down.sum():.0%} of their loss',
                      fontsize=9)
    axes[1].grid(alpha=0.3)
    return figure


def augmentations(network: Detector, photograph: np.ndarray) -> Figure:
    """Section 6: each part of the augmentation alone, and all together."""
    draw = functools.partial(augment.augment, photograph, PERSON[None], [network.person], image_size=network.spec.image_size,
                             fill=normalize.mean_colour(network.spec.normalization))
    none = dict.fromkeys(ALONE, False)
    alone = [('as it is', none, 0), *((part, none | {part: True}, seed) for part, seed in ALONE.items())]
    together = [(f'all, seed {seed}', {}, seed) for seed in range(1, 6)]
    figure, axes = pyplot.subplots(2, 5, figsize=(9, 4), layout='constrained')
    for axis, (title, parts, seed) in zip(axes.flat, alone + together, strict=True):
        image, found, _ = draw(seed=[seed, 0], **parts)
        _picture(axis, image, title.replace('_', ' '))
        for box in found.numpy():
            _box(axis, box, GREEN, linewidth=1.5)
    return figure


def losses(network: Detector, scene: np.ndarray, people: np.ndarray) -> Figure:
    """Section 5: both losses as curves, and the matched default boxes on them."""
    found = _match(network, people)
    _, logits, offsets = network(scene)
    mine = found.classes > 0
    errors = (offsets[0].numpy() - found.offsets)[mine]
    scores = tf.nn.softmax(logits)[0, :, network.person].numpy()[mine]
    figure, axes = pyplot.subplots(1, 2, figsize=(9, 3.2), layout='constrained')
    x = np.linspace(-3, 3, 301).astype(np.float32)
    axes[0].plot(x, loss.smooth_l1(x), color='black', label='smooth L1')
    axes[0].plot(x, x * x / 2, color='grey', linestyle=':', label='x² / 2')
    for number, name in enumerate(('cy', 'cx', 'h', 'w')):
        axes[0].plot(errors[:, number], loss.smooth_l1(errors[:, number]), 'o', color=f'C{number}', markersize=4, alpha=0.7,
                     label=name)
    axes[0].set(xlim=(-3, 3), ylim=(-0.1, 3), xlabel='predicted minus wanted offset', ylabel='localization loss')
    p = np.linspace(0.003, 1, 300)
    axes[1].plot(p, -np.log(p), color='black', label='-log p')
    axes[1].plot(scores, -np.log(scores), 'o', color=GREEN, markersize=4, alpha=0.7, label='matched default boxes')
    axes[1].set(xlabel='score p of the right class', ylabel='confidence loss', ylim=(-0.1, 6))
    for axis in axes:
        axis.legend(fontsize=8)
        axis.grid(alpha=0.3)
    return figure


def suppression(network: Detector, photograph: np.ndarray, threshold: float = 0.1) -> Figure:
    """Section 7: what scores above the threshold, before and after non-maximum suppression, and what the demo shows."""
    _, logits, offsets = network(photograph)
    figure, axes = pyplot.subplots(1, 3, figsize=(10, 3.7), layout='constrained')
    weak = postprocess.detect(logits, offsets, network.defaults, score_threshold=threshold, nms_threshold=1.)
    kept = postprocess.detect(logits, offsets, network.defaults, score_threshold=threshold, nms_threshold=0.45)
    shown = postprocess.detect(logits, offsets, network.defaults, score_threshold=0.5, nms_threshold=0.45)
    for axis, found, title in ((axes[0], weak, f'score above {threshold}'), (axes[1], kept, 'after suppression, IoU above 0.45'),
                               (axes[2], shown, 'score above 0.5 as well')):
        count = int(found.counts[0])
        _picture(axis, network.resized(photograph), f'{title}: {count} boxes' if count != 1 else f'{title}: 1 box')
        for box, score, label in zip(*(values[0, :count].numpy() for values in found[:3]), strict=True):
            _box(axis, box, 'black', linewidth=2.4)
            _box(axis, box, pyplot.cm.plasma(0.2 + 0.8 * score), linewidth=1.4)
            if axis is not axes[0]:
                axis.text(box[1] + 0.01, box[2] - 0.01, f'{network.classes[label - 1]} {score:.2f}', fontsize=7,
                          bbox={'facecolor': WHITE, 'linewidth': 0, 'pad': 1})
    return figure


def _match(network, people):
    return matching.match(people, np.full(len(people), network.person), network.defaults)


def _picture(axis, image, title):
    """An image whose sides are 1, as boxes are in units of the image."""
    axis.imshow(image / 255 if np.asarray(image).max() > 1 else image, extent=(0, 1, 1, 0))
    axis.set_title(title, fontsize=8)
    axis.set(xlim=(0, 1), ylim=(1, 0), xticks=[], yticks=[])


def _box(axis, box, colour, **style):
    ymin, xmin, ymax, xmax = box
    axis.add_patch(patches.Rectangle((xmin, ymin), xmax - xmin, ymax - ymin, fill=False, edgecolor=colour, **style))


def _no_ticks(axes):
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])


if __name__ == '__main__':
    run(main)
