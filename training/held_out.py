"""Held-out images: what a training is evaluated on, by its detections and by its loss."""
import collections
import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from checkpoints import identity
from datasets import tfrecord
from evaluation import collect
from evaluation import voc as voc_eval
from nets.slim_compat import tf
from preprocessing import damage, pipeline
from training import distribution
from training.trainer import Trainer
from utils.errors import DataError, UserError


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """One evaluation of a training.

    Attributes:
        result: of the detections.
        losses: the terms of the training's loss on the images as they are, without augmentation and
            L2, divided by the matched boxes of all images.
        images: their number.
    """
    result: voc_eval.VocResult
    losses: dict[str, float]
    images: int


@dataclasses.dataclass(frozen=True)
class HeldOut:
    """Held-out records and how they are read.

    Attributes:
        index: the records.
        batch_size: images of a step.
        most: images that are used; 0: all.
        matched, use_difficult: what is learned of them; see
            preprocessing.pipeline.training_batches.
    """
    index: tfrecord.RecordIndex
    batch_size: int
    most: int
    matched: Callable[[tf.Tensor, tf.Tensor], dict[str, tf.Tensor]]
    use_difficult: bool = True

    def about(self) -> dict[str, object]:
        """What is measured on: records, records_id, and the number of images that count."""
        images = min(self.most or self.index.images, self.index.images)
        return identity.of_records(self.index.folder) | {'images': images}

    def evaluate(self, trainer: Trainer,
                 detect: Callable[[tf.Tensor], Iterable]) -> Evaluation | None:
        """Evaluates the weights of a training, or their average.

        None where the records cannot be read, which one line says; with several workers that ends
        the training, since the others wait for their part.
        """
        batches = pipeline.evaluation_batches(
            self.index, trainer.model.spec.image_size, self.batch_size, max_images=self.most,
            target_fn=self.matched, use_difficult=self.use_difficult)
        losses: collections.Counter = collections.Counter()
        try:
            with damage.named(self.index), trainer.average.taken():
                found = collect.detect_all(detect, _add_losses(trainer, batches, losses))
        except DataError as error:
            if distribution.worker(trainer.strategy)[1] > 1:
                raise
            print(f'not evaluated at step {trainer.step}: {error}', flush=True)
            return None
        matched = max(losses.pop('matched', 0.), 1.)
        return Evaluation(
            voc_eval.evaluate(found.detections, found.ground_truths, self.index.classes),
            {name: value / matched for name, value in losses.items()}, len(found.ground_truths))


def _add_losses(trainer: Trainer, batches: Iterable[Mapping[str, tf.Tensor]],
                losses: collections.Counter) -> Iterator[Mapping[str, tf.Tensor]]:
    """Passes batches on without their targets, of which `losses` gets the sums."""
    for batch in batches:
        losses.update({name: float(value) for name, value in trainer.loss_sums(batch).items()})
        yield {name: value for name, value in batch.items() if name not in ('classes', 'offsets')}


def read_held_out(folder: str, classes: Sequence[str]) -> tfrecord.RecordIndex:
    """The held-out records of a folder; UserError if their classes are not the training's."""
    index = tfrecord.read_index(folder)
    if index.classes != tuple(classes):
        raise UserError(f'{folder} has the classes {", ".join(index.classes)}; the training '
                        f'records have {", ".join(classes)}; convert it again with '
                        '--classes_file=FILE, such as classes.txt of the training records')
    return index


def waited_enough(scores: Sequence[float], patience: int) -> bool:
    """Whether the last `patience` evaluations are not better than the best one before them.

    Args:
        scores: mAP of all evaluations of a training, in order. NaN, without objects, is none.
        patience: 0: never.
    """
    best, since = 0., 0
    for score in scores:
        if score > best:
            best, since = score, 0
        elif score <= best:
            since += 1
    return 0 < patience <= since
