"""Whether every backbone can learn: eight drawn pictures by heart, from random weights; then saved, restored and resumed.

    python3 -m benchmarks.overfit --backbones=mobilenet_v1,resnet_v1 --precision=bfloat16

Prints for each backbone the step at which its mAP on the eight reaches 1 (or the best that it came to), the seconds that took,
and the largest difference of any logit between the training and one that resumed from its checkpoint: at once, and after two
more steps of both. Beside it stands the same between two that resumed, since TensorFlow's threads add numbers in no fixed order:
in float32 that alone changes last digits, which these steps, at a high learning rate, multiply.
"""
import functools
import tempfile
import time

from utils.script import quiet, run

with quiet():
    import numpy as np

    from benchmarks import commands
    from datasets import shapes
    from detection import detector
    from evaluation import voc as voc_eval
    from nets import anchors, backbones, ssd, targets
    from nets.slim_compat import tf
    from nets.spec import PRECISIONS
    from preprocessing import normalize, pipeline
    from training.trainer import Schedule, Trainer
    from utils import command_line

IMAGES = 8


def main() -> None:
    options = _options()
    print(f'{"backbone":22}{"precision":>10}{"steps":>7}{"mAP":>7}{"loss":>8}{"seconds":>9}{"restored":>10}{"resumed":>10}{"twins":>10}')
    for name in options.backbones:
        for precision in options.precision:
            _report(name, precision, options)


def _options():
    parser = command_line.parser('python3 -m benchmarks.overfit', __doc__)
    commands.add_list(parser, '--backbones', 'backbone', backbones.names())
    commands.add_list(parser, '--precision', 'precision', PRECISIONS, default=('bfloat16', 'float32'))
    parser.add_argument('--max_steps', type=int, default=400, help='Steps after which a backbone is given up.')
    parser.add_argument('--every', type=int, default=10, help='Steps between evaluations.')
    parser.add_argument('--learning_rate', type=float, default=0.03, help='After 20 steps of warm-up.')
    return parser.parse_args()


def _report(name, precision, options):
    tf.keras.backend.clear_session()
    tf.keras.utils.set_random_seed(1)
    spec = backbones.get(name)
    batch, truths = _eight(spec)
    trainer = _trainer(spec, precision, options)
    detect = detector.Detector(trainer.model).detect
    start, best, scalars = time.monotonic(), 0., {}
    while trainer.step < options.max_steps and best < 1:
        for _ in range(options.every):
            scalars = trainer.train_step(batch)
        best = max(best, _mean_ap(detect(batch['images']), truths))
    seconds, steps = time.monotonic() - start, trainer.step
    differences = _saved_and_restored(trainer, lambda: _trainer(spec, precision, options), batch)
    print(f'{name:22}{precision:>10}{steps:7d}{best:7.3f}{scalars["loss"] - scalars["l2"]:8.3f}{seconds:9.0f}'
          + ''.join(f'{difference:10.1g}' for difference in differences), flush=True)


def _eight(spec):
    """(a training batch, {image id: ground truth in pixels}) of drawn pictures that all hold objects."""
    pictures = (shapes.draw(np.random.default_rng([2, number])) for number in range(100))
    pictures = [picture for picture in pictures if picture[1]][:IMAGES]
    match = functools.partial(targets.match, defaults=anchors.default_boxes(spec))
    images, classes, offsets, truths = [], [], [], {}
    for number, (image, objects) in enumerate(pictures):
        edges = np.array([item[1:5] for item in objects], float)
        labels = np.array([shapes.SHAPES.index(item[0]) + 1 for item in objects])
        boxes = (edges / np.tile(image.shape[:2], 2)).astype(np.float32)
        truths[str(number)] = voc_eval.GroundTruth(boxes * 300, labels, np.zeros(len(labels), bool))
        images.append(pipeline.resize_image(image, spec.image_size))
        for values, target in zip((classes, offsets), match(boxes, labels), strict=True):
            values.append(target)
    return {'images': tf.stack(images), 'classes': tf.stack(classes), 'offsets': tf.stack(offsets)}, truths


def _trainer(spec, precision, options):
    model = ssd.SSD(spec, len(shapes.SHAPES) + 1, precision=precision, batch_norm_decay=0.8).build()
    return Trainer(model, Schedule(options.learning_rate, 10**6, warmup=20),
                   functools.partial(normalize.normalize, normalization=spec.normalization), clip=10.)


def _mean_ap(found, truths):
    detections = {}
    for number, (boxes, scores, classes, count) in enumerate(zip(*(values.numpy() for values in found), strict=True)):
        detections[str(number)] = voc_eval.Detection(boxes[:count] * 300, classes[:count], scores[:count])
    return voc_eval.evaluate(detections, truths, shapes.SHAPES, 'area').mean_ap


def _saved_and_restored(trainer, new_trainer, batch):
    """Largest difference of any logit: resumed, two steps later, and then between two that resumed."""
    twins = new_trainer(), new_trainer()
    with tempfile.TemporaryDirectory() as folder:
        prefix = trainer.save(folder)
        for twin in twins:
            twin.resume(prefix)
    restored = _difference(trainer, twins[0], batch)
    for _ in range(2):
        for one in (trainer, *twins):
            one.train_step(batch)
    return restored, _difference(trainer, twins[0], batch), _difference(*twins, batch)


def _difference(one, other, batch):
    outputs = [tf.function(trainer.model)(trainer.normalize(batch['images']), False)[0] for trainer in (one, other)]
    return float(tf.reduce_max(tf.abs(outputs[0] - outputs[1])))


if __name__ == '__main__':
    run(main)
