"""Shows how well a backbone's default boxes cover the objects of records, and proposes other boxes.

    python3 ssd_box_fit.py --train_records=tfrecords_train --backbone_network=ssd_mobilenet_v1

Where a training would start from an SSD, such as the shipped detector, its default boxes count.
Objects have the sizes that they have in the records; in training, augmentation makes them smaller
(zoom-out) and larger (crop). Reads configs/config_general.py and
config_box_fit.py.
"""
import itertools
import typing
from collections.abc import Sequence

from configs import load
from utils.choices import EXISTING
from utils.errors import UserError
from utils.script import imports, run

with imports():
    import numpy as np

    from checkpoints import fit
    from checkpoints import io as checkpoint
    from datasets import tfrecord
    from evaluation import box_fit
    from nets import anchors, backbones
    from nets.slim_compat import prepare_devices
    from nets.spec import BackboneSpec
    from preprocessing import damage
    from utils.progress import Progress

_WORTH_IT = 0.01  # least gain of recall for which another box set is proposed


def main() -> None:
    config = load('ssd_box_fit', description=__doc__)
    prepare_devices()

    # 1 objects
    index = tfrecord.read_index(config.train_records)
    with damage.named(index):
        images = list(_read(index))
    boxes = np.concatenate([image['boxes'] for image in images])
    labels = np.concatenate([image['labels'] for image in images])
    if not len(boxes):
        raise UserError(f'{config.train_records} has no objects')

    # 2 default boxes
    spec = backbones.from_config_name(config.backbone_network, config.resnet_depth,
                                      config.default_box_set)
    start = checkpoint.default(spec) if config.training_mode == EXISTING else None
    spec = fit.spec_of(start, spec) if start else spec
    origin = f'as {start} has them' if spec.box_shapes else f'box set {spec.box_set}'
    print(f'{len(boxes)} objects in {index.images} images of {config.train_records}; '
          f'{config.backbone_network}, {origin}: {spec.num_default_boxes} default boxes')

    # 3 coverage
    overlaps = box_fit.best_overlaps(boxes, spec)
    print(coverage_table(boxes, labels, overlaps, index.classes, spec.image_size))
    box_fit.plot_box_fit(boxes * spec.image_size, overlaps >= box_fit.THRESHOLD,
                         anchors.layer_shapes(spec), config.output)
    print(f'image: {config.output}')

    # 4 proposal
    print('\n' + (f'A training that starts from {start} keeps these default boxes. '
                  '--training_mode=from_scratch compares the sets for other trainings.'
                  if spec.box_shapes else proposal(images, boxes, spec)))


def _read(index):
    progress = Progress(index.images, 'images')
    for image in tfrecord.objects(index):
        progress.update()
        yield image
    progress.close()


def coverage_table(boxes: np.ndarray, labels: np.ndarray, overlaps: np.ndarray,
                   classes: Sequence[str], image_size: int) -> str:
    """Objects, recall, share matched by force and mean best IoU: of all, by size and by class.

    Args:
        boxes: [N, 4] corners in [0, 1].
        labels: int [N], from 1.
        overlaps: [N], best IoU of each object.
        classes: names of labels 1, 2, ...
        image_size: pixels, for the limits of the sizes.
    """
    sides = box_fit.object_sides(boxes)
    small, large = (f'{edge * image_size:.0f}' for edge in (box_fit.SMALL, box_fit.LARGE))
    is_small, is_large = sides < box_fit.SMALL, sides >= box_fit.LARGE
    rows = [('all', np.full(len(boxes), True)),
            (f'small, below {small} pixels', is_small),
            (f'medium, {small} to {large} pixels', ~is_small & ~is_large),
            (f'large, from {large} pixels on', is_large),
            *((name, labels == label) for label, name in enumerate(classes, start=1))]
    width = max(len(name) for name, _ in rows)
    lines = [f'{"":<{width}} objects  recall  by force  mean IoU']
    for name, chosen in rows:
        found = box_fit.coverage(overlaps[chosen])
        text = f'  {found.recall:6.3f}  {1 - found.recall:8.3f}  {found.mean:8.3f}'
        lines.append(f'{name:<{width}} {found.objects:7d}{text if found.objects else ""}')
    return '\n'.join(lines)


