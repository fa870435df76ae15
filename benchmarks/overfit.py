"""Checks that every backbone can learn: eight drawn images by heart, from random weights.

    python3 -m benchmarks.overfit --backbones=mobilenet_v1,resnet_v1 --precision=bfloat16

Prints for each backbone

    steps, mAP    the step at which the mAP on the eight images reaches 1, or the best mAP
    loss          at that step, without the L2 penalty
    restored      largest difference of a logit between the training and one that was restored from
                  its checkpoint
    resumed       the same after two more steps of both
    twins         the same between two trainings that were restored from that checkpoint

The order in which TensorFlow's threads add numbers varies. In float32 this alone changes the last
digits, and steps at a high learning rate amplify that: compare `resumed` with `twins`.
"""
import functools
import tempfile
import time
import typing

from utils.script import imports, run

with imports():
    import numpy as np

    from benchmarks import commands
    from datasets import shapes
    from detection.detector import Detector
    from evaluation import voc as voc_eval
    from nets import anchors, backbones, ssd, targets
    from nets.slim_compat import tf
    from nets.spec import PRECISIONS, BackboneSpec
    from preprocessing import pipeline
    from training import state
    from training.schedule import Schedule
    from training.trainer import Trainer
    from utils import command_line

IMAGES = 8


class Learned(typing.NamedTuple):
    """A trainer, its batch, the best mAP on it, and the last loss without L2 penalty."""
    trainer: Trainer
    batch: dict[str, tf.Tensor]
    mean_ap: float
    loss: float


def main() -> None:
    options = _options()
    print(f'{"backbone":22}{"precision":>10}{"steps":>7}{"mAP":>7}{"loss":>8}{"seconds":>9}'
          f'{"restored":>10}{"resumed":>10}{"twins":>10}')
    for name in options.backbones:
        for precision in options.precision:
            tf.keras.backend.clear_session()
            arguments = backbones.get(name), precision, options.learning_rate
            start = time.monotonic()
            found = learn(*arguments, options.max_steps, options.every)
            seconds, steps = time.monotonic() - start, found.trainer.step
            differences = _save_and_restore(found, functools.partial(_new_trainer, *arguments))
            columns = ''.join(f'{value:10.1g}' for value in differences)
            print(f'{name:22}{precision:>10}{steps:7d}{found.mean_ap:7.3f}{found.loss:8.3f}'
                  f'{seconds:9.0f}{columns}', flush=True)


def _options():
    parser = command_line.parser('python3 -m benchmarks.overfit', __doc__)
    commands.add_list(parser, '--backbones', 'backbone', backbones.names())
    commands.add_list(parser, '--precision', 'precision', PRECISIONS, ('bfloat16', 'float32'))
    parser.add_argument('--max_steps', type=int, default=400, help='Largest number of steps.')
    parser.add_argument('--every', type=int, default=10, help='Steps between evaluations.')
    parser.add_argument('--learning_rate', type=float, default=0.03, help='After 20 warm-up steps.')
    return parser.parse_args()


def learn(spec: BackboneSpec, precision: str, learning_rate: float, max_steps: int,
          every: int) -> Learned:
    """Trains on the eight images until the mAP on them is 1, or for max_steps.

    Args:
        precision: one of nets.spec.PRECISIONS.
        learning_rate: after 20 warm-up steps.
        every: steps between evaluations.
    """
    tf.keras.utils.set_random_seed(1)
    batch, truths = _eight_images(spec)
    trainer = _new_trainer(spec, precision, learning_rate)
    detect = Detector(trainer.model).detect
    best, scalars = 0., {}
    while trainer.step < max_steps and best < 1:
        for _ in range(every):
            scalars = trainer.train_step(batch)
        best = max(best, _mean_ap(detect(batch['images']), truths))
    return Learned(trainer, batch, best, float(scalars['loss'] - scalars['losses']['l2']))


def _new_trainer(spec, precision, learning_rate):
    model = ssd.SSD(spec, len(shapes.SHAPES) + 1, precision=precision, batch_norm_decay=0.8).build()
    return Trainer(model, Schedule(learning_rate, 10**6, warmup=20), clip=10.)


def _eight_images(spec):
    """Eight drawn images, each with objects: (training batch, {image id: GroundTruth})."""
    drawn = (shapes.draw(np.random.default_rng([2, number])) for number in range(100))
    drawn = [(image, objects) for image, objects in drawn if objects][:IMAGES]
    match = functools.partial(targets.match, defaults=anchors.default_boxes(spec))
    images, classes, offsets, truths = [], [], [], {}
    for number, (image, objects) in enumerate(drawn):
        edges = np.array([item[1:5] for item in objects], float)
        labels = np.array([shapes.SHAPES.index(item[0]) + 1 for item in objects])
        boxes = (edges / np.tile(image.shape[:2], 2)).astype(np.float32)
        truths[str(number)] = voc_eval.GroundTruth(boxes * 300, labels, np.zeros(len(labels), bool))
        images.append(pipeline.resize_image(image, spec.image_size))
        for values, target in zip((classes, offsets), match(boxes, labels), strict=True):
            values.append(target)
    batch = {'images': images, 'classes': classes, 'offsets': offsets}
    return {name: tf.stack(values) for name, values in batch.items()}, truths


def _mean_ap(found, truths):
    detections = {}
    arrays = (values.numpy() for values in found)
    for number, (boxes, scores, classes, count) in enumerate(zip(*arrays, strict=True)):
        detections[str(number)] = voc_eval.Detection(
            boxes[:count] * 300, classes[:count], scores[:count])
    return voc_eval.evaluate(detections, truths, shapes.SHAPES, 'area').mean_ap


def _save_and_restore(learned, new_trainer):
    """The columns restored, resumed and twins."""
    trainer, twins = learned.trainer, (new_trainer(), new_trainer())
    with tempfile.TemporaryDirectory() as folder:
        prefix = state.save(trainer, folder)
        for twin in twins:
            state.resume(twin, prefix)
    restored = _difference(trainer, twins[0], learned.batch)
    for _ in range(2):
        for one in (trainer, *twins):
            one.train_step(learned.batch)
    return (restored, _difference(trainer, twins[0], learned.batch),
            _difference(*twins, learned.batch))


def _difference(one, other, batch):
    """Largest difference of a logit between two trainings."""
    logits = [tf.function(Detector(trainer.model).network)(batch['images'])[0]
              for trainer in (one, other)]
    return float(tf.reduce_max(tf.abs(logits[0] - logits[1])))


if __name__ == '__main__':
    run(main)
