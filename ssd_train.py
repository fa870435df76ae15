"""Trains an SSD detector on records written by ssd_image_to_tf.py.

    python3 ssd_train.py --training_mode=finetune_new_ssd_step1 --max_steps=1000
    python3 ssd_train.py --training_mode=finetune_new_ssd_step2 --max_steps=120000

Reads configs/config_general.py, config_common.py and config_train.py. Interrupted, it saves; started again, it goes on.
"""
import fnmatch
import functools
import os

import numpy as np

from configs import load
from configs.errors import UserError
from configs.script import quiet, run

with quiet():
    from datasets import DataError, evaluation, tfrecord, visualize, voc_eval
    from nets import anchors, backbones, checkpoint, detector, learning, ssd, starting_point, targets
    from nets.slim_compat import tf
    from preprocessing import normalize, pipeline


def main():
    config = load('ssd_train', description=__doc__)
    spec = backbones.from_config_name(config.backbone_network, config.resnet_depth, config.default_box_set)
    folder = config.output or f'checkpoints/{config.backbone_network}'
    tf.keras.utils.set_random_seed(config.seed)

    # 1 data preparation: what the records hold, and where the weights come from
    index = tfrecord.read_index(config.train_records)
    held_out = _held_out(config.eval_records, index)
    print(f'{index.images} training images, {len(index.classes)} classes, from {config.train_records}')
    facts = starting_point.describe(spec, config.training_mode, index.classes)
    start = starting_point.choose(config.training_mode, spec, folder, config.checkpoint, config.restart, facts)

    # 2 preprocessing: augmented batches with their matched default boxes, from the step that training goes on with
    match = functools.partial(targets.match, defaults=anchors.default_boxes(spec), threshold=config.match_threshold)
    batches = pipeline.training_batches(
        index, spec.image_size, config.batch_size, fill=normalize.mean_colour(spec.pixels), seed=config.seed,
        start_step=start.step, threads=config.data_threads, use_difficult=config.use_difficult,
        target_fn=lambda boxes, labels: dict(zip(('classes', 'offsets'), match(boxes, labels), strict=True)),
        distort=config.augment_distort, zoom_out=config.augment_zoom_out, crop=config.augment_crop, flip=config.augment_flip,
        zoom_out_max=config.zoom_out_max)

    # 3 SSD model; step 1 freezes the whole backbone
    frozen = ('*',) if config.training_mode == starting_point.STEP1 else _patterns(config.frozen_layers)
    model = ssd.SSD(spec, len(index.classes) + 1, precision=config.precision,
                    frozen=frozen, freeze_batch_norm=config.freeze_batch_norm,
                    batch_norm_decay=config.batch_norm_decay or None).build()
    trainer = learning.Trainer(
        model, learning.Schedule(config.learning_rate * config.batch_size / 32, config.max_steps, config.schedule,
                                 config.warmup_steps),
        functools.partial(normalize.normalize, pixels=spec.pixels), momentum=config.momentum,
        weight_decay=config.weight_decay, bias_rate=config.bias_rate, clip=config.clip_gradients,
        average=config.weight_average, negative_ratio=config.negative_ratio)
    _refuse_idle(frozen, model)
    print(starting_point.apply(start, trainer, spec))
    print(f'{config.backbone_network}: {checkpoint.parameters(model.variables):,} parameters, '
          f'{checkpoint.parameters(trainer.variables):,} learn; {spec.num_default_boxes} default boxes; {_devices()}')

    # 4 training
    log = Log(folder, config, index.classes, trainer.step)
    keeper = Keeper(trainer, folder, config.keep_checkpoints, facts | {'started_from': start.origin})
    detect = detector.Detector(model, trainer.normalize, score_threshold=config.score_threshold,
                               nms_threshold=config.nms_threshold, top_k=config.nms_top_k, keep_top_k=config.keep_top_k)
    evaluate = held_out and functools.partial(_evaluate, detect, keeper, log, held_out, config)
    stopped = learning.train(trainer, batches, config.max_steps, log_every=config.log_every, save_every=config.save_every,
                             save=keeper.save, report=log.report, evaluate=evaluate, eval_every=config.eval_every)
    print(f'{"stopped by " + stopped if stopped else "finished"} at step {trainer.step}; checkpoints are in {folder}')
    return 130 if stopped else 0


def _patterns(text):
    return tuple(pattern.strip() for pattern in text.split(',') if pattern.strip())