class Candidate(typing.NamedTuple):
    """A box set to compare.

    Attributes:
        title: of its row.
        spec: with the box set, chosen on all objects.
        tried: with a box set chosen on every second image; None if these have no objects.
    """
    title: str
    spec: BackboneSpec
    tried: BackboneSpec | None


def proposal(images: Sequence[dict[str, np.ndarray]], boxes: np.ndarray, spec: BackboneSpec) -> str:
    """The box sets side by side, and how to get a better one.

    Args:
        images: of each, its 'boxes' [R, 4] corners in [0, 1].
        boxes: those of all images, [N, 4], N at least 1.
        spec: the configured one, with which the others are compared.
    """
    first, second = (np.concatenate([np.zeros((0, 4)), *(image['boxes'] for image in part)])
                     for part in (images[::2], images[1::2]))
    candidates = [Candidate(name, *[spec.with_box_set(name)] * 2) for name in spec.box_sets]
    own = _free_name(spec)
    for title, ratios in ((own, False), (f'{own}, with aspect ratios', True)):
        tried = box_fit.propose(first, spec, own, ratios) if len(first) else None
        candidates.append(Candidate(title, box_fit.propose(boxes, spec, own, ratios), tried))
    return '\n'.join([
        f'{"box set":<24}  recall  mean IoU  recall on others',
        *(_row(one, boxes, second) for one in candidates),
        f"recall on others: on every second image, where '{own}' is chosen on the rest",
        *_advice(spec, candidates, boxes)])


def _free_name(spec):
    """'own', or if the spec has that already, 'own_2', ..."""
    names = itertools.chain(['own'], (f'own_{number}' for number in itertools.count(2)))
    return next(name for name in names if name not in spec.box_sets)


def _row(one, boxes, others):
    found = box_fit.coverage(box_fit.best_overlaps(boxes, one.spec))
    tried = f'{_recall(others, one.tried):.3f}' if one.tried and len(others) else '-'
    return f'{one.title:<24}  {found.recall:6.3f}  {found.mean:8.3f}  {tried:>16}'


def _recall(boxes, spec):
    return box_fit.coverage(box_fit.best_overlaps(boxes, spec)).recall


def _advice(spec, candidates, boxes):
    """Lines. Each candidate costs more than the one before, so it must gain on the best so far."""
    best, lines = _recall(boxes, spec), []
    for one in candidates:
        recall = _recall(boxes, one.spec)
        if recall - best >= _WORTH_IT:
            best = recall
            lines += [f"'{one.title}' covers more:", *_instructions(one.spec, spec)]
    if lines:
        return lines
    return [f"'{spec.box_set}' covers these objects as well as the others, within {_WORTH_IT}."]


def _instructions(better, spec):
    """Lines: how a user gets the spec `better` instead of `spec`."""
    if better.box_set in spec.box_sets:
        return [f'    --default_box_set={better.box_set}']
    name = f'BOX_SETS_{512 if spec.image_size == 512 else 300}'
    lines = [f'    --default_box_set={better.box_set}, with this line in {name} of nets/spec.py:',
             f"        '{better.box_set}': {better.sizes},"]
    if better.aspect_ratios != spec.aspect_ratios:
        lines += [f'    and this one in the spec of {spec.name} in nets/backbones/:',
                  f'        aspect_ratios={better.aspect_ratios},',
                  '    Detectors with other aspect ratios, such as the shipped one, then only '
                  'serve to start a training from.']
    return lines


if __name__ == '__main__':
    run(main)
