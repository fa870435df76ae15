"""Settings without effect are refused in one line, with the way out; defaults never are."""
import json

import pytest

from configs import SCRIPTS, idle, load, recipe
from utils.errors import UserError


@pytest.mark.parametrize('script, words, message', [
    ('ssd_train', ['--patience=5'], 'patience has no .* --eval_records=FOLDER'),
    ('ssd_train', ['--eval_every=5'], 'eval_every has no .* --eval_records'),
    ('ssd_train', ['--eval_images=5'], 'eval_images has no effect'),
    ('ssd_train', ['--nms_threshold=0.5'], 'nms_threshold has no effect'),
    ('ssd_train', ['--learning_rate_drops=10,20'], 'drops has no .* --schedule=steps'),
    ('ssd_train', ['--recipe=own_images', '--max_steps=9'], 'max_steps has no .* --epochs=0'),
    ('ssd_train', ['--zoom_out_max=2', '--augment_zoom_out=False'], '--augment_zoom_out=True'),
    ('ssd_train', ['--training_mode=finetune_new_ssd_step1', '--frozen_layers=a'], 'frozen_layers'),
    ('ssd_train', ['--sync_batch_norm=True'], '--distribution=mirrored'),
    ('ssd_train', ['--backbone_network=ssd_vgg_300', '--batch_norm_decay=0.9'], 'VGG has not'),
    ('ssd_train', ['--resnet_depth=101'], 'no effect .*=ssd_resnet_v1'),
    ('ssd_demo', ['--backbone_network=ssd_inception_resnet_v2', '--resnet_depth=101'], 'it needs'),
    ('ssd_test', ['--model=x.tflite', '--score_threshold=0.5'], 'score_threshold .* no --model'),
    ('ssd_test', ['--coco_annotations=a.json'], '--write_detections=FILE.json'),
    ('ssd_export', ['--calibration_records=a'], '--formats=tflite_int8'),
    ('ssd_export', ['--formats=saved_model', '--fixed_batch=1'], '--formats=onnx or one of'),
    ('ssd_export', ['--suppression=False', '--keep_top_k=9'], 'keep_top_k .*--suppression=True'),
    ('ssd_image_to_tf', ['--split_seed=3'], 'split_seed has no effect here: it needs --split='),
    ('ssd_image_to_tf', ['--voc=a', '--data=b'], 'voc has no effect here'),
    ('ssd_image_to_tf', ['--split=0.8', '--image_set=train'], 'image_set has no effect here')])
def test_what_has_no_effect_is_refused(script, words, message):
    with pytest.raises(UserError, match=message):
        load(script, words)


@pytest.mark.parametrize('script, words', [
    ('ssd_train', ['--patience=0', '--eval_every=2000', '--resnet_depth=50']),  # the defaults
    ('ssd_train', ['--patience=5', '--eval_records=a', '--score_threshold=0.1']),
    ('ssd_train', ['--schedule=steps', '--learning_rate_drops=10']),
    ('ssd_train', ['--recipe=own_images', '--max_steps=9', '--epochs=0']),
    ('ssd_train', ['--recipe=voc0712_vgg300', '--schedule=cosine']),  # drops are the recipe's
    ('ssd_image_to_tf', ['--recipe=voc0712_vgg300', '--data=a']),
    ('ssd_export', ['--calibration_records=a', '--formats=onnx, tflite_int8']),
    ('ssd_demo', ['--backbone_network=ssd_resnet_v2', '--resnet_depth=101'])])
def test_what_has_an_effect_passes(script, words):
    load(script, words)


@pytest.mark.parametrize('script', SCRIPTS)
def test_defaults_and_recipes_pass(script):
    load(script, [])
    for name in recipe.names():
        load(script, [f'--recipe={name}'])


def test_a_recipe_is_refused_by_itself_and_settings_of_a_training_never(tmp_path):
    path = tmp_path / 'mine.py'
    path.write_text('learning_rate_drops = "10,20"\n')
    with pytest.raises(UserError, match='learning_rate_drops has no effect'):
        load('ssd_train', [f'--recipe={path}'])
    load('ssd_train', [f'--recipe={path}', '--schedule=steps'])
    load('ssd_test', [f'--recipe={path}'])
    path = tmp_path / 'settings.json'
    path.write_text(json.dumps({'settings': {'patience': 5, 'learning_rate_drops': '10,20'}}))
    assert load('ssd_train', [f'--recipe={path}']).patience == 5
    with pytest.raises(UserError, match='patience has no effect'):
        load('ssd_train', [f'--recipe={path}', '--patience=6'])


def test_rules_name_keys_that_there_are():
    for script, rules in idle._RULES.items():
        for keys, has_effect, _ in (*rules, *(() if script == 'ssd_image_to_tf' else idle._COMMON)):
            values = vars(load(script, []))
            assert set(keys) <= values.keys()
            has_effect(values)
