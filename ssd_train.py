"""Trains an SSD detector on records written by ssd_image_to_tf.py.

    python3 ssd_train.py --recipe=own_images
    python3 ssd_train.py --training_mode=finetune_new_ssd_step1 --max_steps=1000

Reads configs/config_general.py, config_common.py and config_train.py. Interrupted, it saves;
started again, it goes on.
"""
import contextlib
import math
import shlex
import sys

from configs import Config, detection_settings, load
from utils import processor
from utils.choices import STEP1
from utils.command_line import words
from utils.report import version
from utils.script import imports, run
from utils.signals import StopRequest
from utils.text import counted

processor.use_onednn()
with imports():
    from checkpoints import io as checkpoint
    from datasets import tfrecord
    from detection import detector
    from nets import anchors, backbones, postprocess, ssd, targets
    from nets.slim_compat import has_gpu, prepare_devices, tf
    from nets.spec import BackboneSpec
    from preprocessing import damage, normalize, pipeline
    from training import checks, distribution, precision, starting_point
    from training.bookkeeping import Bookkeeping
    from training.held_out import HeldOut, read_held_out
    from training.schedule import Schedule, parse_drops
    from training.trainer import Trainer
    from utils import files


def main() -> int:
    config = load('ssd_train', description=__doc__)
    spec = backbones.from_config_name(config.backbone_network, config.resnet_depth,
                                      config.default_box_set)
    folder = config.output or checkpoint.default_folder(spec)
    tf.keras.utils.set_random_seed(config.seed)
    prepare_devices(config.deterministic)
    strategy = distribution.strategy(config.distribution)
    with files.held(folder) if distribution.is_chief(strategy) else contextlib.nullcontext():
        return train(config, spec, folder, strategy)


def train(config: Config, spec: BackboneSpec, folder: str, strategy: tf.distribute.Strategy) -> int:
    """Trains, with the chief's results in `folder`; returns the exit code."""
    share = distribution.share(strategy, config.batch_size, config.accumulate)
    distribution.check_xla(strategy, config.xla)

    # 1 data preparation: what the records hold, and where the weights come from
    index = tfrecord.read_index(config.train_records)
    with damage.named(index):
        tfrecord.check_objects(index)
    evaluated = read_held_out(config.eval_records, index.classes) if config.eval_records else None
    schedule = _schedule(config, index.images)
    distribution.say(strategy, f'{index.images} training images, '
                               f'{counted(len(index.classes), "class")}, '
                               f'from {config.train_records}')
    start = starting_point.choose(config.training_mode, spec, folder, config.checkpoint,
                                  config.restart, index.classes)
    spec = start.spec

    # 2 preprocessing: augmented batches with their targets, from the step where training goes on
    defaults = anchors.default_boxes(spec)

    def matched(boxes, labels):
        classes, offsets = targets.match(boxes, labels, defaults, config.match_threshold)
        return {'classes': classes, 'offsets': offsets}

    batches = distribution.batches(strategy, lambda **part: pipeline.training_batches(
        index, spec.image_size, config.batch_size, fill=normalize.mean_colour(spec.normalization),
        seed=config.seed, start_step=start.step, threads=config.data_threads,
        use_difficult=config.use_difficult, target_fn=matched, **_augmentation(config), **part))

    # 3 SSD model, and the trainer with the weights to start from
    model = _model(config, spec, len(index.classes) + 1, strategy)
    trainer = Trainer(model, schedule, momentum=config.momentum, weight_decay=config.weight_decay,
                      bias_rate=config.bias_rate, backbone_rate=config.backbone_rate,
                      clip=config.clip_gradients, accumulate=config.accumulate,
                      average=config.weight_average,
                      negative_ratio=config.negative_ratio, min_negatives=config.min_negatives,
                      strategy=strategy, xla=config.xla and has_gpu())
    start, said, report = starting_point.begin(start, folder, trainer)
    distribution.say(strategy, said)
    distribution.say(strategy, checks.summary(trainer, share, config.xla and has_gpu()))

    # 4 training: next batch, step; then log, save and evaluate when it is time
    held_out = evaluated and HeldOut(evaluated, config.batch_size, config.eval_images, matched,
                                     config.use_difficult)
    books = _bookkeeping(config, start, folder, trainer, held_out)
    books.begin(_settings(config, model), report, index.classes)
    with StopRequest('stopping after this step') as request, damage.named(index), \
            distribution.loss_named(strategy):
        for step, batch in zip(range(start.step + 1, schedule.max_steps + 1), batches,
                               strict=False):
            if books.waited_enough:
                break
            scalars = trainer.train_step(batch, stop=bool(request.name))
            stopped = distribution.stop_reason(strategy, request.name, scalars['stop'])
            books.after(step, scalars, batch, stopped)
            if stopped:
                break
    return books.end()


def _schedule(config, images):
    max_steps = math.ceil(config.epochs * images / config.batch_size) or config.max_steps
    return Schedule(config.learning_rate * config.batch_size / 32, max_steps, config.schedule,
                    config.warmup_steps, parse_drops(config.learning_rate_drops, max_steps))


def _augmentation(config):
    return {'distort': config.augment_distort, 'zoom_out': config.augment_zoom_out,
            'crop': config.augment_crop, 'flip': config.augment_flip,
            'flip_vertical': config.augment_flip_vertical,
            'quarter_turns': config.augment_quarter_turns, 'zoom_out_max': config.zoom_out_max}


def _model(config, spec, num_classes, strategy):
    """The network; step 1 freezes its whole backbone."""
    frozen = ('*',) if config.training_mode == STEP1 else tuple(words(config.frozen_layers))
    with strategy.scope():
        model = ssd.SSD(spec, num_classes, frozen=frozen,
                        precision=precision.choose(config.precision, spec, strategy),
                        freeze_batch_norm=config.freeze_batch_norm,
                        batch_norm_decay=config.batch_norm_decay or None,
                        synchronized=config.sync_batch_norm).build()
    checks.check_frozen(frozen, model)
    if model.learns_statistics:
        distribution.check_batch_norm(strategy, config.batch_size, config.accumulate,
                                      config.sync_batch_norm)
    return model


def _bookkeeping(config, start, folder, trainer, held_out):
    limits = postprocess.Limits(config.score_threshold, config.nms_threshold, config.nms_top_k,
                                config.keep_top_k)
    detect = detector.Detector(trainer.model, limits=limits).detect
    every = {'log': config.log_every, 'save': config.save_every, 'evaluate': config.eval_every}
    return Bookkeeping(trainer, start, folder, every=every, keep=config.keep_checkpoints,
                       held_out=held_out, patience=config.patience,
                       detect=distribution.shared(detect, trainer.strategy, trainer.model),
                       settings=detection_settings(config) | {
                           'iou': 0.5, 'precision': trainer.model.dtype.name},
                       batch_size=config.batch_size)


def _settings(config, model):
    """The keys of a training, without the order to start again; and how it was called."""
    keys = vars(config) | {'precision': model.dtype.name}
    del keys['restart']
    return keys, {'version': version(), 'command': shlex.join(sys.argv)}


if __name__ == '__main__':
    run(main)
