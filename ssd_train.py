"""Trains an SSD detector on records written by ssd_image_to_tf.py.

    python3 ssd_train.py --recipe=own_images
    python3 ssd_train.py --training_mode=finetune_new_ssd_step1 --max_steps=1000

Reads configs/config_general.py, config_common.py and config_train.py. Interrupted, it saves;
started again, it goes on.
"""
import contextlib
import fnmatch
import math
import shlex
import sys
import time

from configs import Config, detection_settings, load
from utils import processor
from utils.choices import STEP1
from utils.command_line import words
from utils.errors import UserError
from utils.report import version
from utils.script import imports, run
from utils.signals import StopRequest

processor.use_onednn()
with imports():
    from checkpoints import io as checkpoint
    from datasets import tfrecord
    from detection import detector
    from nets import anchors, backbones, postprocess, ssd, targets
    from nets.slim_compat import has_gpu, prepare_devices, tf
    from nets.spec import BackboneSpec
    from preprocessing import damage, normalize, pipeline
    from training import distribution, starting_point
    from training.held_out import HeldOut, read_held_out, waited_enough
    from training.keeper import Keeper
    from training.log import Log, earlier_scores
    from training.schedule import Schedule, parse_drops
    from training.trainer import Trainer, check_finite
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
    held_out_index = (read_held_out(config.eval_records, index.classes)
                      if config.eval_records else None)
    max_steps = math.ceil(config.epochs * index.images / config.batch_size) or config.max_steps
    schedule = Schedule(config.learning_rate * config.batch_size / 32, max_steps,
                        config.schedule, config.warmup_steps,
                        parse_drops(config.learning_rate_drops, max_steps))
    distribution.say(strategy, f'{index.images} training images, {len(index.classes)} classes, '
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
        use_difficult=config.use_difficult, target_fn=matched, distort=config.augment_distort,
        zoom_out=config.augment_zoom_out, crop=config.augment_crop, flip=config.augment_flip,
        flip_vertical=config.augment_flip_vertical, quarter_turns=config.augment_quarter_turns,
        zoom_out_max=config.zoom_out_max, **part))

    # 3 SSD model; step 1 freezes the whole backbone
    frozen = ('*',) if config.training_mode == STEP1 else tuple(words(config.frozen_layers))
    with strategy.scope():
        model = ssd.SSD(spec, len(index.classes) + 1, precision=config.precision, frozen=frozen,
                        freeze_batch_norm=config.freeze_batch_norm,
                        batch_norm_decay=config.batch_norm_decay or None,
                        synchronized=config.sync_batch_norm).build()
    _refuse_idle(frozen, model)
    if model.learns_statistics:
        distribution.check_batch_norm(strategy, config.batch_size, config.accumulate,
                                      config.sync_batch_norm)
    xla = config.xla and has_gpu()
    trainer = Trainer(model, schedule, momentum=config.momentum, weight_decay=config.weight_decay,
                      bias_rate=config.bias_rate, clip=config.clip_gradients,
                      accumulate=config.accumulate, average=config.weight_average,
                      negative_ratio=config.negative_ratio, min_negatives=config.min_negatives,
                      strategy=strategy, xla=xla)
    start = distribution.chief_first(
        strategy, lambda chief: starting_point.make_room(start, folder, chief))
    said, report = starting_point.restore(start, trainer)
    distribution.say(strategy, said)
    distribution.say(strategy, f'ssd_{spec.name}: {checkpoint.parameters(model.variables):,} '
                               f'parameters, {checkpoint.parameters(trainer.variables):,} learn; '
                               f'{spec.num_default_boxes} default boxes; '
                               f'{distribution.devices(strategy)}, {share} images each')
    if not has_gpu() and processor.lacks(config.precision):
        distribution.say(strategy, f'this processor has no {config.precision} of its own: '
                                   'training with --precision=float32 is several times as fast')
    if xla:
        distribution.say(strategy, 'XLA compiles the first step, which may take minutes')
    examined = held_out_index and HeldOut(held_out_index, config.batch_size, config.eval_images,
                                          matched, config.use_difficult)
    limits = postprocess.Limits(config.score_threshold, config.nms_threshold, config.nms_top_k,
                                config.keep_top_k)
    detect = distribution.shared(detector.Detector(model, limits=limits).detect, strategy, model)

    # 4 training: next batch, step, log, save, evaluate
    chief = distribution.is_chief(strategy)  # the other workers compute, and write nothing
    keeper = Keeper(trainer, folder, config.keep_checkpoints, start.facts)
    scores = earlier_scores(folder, start.step)
    if chief:
        log = Log(folder, start.step, max_steps=max_steps, batch_size=config.batch_size,
                  classes=index.classes, strategy=strategy)
        log.settings(_settings(config), start.resumed, version=version(),
                     command=shlex.join(sys.argv), started_from=start.origin or 'nothing',
                     first_step=start.step)
        log.restored(report)
    unchecked, stopped = [], ''  # steps whose loss nobody has looked at; why the training stops
    begun = time.monotonic()
    with StopRequest('stopping after this step') as request, damage.named(index), \
            distribution.loss_named(strategy):
        for step, batch in zip(range(start.step + 1, max_steps + 1), batches, strict=False):
            if waited_enough(scores, config.patience):
                break
            scalars = trainer.train_step(batch, stop=bool(request.name))
            unchecked.append((step, scalars, batch['ids']))
            if step == start.step + 1 and chief:
                float(scalars['loss'])  # waits for the step
                log.first_step_done(time.monotonic() - begun)
            stopped = distribution.stop_reason(strategy, request.name, scalars['stop'])
            last = step == max_steps or bool(stopped)
            log_now, save_now, evaluate_now = (
                last or step % every == 0
                for every in (config.log_every, config.save_every, config.eval_every))
            evaluate_now = evaluate_now and examined is not None and not stopped
            if log_now or save_now or evaluate_now:  # other steps need not wait for the device
                check_finite(unchecked, strategy)
                unchecked.clear()
            if log_now and chief:
                log.step(step, scalars, batch)
            if (save_now or evaluate_now) and chief:  # an evaluation that fails costs no step
                keeper.save()
            if evaluate_now and (found := examined.evaluate(trainer, detect)):
                scores.append(found.result.mean_ap)
                if chief:
                    log.evaluation(step, found, keeper.offer(found.result.mean_ap),
                                   records=config.eval_records, **detection_settings(config),
                                   iou=0.5)
            if stopped:
                break
    if chief:
        log.curves()
    distribution.say(strategy, _ending(config, folder, start.step, trainer.step, max_steps,
                                       stopped, scores))
    return 130 if stopped else 0


