"""Trains an SSD detector on records written by ssd_image_to_tf.py.

    python3 ssd_train.py --training_mode=finetune_new_ssd_step1 --max_steps=1000
    python3 ssd_train.py --training_mode=finetune_new_ssd_step2 --max_steps=120000

Reads configs/config_general.py, config_common.py and config_train.py. Interrupted, it saves; started again, it goes on.
"""
import fnmatch
import functools
import os

from configs import comparable_settings, detection_settings, load
from utils.errors import UserError
from utils.script import quiet, run

with quiet():
    from checkpoints import io as checkpoint
    from datasets import tfrecord
    from detection import detector
    from evaluation import collect
    from evaluation import voc as voc_eval
    from nets import anchors, backbones, ssd, targets
    from nets.slim_compat import prepare_devices, tf
    from preprocessing import damage, normalize, pipeline
    from training import distribution, starting_point
    from training.log import Keeper, Log
    from training.trainer import Schedule, Trainer, train


def main() -> int:
    config = load('ssd_train', description=__doc__)
    spec = backbones.from_config_name(config.backbone_network, config.resnet_depth, config.default_box_set)
    spec, note = starting_point.record(config.training_mode, spec, config.output, config.checkpoint, config.restart)
    folder = config.output or checkpoint.default_folder(spec)
    tf.keras.utils.set_random_seed(config.seed)
    prepare_devices(config.deterministic, config.xla)
    strategy = distribution.strategy(config.distribution)
    share = distribution.share(strategy, config.batch_size, config.accumulate)
    say = print if distribution.is_chief(strategy) else _silent

    if note:
        say(note)

    # 1 data preparation: what the records hold, and where the weights come from
    index = tfrecord.read_index(config.train_records)
    held_out = _held_out(config.eval_records, index)
    say(f'{index.images} training images, {len(index.classes)} classes, from {config.train_records}')
    facts = checkpoint.describe(spec, config.training_mode, index.classes)
    start = distribution.chief_first(strategy, lambda: starting_point.choose(
        config.training_mode, spec, folder, config.checkpoint, config.restart, facts))
    _make(folder)

    # 2 preprocessing: augmented batches with their matched default boxes, from the step that training goes on with
    match = functools.partial(targets.match, defaults=anchors.default_boxes(spec), threshold=config.match_threshold)
    training_batches = functools.partial(
        pipeline.training_batches, index, spec.image_size, config.batch_size,
        fill=normalize.mean_colour(spec.normalization), seed=config.seed,
        start_step=start.step, threads=config.data_threads, use_difficult=config.use_difficult,
        target_fn=lambda boxes, labels: dict(zip(('classes', 'offsets'), match(boxes, labels), strict=True)),
        distort=config.augment_distort, zoom_out=config.augment_zoom_out, crop=config.augment_crop, flip=config.augment_flip,
        zoom_out_max=config.zoom_out_max)
    batches = distribution.batches(strategy, training_batches)

    # 3 SSD model; step 1 freezes the whole backbone
    frozen = ('*',) if config.training_mode == starting_point.STEP1 else _patterns(config.frozen_layers)
    with strategy.scope():
        model = ssd.SSD(spec, len(index.classes) + 1, precision=config.precision, frozen=frozen,
                        freeze_batch_norm=config.freeze_batch_norm, batch_norm_decay=config.batch_norm_decay or None,
                        synchronized=config.sync_batch_norm).build()
    trainer = Trainer(
        model, Schedule(config.learning_rate * config.batch_size / 32, config.max_steps, config.schedule,
                        config.warmup_steps),
        functools.partial(normalize.normalize, normalization=spec.normalization), momentum=config.momentum,
        weight_decay=config.weight_decay, bias_rate=config.bias_rate, clip=config.clip_gradients,
        accumulate=config.accumulate, average=config.weight_average, negative_ratio=config.negative_ratio, strategy=strategy)
    _refuse_idle(frozen, model)
    say(starting_point.apply(start, trainer, spec))
    say(f'ssd_{spec.name}: {checkpoint.parameters(model.variables):,} parameters, '
        f'{checkpoint.parameters(trainer.variables):,} learn; {spec.num_default_boxes} default boxes; '
        f'{_devices(strategy)}, {share} images each')

    # 4 training
    chief = distribution.is_chief(strategy)  # the others compute, and write nothing
    log = Log(folder, index.classes, trainer, start.origin, vars(config), comparable_settings(config, 'ssd_train'),
              detection_settings(config)) if chief else None
    keeper = Keeper(trainer, folder, config.keep_checkpoints, facts | {'started_from': start.origin})
    detect = detector.Detector(model, trainer.normalize, score_threshold=config.score_threshold,
                               nms_threshold=config.nms_threshold, top_k=config.nms_top_k, keep_top_k=config.keep_top_k)
    evaluate = held_out and functools.partial(_evaluate, distribution.shared(detect, strategy, model), trainer, held_out, config,
                                              functools.partial(_note, keeper, log))
    with damage.named(index), distribution.loss_named(strategy):
        stopped = train(
            trainer, batches, config.max_steps, log_every=config.log_every, save_every=config.save_every,
            save=keeper.save if chief else _silent, report=log.report if chief else _silent, evaluate=evaluate,
            eval_every=config.eval_every)
    if log:
        log.draw()
    say(f'stopped by {stopped} at step {trainer.step}, saved in {folder}; the same command goes on from there' if stopped
        else f'finished at step {trainer.step}; checkpoints are in {folder}')
    return 130 if stopped else 0


def _make(folder):
    """The output folder, before what takes long."""
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise UserError(f'folder {folder} cannot be made: {error.strerror}; choose another --output') from None


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


def _devices(strategy):
    """What computes, in words."""
    kind = 'GPU' if tf.config.list_physical_devices('GPU') else f'CPU (no GPU found; {os.cpu_count()} cores)'
    return f'{strategy.num_replicas_in_sync} x {kind}'


def _silent(*_, **__):
    """In place of print where another worker writes."""


def _evaluate(detect, trainer, held_out, config, note):
    """VOC mAP of the weights, or of their moving average, on the held-out records. detect: detection.detector.Detector of the
    model that is trained, perhaps shared between devices.  note: (step, result, number of images) -> None.
    """
    batches = pipeline.evaluation_batches(held_out, trainer.model.spec.image_size, config.batch_size,
                                          max_images=config.eval_images)
    with damage.named(held_out, skippable=False), trainer.averaged():
        found = collect.detect_all(detect, batches)
    note(trainer.step, voc_eval.evaluate(found.detections, found.ground_truths, held_out.classes), len(found.ground_truths))


def _note(keeper, log, step, result, images):
    """Keeps the checkpoint if it is the best, and logs the evaluation. log: None on workers that do not write."""
    if log is None:
        return
    best = keeper.offer(result.mean_ap)
    log.evaluation(step, result, best, images)
    print(f'step {step}: mAP 07 {voc_eval.number(result.mean_ap)}, over classes with 20+ objects '
          f'{voc_eval.number(result.mean_over(20))}, {images} held-out images'
          + (f'; best so far, kept in {keeper.best_folder}' if best else ''), flush=True)


if __name__ == '__main__':
    run(main)
