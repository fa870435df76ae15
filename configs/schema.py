"""What each configuration key may hold: its type and range. One line per key; `configs.load` refuses everything else."""
import dataclasses
from collections.abc import Callable

from nets import backbones
from nets.spec import BOX_SETS_300, BOX_SETS_512, PRECISIONS, RESNET_DEPTHS
from utils import choices

Value = bool | int | float | str  # of a key


@dataclasses.dataclass(frozen=True)
class Rule:
    """type: of the value.  allows: value -> bool.  what: the allowed values in words.  choices: those of a short list."""
    type: type
    allows: Callable[[Value], bool]
    what: str
    choices: tuple[Value, ...] = ()


def _integer(low, high=None):
    """From low to high, else to what an int64 holds."""
    what = f'a whole number of at least {low}' if high is None else f'a whole number from {low} to {high}'
    return Rule(int, lambda value: low <= value <= (2**63 - 1 if high is None else high), what)


def _number(low, above=False):
    """From low on, or only above it, to 1e30: float32 holds 3e38 and no infinity."""
    return Rule(float, lambda value: low <= value <= 1e30 and not (above and value == low),
                f'a number {"above" if above else "of at least"} {low}')


def _one_of(*values):
    return Rule(type(values[0]), lambda value: value in values, 'one of ' + ', '.join(map(str, values)), values)


def _some_of(*values):
    return Rule(str, lambda text: {word.strip() for word in text.split(',')} <= set(values),
                f'one of {", ".join(filter(None, values))}, or several, comma-separated')


_TEXT = Rule(str, lambda value: True, 'text')
_NAMED = Rule(str, lambda value: bool(value.strip(' ,')), 'text that is not empty')
_SWITCH = Rule(bool, lambda value: True, 'True or False')
_FRACTION = Rule(float, lambda value: 0 <= value <= 1, 'a number from 0 to 1')
_BATCH_SIZE = _integer(1, 65536)
_BOXES = _integer(1, 1_000_000)  # more than any network has, and few enough for the int32 of TensorFlow's suppression

# Config module -> {key: rule}: all keys that the module sets. A key may stand in several modules, with the same rule.
MODULES = {
    'config_general': {
        'backbone_network': _one_of(*('ssd_' + name for name in backbones.names())),
        'training_mode': _one_of(*choices.TRAINING_MODES),
        'resnet_depth': _one_of(*RESNET_DEPTHS),
        'default_box_set': _one_of(*(BOX_SETS_300 | BOX_SETS_512)),
    },
    'config_common': {
        'voc': _NAMED,
        'image_set': _NAMED,
        'coco': _TEXT,
        'coco_images': _TEXT,
        'split': Rule(float, lambda value: 0 <= value < 1, 'a number from 0 to 1, without 1'),
        'split_seed': _integer(0),
        'classes_file': _TEXT,
        'images_per_shard': _integer(1),
        'checkpoint': _TEXT,
        'precision': _one_of(*PRECISIONS),
        'score_threshold': _FRACTION,
        'nms_threshold': _FRACTION,
        'nms_top_k': _BOXES,
        'keep_top_k': _BOXES,
    },
    'config_train': {
        'train_records': _NAMED,
        'damaged_records': _one_of('stop', 'skip'),
        'eval_records': _TEXT,
        'eval_every': _integer(1),
        'eval_images': _integer(0),
        'output': _TEXT,
        'batch_size': _BATCH_SIZE,
        'accumulate': _integer(1),
        'distribution': _one_of(*choices.DISTRIBUTIONS),
        'sync_batch_norm': _SWITCH,
        'max_steps': _integer(1),
        'learning_rate': _number(0, above=True),
        'schedule': _one_of(*choices.SCHEDULES),
        'warmup_steps': _integer(0),
        'momentum': _FRACTION,
        'weight_decay': _number(0),
        'bias_rate': _number(0),
        'clip_gradients': _number(0),
        'batch_norm_decay': _FRACTION,
        'freeze_batch_norm': _SWITCH,
        'frozen_layers': _TEXT,
        'weight_average': _FRACTION,
        'negative_ratio': _number(0),
        'match_threshold': _FRACTION,
        'augment_distort': _SWITCH,
        'augment_zoom_out': _SWITCH,
        'augment_crop': _SWITCH,
        'augment_flip': _SWITCH,
        'zoom_out_max': _number(1),
        'use_difficult': _SWITCH,
        'seed': _integer(0, 2**31 - 1),
        'deterministic': _SWITCH,
        'xla': _SWITCH,
        'restart': _SWITCH,
        'log_every': _integer(1),
        'save_every': _integer(1),
        'keep_checkpoints': _integer(1),
        'data_threads': _integer(0, 1024),
    },
    'config_test': {
        'test_records': _NAMED,
        'batch_size': _BATCH_SIZE,
        'max_images': _integer(0),
        'eval_iou': _FRACTION,
        'output': _TEXT,
        'worst_errors': _integer(0),
        'write_detections': _TEXT,
    },
    'config_demo': {
        'image': _TEXT,
        'output': _TEXT,
        'format': _some_of('', 'image', 'video', 'json', 'xml'),
        'threshold': _FRACTION,
        'show_classes': _TEXT,
        'batch_size': _BATCH_SIZE,
        'show': _SWITCH,
    },
    'config_export': {
        'output': _TEXT,
        'formats': _some_of(*choices.EXPORT_FORMATS),
        'overwrite': _SWITCH,
    },
}
RULES = {key: rule for rules in MODULES.values() for key, rule in rules.items()}