def _settings(config):
    """The keys of a training, without the order to start again."""
    return {key: value for key, value in vars(config).items() if key != 'restart'}


def _ending(config, folder, first, step, max_steps, stopped, scores):
    """How a training ended, in one line."""
    if stopped:
        return (f'stopped by {stopped} at step {step}, saved in {folder}; the same command goes '
                'on from there')
    if waited_enough(scores, config.patience):
        return (f'finished at step {step}: the last {config.patience} evaluations brought no '
                f'better mAP (--patience); the best, {max(scores):.4f}, is in {folder}/best')
    if first >= max_steps:
        return (f'nothing done: {folder} is at step {step} already; raise --max_steps or --epochs '
                'to go on')
    return f'finished at step {step}; checkpoints are in {folder}'


def _refuse_idle(frozen, model):
    """A pattern of frozen layers that fits no variable is a mistake."""
    scope = model.spec.imagenet.scope + '/'
    names = [v.name[len(scope):] for v in model.trainable_variables if v.name.startswith(scope)]
    for pattern in frozen:
        if not fnmatch.filter(names, pattern):
            layers = dict.fromkeys(name.split('/')[0] for name in names)
            raise UserError(f"frozen_layers: '{pattern}' fits no variable of {model.spec.name}; "
                            f'its layers are {", ".join(layers)} (write LAYER/*)')


if __name__ == '__main__':
    run(main)
