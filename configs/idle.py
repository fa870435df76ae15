"""Settings that have no effect beside others. One that a user gives is refused, with the way out.

Defaults never trip, nor does a key that is given its default.
"""
import typing
from collections.abc import Callable, Collection, Mapping

from configs.keys import Value
from utils.choices import STEP1
from utils.errors import UserError

Values = Mapping[str, Value]
Rules = list[tuple[tuple[str, ...], Callable[[Values], typing.Any], str]]


def _formats(values: Values) -> list[str]:
    return [word.strip() for word in values['formats'].split(',')]


# Script -> [(keys, values -> whether they have an effect, what they need for it)].
_RULES: dict[str, Rules] = {
    'ssd_image_to_tf': [
        (('split_seed',), lambda v: v['split'], '--split=FRACTION'),
        (('voc',), lambda v: not (v['data'] or v['coco']), 'neither --data nor --coco'),
        (('coco',), lambda v: not v['data'], 'no --data'),
        (('image_set',), lambda v: not v['split'], '--split=0, as split replaces the lists'),
    ],
    'ssd_train': [
        (('eval_every', 'eval_images', 'patience', 'score_threshold', 'nms_threshold', 'nms_top_k',
          'keep_top_k'), lambda v: v['eval_records'], '--eval_records=FOLDER'),
        (('learning_rate_drops',), lambda v: v['schedule'] == 'steps', '--schedule=steps'),
        (('max_steps',), lambda v: not v['epochs'], '--epochs=0, as epochs replaces it'),
        (('zoom_out_max',), lambda v: v['augment_zoom_out'], '--augment_zoom_out=True'),
        (('frozen_layers', 'freeze_batch_norm'), lambda v: v['training_mode'] != STEP1,
         f'another mode than {STEP1}, which freezes the whole backbone'),
        (('sync_batch_norm',), lambda v: v['distribution'] != 'one',
         '--distribution=mirrored or multi_worker'),
        (('freeze_batch_norm', 'sync_batch_norm', 'batch_norm_decay'),
         lambda v: 'vgg' not in v['backbone_network'],
         'a backbone with batch norm, which VGG has not'),
    ],
    'ssd_test': [
        (('coco_annotations',), lambda v: v['write_detections'].endswith('.json'),
         '--write_detections=FILE.json'),
        (('checkpoint', 'backbone_network', 'resnet_depth', 'default_box_set', 'precision',
          'score_threshold', 'nms_threshold', 'nms_top_k', 'keep_top_k'),
         lambda v: not v['model'], 'no --model, as an exported detector has its own'),
    ],
    'ssd_export': [
        (('calibration_records',), lambda v: 'tflite_int8' in _formats(v),
         '--formats=tflite_int8'),
        (('fixed_batch',), lambda v: set(_formats(v)) != {'saved_model'},
         '--formats=onnx or one of TFLite'),
        (('score_threshold', 'nms_threshold', 'nms_top_k', 'keep_top_k'),
         lambda v: v['suppression'], '--suppression=True'),
    ],
}
# Of every script that has these keys.
_COMMON: Rules = [
    (('resnet_depth',), lambda v: v['backbone_network'].startswith('ssd_resnet'),
     '--backbone_network=ssd_resnet_v1 or ssd_resnet_v2')]


def refuse(script: str, of_recipe: Values, given: Collection[str], values: Values,
           defaults: Values) -> None:
    """Raises UserError for a key that was given a value which cannot have an effect.

    Args:
        script: its name.
        of_recipe: what a recipe sets. Only those that have no effect in the recipe itself
            count: what the command line changes may leave some of it without effect.
        given: keys of the command line.
        values: of all keys.
        defaults: of all keys.
    """
    alone = {**defaults, **of_recipe}
    for keys, has_effect, needed in (*_RULES.get(script, ()), *_COMMON):
        for key in keys:
            if values.get(key) == defaults.get(key) or has_effect(values):
                continue
            if key in given or key in of_recipe and not has_effect(alone):
                raise UserError(f'{key} has no effect here: it needs {needed}')