def _refuse_idle(frozen, model):
    """A pattern of frozen layers that fits no variable is a slip."""
    scope = model.spec.imagenet.scope + '/'
    names = [v.name[len(scope):] for v in model.trainable_variables if v.name.startswith(scope)]
    for pattern in frozen:
        if not fnmatch.filter(names, pattern):
            layers = list(dict.fromkeys(name.split('/')[0] for name in names))
            raise UserError(f"frozen_layers: '{pattern}' fits no variable of {model.spec.name}; its layers are "
                            f'{", ".join(layers)} (write LAYER/*)')


def _held_out(folder, index):
    """The held-out records, which must have the training records' classes; None where none are configured."""
    if not folder:
        return None
    held_out = tfrecord.read_index(folder)
    if held_out.classes != index.classes:
        raise UserError(f'{folder} has the classes {", ".join(held_out.classes)}; the training records have '
                        f'{", ".join(index.classes)}')
    return held_out


def _devices():
    gpus = tf.config.list_physical_devices('GPU')
    return f'{len(gpus)} GPU' if gpus else f'no GPU found, computing on {os.cpu_count()} CPU cores'


class Keeper:
    """Writes checkpoints with their description, and keeps the best one beside the last ones."""

    def __init__(self, trainer, folder, keep, facts):
        self.trainer, self.folder, self.keep, self.facts = trainer, folder, keep, facts
        self.best_folder = os.path.join(folder, 'best')
        self.best = checkpoint.read_description(os.path.join(self.best_folder, checkpoint.NAME)).get('mean_ap', 0.)

    def save(self):
        checkpoint.write_description(self.folder, **self.facts)
        print(f'saved {self.trainer.save(self.folder, self.keep)}', flush=True)

    def offer(self, mean_ap: float) -> bool:
        """Keeps the present weights in <folder>/best if their mAP is the best so far."""
        if not mean_ap > self.best:
            return False
        self.best = mean_ap
        checkpoint.write_description(self.best_folder, **self.facts, mean_ap=mean_ap, step=self.trainer.step)
        self.trainer.save(self.best_folder, keep=1)
        return True


class Log:
    """Progress lines on stdout, scalars and pictures for TensorBoard in <folder>/logs."""

    def __init__(self, folder, config, classes, step):
        self.config, self.classes = config, classes
        self.progress = learning.Progress(config.max_steps, config.batch_size, step)
        self.writer = tf.summary.create_file_writer(os.path.join(folder, 'logs'))
        self.pictures = 0

    def report(self, step, scalars, batch):
        """One line, the scalars, and at the start of a run a few augmented images with their boxes."""
        pace, left = self.progress.mark(step)
        print(f'step {step}/{self.config.max_steps}  loss {scalars["loss"]:.3f} (confidence {scalars["confidence"]:.3f}, '
              f'localization {scalars["localization"]:.3f}, l2 {scalars["l2"]:.3f})  lr {scalars["learning_rate"]:.2g}  '
              f'matched {scalars["matched"]:.1f}  {pace:.1f} images/s  {left} left', flush=True)
        with self.writer.as_default(step=step):
            for name, value in (scalars | {'images_per_second': pace}).items():
                tf.summary.scalar(name, value)
            if self.pictures < 3:
                self.pictures += 1
                tf.summary.image('augmented', _with_boxes(batch, self.classes, 4), max_outputs=4)
        self.writer.flush()

    def evaluation(self, step, result):
        with self.writer.as_default(step=step):
            tf.summary.scalar('mean_ap', result.mean_ap)
        self.writer.flush()


def _with_boxes(batch, classes, count):
    """uint8 [count, S, S, 3]: the batch's first images with their objects drawn."""
    images, boxes, labels = (batch[name][:count].numpy() for name in ('images', 'boxes', 'labels'))
    return np.stack([visualize.draw_detections(image, box[label > 0], label[label > 0], None, classes)
                     for image, box, label in zip(images, boxes, labels, strict=True)])


def _evaluate(detect, keeper, log, held_out, config):
    """VOC mAP of the present weights on the held-out records. detect: nets.detector.Detector of the model that is trained."""
    trainer = keeper.trainer
    batches = pipeline.evaluation_batches(held_out, trainer.model.spec.image_size, config.batch_size,
                                          max_images=config.eval_images)
    with trainer.averaged():
        found = evaluation.detect_all(detect, batches)
    result = voc_eval.evaluate(found.detections, found.ground_truths, held_out.classes)
    log.evaluation(trainer.step, result)
    best = keeper.offer(result.mean_ap)
    print(f'step {trainer.step}: mAP 07 {result.mean_ap:.4f}, over classes with 20+ objects {result.mean_over(20):.4f}, '
          f'{len(found.ground_truths)} held-out images' + (f'; best so far, kept in {keeper.best_folder}' if best else ''),
          flush=True)


if __name__ == '__main__':
    run(main, DataError, checkpoint.CheckpointError, learning.NotFinite)
