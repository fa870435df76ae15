"""On drawn shapes: convert, train in all modes from checkpoints made here, test, detect."""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys

import cv2
import numpy as np
import pytest

import ssd_demo
import ssd_export
import ssd_image_to_tf
import ssd_test
import ssd_train
from checkpoints import convert
from checkpoints import io as checkpoint
from datasets import annotations, shapes, tfrecord, voc_xml
from evaluation import voc as voc_eval
from nets import backbones, ssd
from tests.checkpoints import published_networks
from tests.training import tiny
from training import log
from training.finite import NotFinite
from utils.errors import DataError, UserError

BACKBONE = 'mobilenet_v2'  # the default
ROOT = pathlib.Path(__file__).resolve().parents[1]


@pytest.fixture(scope='module')
def room(tmp_path_factory):
    """A folder with drawn shapes, their records, and an ImageNet checkpoint of random weights."""
    folder = tmp_path_factory.mktemp('room')
    before = os.getcwd()
    os.chdir(folder)
    shapes.write_voc('shapes', train=10, test=5, seed=3)
    _call(ssd_image_to_tf, '--voc=shapes', '--image_set=train,test',
          '--classes_file=shapes/classes.txt')
    spec = backbones.get(BACKBONE)
    classifier = {checkpoint.variable_name(v): v for v in ssd.SSD(spec, 2).build().variables
                  if v.name.startswith(spec.imagenet.scope)}
    prefix = checkpoint.save('checkpoints/' + BACKBONE, 0, classifier)
    for ending in ('.index', '.data-00000-of-00001'):
        os.rename(prefix + ending, f'checkpoints/{BACKBONE}/{spec.imagenet.file}{ending}')
    yield folder
    os.chdir(before)


def _call(script, *arguments):
    """Runs a script's main() with a command line, as its exit code."""
    argv = sys.argv
    sys.argv = [script.__name__ + '.py', *arguments]
    try:
        return script.main() or 0
    finally:
        sys.argv = argv


def _train(mode, steps, *more):
    return _call(ssd_train, '--backbone_network=ssd_' + BACKBONE, '--training_mode=' + mode,
                 f'--max_steps={steps}', '--batch_size=2', '--log_every=1', '--warmup_steps=0',
                 *more)


def test_whole_path(room, capsys):
    index = tfrecord.read_index('tfrecords_train')
    assert (index.images, index.classes) == (10, shapes.SHAPES)

    # Step 1: the backbone is the classifier's, and stays so.
    assert _train('finetune_new_ssd_step1', 2) == 0
    text = capsys.readouterr().out
    assert re.search(r'restored 200 variables from '
                     r'checkpoints/mobilenet_v2/mobilenet_v2_1.0_224.ckpt', text)
    assert re.search(r'step 2/2  loss .* images/s', text)
    frozen = 'MobilenetV2/expanded_conv_3/expand/weights'
    given = checkpoint.read(f'checkpoints/{BACKBONE}/mobilenet_v2_1.0_224.ckpt').get_tensor(frozen)
    folder = 'checkpoints/ssd_' + BACKBONE
    first = checkpoint.read(checkpoint.find(folder))
    np.testing.assert_array_equal(first.get_tensor(frozen), given)
    assert first.get_tensor('global_step') == 2
    assert first.has_tensor('ssd/extra_1/logits/weights/Momentum')

    # Step 2 goes on from step 1's result in the same folder, in bfloat16, and is resumed once.
    assert _train('finetune_new_ssd_step2', 1, '--precision=bfloat16') == 0
    assert 'finetune_new_ssd_step1/model.ckpt-2' in capsys.readouterr().out
    assert _train('finetune_new_ssd_step2', 2, '--precision=bfloat16',
                  '--eval_records=tfrecords_test', '--eval_every=2') == 0
    text = capsys.readouterr().out
    assert 'resumed checkpoints/ssd_mobilenet_v2/model.ckpt-1 at step 1' in text
    assert 'step 2: mAP 07' in text
    second = checkpoint.read(checkpoint.find(folder))
    assert (second.get_tensor(frozen) != given).any()
    assert checkpoint.read_description(checkpoint.find(folder))['classes'] == list(shapes.SHAPES)

    # The log of step 2 goes on where it was interrupted, and step 1's was moved aside.
    rows = log.read_scalars(f'{folder}/scalars.jsonl')
    assert [(row['step'], 'mean_ap' in row) for row in rows] == [(1, False), (2, False), (2, True)]
    assert len(log.read_scalars(f'{folder}/finetune_new_ssd_step1/scalars.jsonl')) == 2
    for run in (folder, f'{folder}/finetune_new_ssd_step1'):
        assert os.listdir(f'{run}/logs') and os.path.getsize(f'{run}/training_curves.png') > 1000

    # Evaluation, with files of detections that the command-line evaluation reads.
    assert _call(ssd_test, '--batch_size=2', '--write_detections=detections',
                 '--score_threshold=0.01') == 0
    text = capsys.readouterr().out
    assert re.search(r'^mAP 07 [0-9.]+, over classes with 20\+ objects -\nmAP area [0-9.]+,', text,
                     re.MULTILINE)
    assert f'report: {folder}/evaluation.html, {folder}/evaluation.json' in text
    assert 'data:image/png;base64,' in pathlib.Path(folder, 'evaluation.html').read_text()
    numbers = json.loads(pathlib.Path(folder, 'evaluation.json').read_text())
    assert numbers['images'] == 5 and f'mAP 07 {numbers["voc"]["mean_ap_07"]:.6f}' in text
    # One line from the training, one from the test.
    lines = pathlib.Path(folder, 'evaluations.jsonl').read_text().splitlines()
    lines = [json.loads(line) for line in lines]
    for line in lines:
        assert (line['step'], line['images'], line['records']) == (2, 5, 'tfrecords_test')
    assert len(lines) == 2 and set(lines[0]) - {'loss'} == set(lines[1])
    described = checkpoint.read_description(checkpoint.find(folder))
    assert lines[0]['run'] == lines[1]['run'] == numbers['about']['run'] == described['run']
    assert lines[0]['records_id'] == numbers['about']['records_id'] and len(described['run']) == 12
    assert lines[1]['checkpoint'] == f'{folder}/model.ckpt-2'
    assert lines[1]['mean_ap_07'] == numbers['voc']['mean_ap_07']
    assert sorted(os.listdir('detections')) == [
        f'comp4_det_test_{name}.txt' for name in sorted(shapes.SHAPES)]

    # An exported file is evaluated in the same way, with all of its settings.
    assert _call(ssd_export, '--formats=tflite_float32') == 0
    model = f'exported/ssd_{BACKBONE}/detector_float32.tflite'
    assert _call(ssd_test, f'--model={model}', '--batch_size=2') == 0
    text = capsys.readouterr().out
    assert f'5 test images from tfrecords_test; model {model}' in text and 'as exported' in text
    of_file = json.loads(pathlib.Path(
        model.replace('.tflite', '_evaluation'), 'evaluation.json').read_text())
    assert of_file['about'].keys() == {'time', 'model', 'records', 'records_id'}
    assert (of_file['images'], of_file['about']['model']) == (5, model)
    assert of_file['voc']['mean_ap_07'] == pytest.approx(numbers['voc']['mean_ap_07'], abs=.01)

    # The demo writes a picture of the input's size.
    picture = 'shapes/JPEGImages/' + sorted(os.listdir('shapes/JPEGImages'))[0]
    assert _call(ssd_demo, picture, '--output=found.png', '--score_threshold=0.05',
                 '--show=false') == 0
    assert cv2.imread('found.png').shape == cv2.imread(picture).shape
    assert re.search(r'^\d+ objects?$', capsys.readouterr().out, re.MULTILINE)


def test_existing_ssd_for_other_classes(room, capsys):
    # What fits is restored; heads for another number of classes start fresh; both are listed.
    model = ssd.SSD(backbones.get(BACKBONE), 21).build()
    prefix = checkpoint.save('other', 7, {checkpoint.variable_name(v): v for v in model.variables})
    assert _train('finetune_existing_ssd', 1, '--checkpoint=' + prefix, '--output=adapted') == 0
    text = capsys.readouterr().out
    assert 'restored 252 variables' in text
    assert 'ssd/extra_1/logits/weights (3, 3, 512, 126) -> (3, 3, 512, 24)' in pathlib.Path(
        'adapted/restored.txt').read_text()


def test_published_ssd_and_a_training_that_starts_from_it(room, capsys):
    # Default boxes and normalization are those of its description, whatever is configured, and the
    # training keeps them.
    values = published_networks.values('balancap_ssd_300_vgg')
    checkpoint.save('published', 0, values)
    vgg = '--backbone_network=ssd_vgg_300'
    convert.main(['published', 'converted'])
    text = capsys.readouterr().out
    assert 'converted/model.ckpt-0: 20 classes; use it with --backbone_network=ssd_vgg_300' in text
    assert _call(ssd_demo, vgg, '--checkpoint=converted', '--output=found.png',
                 '--score_threshold=0.99', '--show=false') == 0
    assert 'ssd_vgg_300 of converted/model.ckpt-0' in capsys.readouterr().out
    assert _call(ssd_train, vgg, '--training_mode=finetune_existing_ssd', '--checkpoint=converted',
                 '--max_steps=1', '--batch_size=1', '--output=from_published',
                 '--default_box_set=voc') == 0
    assert 'restored 71 variables' in capsys.readouterr().out
    assert '\n0 of another shape, start fresh\n' in pathlib.Path(
        'from_published/restored.txt').read_text()
    trained = 'from_published/model.ckpt-1'
    kernel = checkpoint.read(trained).get_tensor('vgg_16/conv1/conv1_1/weights')
    np.testing.assert_allclose(kernel, values['ssd_300_vgg/conv1/conv1_1/weights'], atol=1e-4)
    assert checkpoint.read_description(trained)['overrides']['normalization'] == 'caffe'
    assert _call(ssd_test, vgg, '--checkpoint=from_published', '--max_images=1') == 0


@pytest.mark.parametrize('script, arguments, message', [
    (ssd_test, ['--model=nowhere'], 'there is no exported detector at nowhere'),
    (ssd_train, ['--train_records=nowhere'], 'record folder nowhere does not exist'),
    (ssd_train, ['--training_mode=finetune_new_ssd_step1', '--output=new',
                 '--backbone_network=ssd_vgg_300'],
     'no ImageNet checkpoint at checkpoints/vgg_300/vgg_16.ckpt; '
     'python3 -m checkpoints.fetch vgg_300 fetches it'),
    (ssd_train, ['--training_mode=finetune_existing_ssd', '--checkpoint=nowhere', '--output=new'],
     'no checkpoint at nowhere'),
    (ssd_train, ['--training_mode=from_scratch', '--output=shapes/classes.txt/new'],
     'folder shapes/classes.txt/new cannot be used: .*; name another one with --output'),
    (ssd_test, ['--checkpoint=nowhere'], 'no checkpoint at nowhere'),
    (ssd_test, ['--backbone_network=ssd_vgg_300'],
     'no trained detector in checkpoints/ssd_vgg_300; '
     'train one: python3 ssd_train.py --backbone_network=ssd_vgg_300'),
    (ssd_demo, ['nowhere.jpg'], 'no image at nowhere.jpg'),
    (ssd_demo, ['--backbone_network=ssd_vgg_512'],
     'no trained detector in checkpoints/ssd_vgg_512'),
])
def test_mistakes(room, script, arguments, message):
    with pytest.raises((UserError, ValueError), match=message) as error:
        _call(script, *arguments)
    assert '\n' not in str(error.value)


def test_the_report_of_the_shipped_detector_goes_elsewhere(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(checkpoint, 'REPOSITORY', tmp_path)
    shipped = tmp_path / 'checkpoints/ssd_mobilenet_v2/shipped'
    shipped.mkdir(parents=True)
    assert ssd_test._report_folder(f'{shipped}/model.ckpt-1') == 'ssd_mobilenet_v2_evaluation'
    assert capsys.readouterr().out == (f'the folder of {shipped}/model.ckpt-1 is not yours to '
                                       'change: the report goes to ssd_mobilenet_v2_evaluation\n')
    (tmp_path / 'own').mkdir()
    assert ssd_test._report_folder(f'{tmp_path}/own/model.ckpt-1') == f'{tmp_path}/own'
    assert capsys.readouterr().out == ''


def test_an_evaluation_counts_although_its_log_cannot_be_written(tmp_path, capsys):
    (tmp_path / 'file').write_text('')
    ssd_test._note(str(tmp_path / 'file'), voc_eval.evaluate({}, {}, ('cat',)), {'step': 1})
    assert re.match('.*file/evaluations.jsonl cannot be written: ', capsys.readouterr().err)


def test_detections_that_cannot_be_written_are_one_line(tmp_path):
    (tmp_path / 'file').write_text('')
    index = tfrecord.RecordIndex('records', (), 0, ('cat',), ('VOC2007/test',))
    with pytest.raises(DataError, match='file/found cannot be written: '):
        ssd_test._write_detections(f'{tmp_path}/file/found', index, index.classes, {})


def test_records_of_other_classes_go_by_their_names(tmp_path, monkeypatch, capsys):
    """The shipped detector on two photographs whose records name classes in another order."""
    monkeypatch.chdir(tmp_path)
    for name, objects in (('cat', [('cat', (3, 1, 299, 430), False)]),
                          ('astronaut', [('person', (1, 50, 512, 450), False),
                                         ('flag', (1, 1, 400, 120), False)])):
        shutil.copy(ROOT / f'docs/photographs/{name}.jpg', '.')
        sides = cv2.imread(f'{name}.jpg').shape[:2]
        pathlib.Path(f'{name}.xml').write_text(
            voc_xml.annotation(f'{name}.jpg', *sides, objects), encoding='utf-8')
    shutil.copytree(ROOT / 'checkpoints/ssd_mobilenet_v2/shipped', 'shipped')
    evaluate = '--test_records=records', '--checkpoint=shipped'
    _call(ssd_image_to_tf, '--data=.', '--output=records')  # classes: cat, flag, person
    assert _call(ssd_test, *evaluate) == 0
    printed = capsys.readouterr().out
    assert ('classes go by their names, 2 of 3 are known\n'
            'classes only in records, not evaluated: flag\n'
            'classes only in detector, not evaluated: aeroplane, bicycle, ') in printed
    found = json.loads(pathlib.Path('shipped/evaluation.json').read_text(encoding='utf-8'))
    assert {name: entry['ap_07'] for name, entry in found['classes'].items()
            } == {'cat': 1., 'person': 1.}
    assert found['confusion']['rows'] == ['cat', 'person', 'background']
    assert found['about']['classes_only_in_records'] == ['flag']
    assert len(found['about']['classes_only_in_detector']) == 18
    pathlib.Path('classes.txt').write_text('Cat\nPERSON\nTV\n', encoding='utf-8')
    pathlib.Path('cat.xml').write_text(pathlib.Path('cat.xml').read_text().replace('cat<', 'Cat<'))
    _call(ssd_image_to_tf, '--data=.', '--output=records', '--classes_file=classes.txt')
    assert _call(ssd_test, *evaluate) == 0
    found = json.loads(pathlib.Path('shipped/evaluation.json').read_text(encoding='utf-8'))
    assert {name: entry['ap_07'] for name, entry in found['classes'].items()} == {
        'cat': 1., 'person': None, 'tvmonitor': None}
    pathlib.Path('classes.txt').write_text('flag\n', encoding='utf-8')
    _call(ssd_image_to_tf, '--data=.', '--output=records', '--classes_file=classes.txt')
    with pytest.raises(UserError, match='knows none of the classes of records, flag; it knows '):
        _call(ssd_test, *evaluate)


def test_images_without_objects_count_false_alarms(tmp_path, monkeypatch, capsys):
    """The shipped detector on two photographs of which nobody annotated anything."""
    monkeypatch.chdir(tmp_path)
    classes = ('cat', 'person')
    with tfrecord.Writer(tmp_path / 'records', classes, (), 2) as writer:
        for name in ('cat', 'astronaut'):
            path = ROOT / f'docs/photographs/{name}.jpg'
            height, width = cv2.imread(str(path)).shape[:2]
            nothing = annotations.usable([], height, width, classes, '')
            writer.add(tfrecord.example(path.read_bytes(), height, width, name, name, nothing,
                                        classes))
    shutil.copytree(ROOT / 'checkpoints/ssd_mobilenet_v2/shipped', 'shipped')
    (tmp_path / 'shipped/evaluation.json').write_text('{}')
    assert _call(ssd_test, '--test_records=records', '--checkpoint=shipped',
                 '--output=alarms') == 0
    printed = capsys.readouterr().out
    assert ('false alarms: 3 in 2 of 2 images without objects (1.500 an image)\n'
            'most in: astronaut (2), cat (1)\n') in printed
    assert 'nan' not in printed and 'mAP' not in printed
    found = json.loads(pathlib.Path('alarms/evaluation.json').read_text(encoding='utf-8'))
    counts = {name: one['count'] for name, one in found['false_alarms']['classes'].items()}
    assert counts == {'cat': 1, 'person': 2}


def test_two_devices_train_evaluate_and_resume(room):
    # In another process, as CPU devices can be made only before TensorFlow starts; of the tiny
    # network, as to trace a real one for two devices takes most of a minute.
    program = (f'import sys; sys.path.insert(0, {str(ROOT)!r}); from nets.slim_compat import tf; '
               'cpu = tf.config.list_physical_devices("CPU")[0]; '
               'two = [tf.config.LogicalDeviceConfiguration()] * 2; '
               'tf.config.set_logical_device_configuration(cpu, two); '
               'import ssd_train; from tests.training import tiny; '
               'ssd_train.backbones.from_config_name = lambda *_: tiny.SPEC; '
               'sys.exit(ssd_train.main())')
    for steps in (1, 2):
        done = subprocess.run(
            [sys.executable, '-c', program, '--backbone_network=ssd_mobilenet_v1',
             '--training_mode=from_scratch', '--batch_size=8', '--distribution=mirrored',
             f'--max_steps={steps}', '--accumulate=2', '--weight_average=0.9', '--output=two',
             '--eval_records=tfrecords_test', '--log_every=1'], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    assert 'resumed two/model.ckpt-1 at step 1' in done.stdout
    assert '2 x CPU' in done.stdout and '2 images each' in done.stdout
    assert 'step 2: mAP 07' in done.stdout
    assert len(pathlib.Path('two/evaluations.jsonl').read_text().splitlines()) == 2


@pytest.fixture
def tiny_network(room, monkeypatch):
    """ssd_train.py trains tests.training.tiny instead of the configured backbone."""
    monkeypatch.setattr(backbones, 'from_config_name', lambda *_: tiny.SPEC)


def test_loop_logs_saves_evaluates_and_ends(tiny_network, capsys):
    arguments = ('from_scratch', 7, '--output=loop', '--log_every=2', '--save_every=3',
                 '--eval_every=4', '--eval_records=tfrecords_test')
    assert _train(*arguments) == 0
    text = capsys.readouterr().out
    assert 'all variables start fresh' in text
    assert re.findall(r'^step (\d+)/7 ', text, re.MULTILINE) == ['2', '4', '6', '7']
    assert re.findall(r'^saved loop/model.ckpt-(\d+)', text, re.MULTILINE) == ['3', '4', '6', '7']
    assert re.findall(r'^step (\d+): mAP', text, re.MULTILINE) == ['4', '7']
    assert _train('from_scratch', 2000, '--output=passes', '--epochs=0.5') == 0
    assert 'finished at step 3' in capsys.readouterr().out  # half of 10 images, 2 a step
    # A finished training does nothing.
    assert _train(*arguments) == 0
    text = capsys.readouterr().out
    assert 'nothing done: loop is at step 7 already; raise --max_steps' in text
    assert 'saved' not in text and 'mAP' not in text


def test_loss_that_is_not_finite_names_step_and_images(tiny_network):
    with pytest.raises(NotFinite, match=r'not finite at step \d.*images: shapes/'):
        _train('from_scratch', 30, '--output=burst', '--learning_rate=1e30', '--save_every=100')
    assert checkpoint.newest('burst') is None


def test_drops_that_are_no_steps_are_refused_before_anything_moves(tiny_network):
    assert _train('from_scratch', 1, '--output=dropped') == 0
    with pytest.raises(UserError, match="learning_rate_drops: '9' is no list of growing steps"):
        _train('from_scratch', 5, '--output=dropped', '--restart=True', '--schedule=steps',
               '--learning_rate_drops=9')
    assert not os.path.exists('dropped/earlier') and checkpoint.newest('dropped')


def test_damaged_records_stop_a_training(tiny_network):
    shutil.copytree('tfrecords_train', 'damaged')
    shard = pathlib.Path('damaged/shard-00000.tfrecord')
    data = bytearray(shard.read_bytes())
    data[-100] ^= 255
    shard.write_bytes(data)
    arguments = ['from_scratch', 6, '--output=from_damaged', '--train_records=damaged']
    with pytest.raises(DataError, match='damaged/shard-00000.tfrecord is damaged; convert again$'):
        _train(*arguments)


def test_frozen_layers_that_do_not_exist_are_refused(tiny_network):
    message = r"frozen_layers: 'Conv_1/\*' fits no variable of tiny; its layers are body \("
    with pytest.raises(UserError, match=message):
        _train('from_scratch', 1, '--output=frozen', '--frozen_layers=body/*,Conv_1/*')
    assert _train('from_scratch', 1, '--output=frozen', '--frozen_layers=body/*',
                  '--weight_average=0.9') == 0
    average = 'ssd/extra_1/logits/weights/ExponentialMovingAverage'
    assert checkpoint.read('frozen/model.ckpt-1').has_tensor(average)


def test_patience(tiny_network, capsys):
    arguments = ('--output=patient', '--eval_every=1', '--eval_records=tfrecords_test',
                 '--patience=3')
    assert _train('from_scratch', 2, *arguments) == 0  # as if it had been interrupted
    assert _train('from_scratch', 9, *arguments) == 0
    text = capsys.readouterr().out
    assert 'max_steps: 2 until step 2, now 9' in text
    [end] = re.findall(r'finished at step (\d+): the last 3 evaluations brought no better', text)
    assert _train('from_scratch', 9, *arguments) == 0  # a finished training does nothing
    text = capsys.readouterr().out
    assert f'finished at step {end}: the last 3' in text and 'saved' not in text


def test_a_failed_evaluation_costs_no_step(tiny_network, capsys):
    shutil.copytree('tfrecords_test', 'replaced')
    arguments = ('from_scratch', 2, '--output=unevaluated', '--eval_records=replaced')
    remove = pathlib.Path('replaced/shard-00000.tfrecord').unlink

    class Removing(ssd_train.Trainer):
        def train_step(self, batch, stop=False):
            return [super().train_step(batch, stop), self.step == 2 and remove()][0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ssd_train, 'Trainer', Removing)
        assert _train(*arguments) == 0
    text = capsys.readouterr().out
    assert 'not evaluated at step 2: record shard replaced/shard-00000.tfrecord is gone' in text
    assert 'saved unevaluated/model.ckpt-2' in text


def test_a_mistake_does_not_move_the_earlier_training(tiny_network):
    assert _train('from_scratch', 1, '--output=kept') == 0
    for mistake in ('--frozen_layers=none/*', '--batch_size=1'):
        with pytest.raises(UserError):
            _train('from_scratch', 1, '--output=kept', '--restart=True', mistake)
    assert not os.path.exists('kept/earlier') and checkpoint.newest('kept')


def test_records_without_an_object_are_refused(tiny_network):
    index = json.loads(pathlib.Path('tfrecords_train/index.json').read_text())
    shutil.copytree('tfrecords_train', 'empty')
    pathlib.Path('empty/index.json').write_text(json.dumps(index | {'objects': 0}))
    with pytest.raises(DataError, match='^empty: no image has an object'):
        _train('from_scratch', 1, '--output=nothing', '--train_records=empty')


def test_loop_saves_when_asked_to_stop(tiny_network, capsys, monkeypatch):
    class Interrupted(ssd_train.Trainer):
        def train_step(self, batch, stop=False):
            if self.step == 1:
                os.kill(os.getpid(), signal.SIGTERM)
            return super().train_step(batch, stop)
    monkeypatch.setattr(ssd_train, 'Trainer', Interrupted)
    assert _train('from_scratch', 100, '--output=interrupted', '--log_every=100') == 130
    text = capsys.readouterr().out
    assert re.findall(r'^saved interrupted/model.ckpt-(\d+)', text, re.MULTILINE) == ['2']
    assert 'stopped by SIGTERM at step 2, saved in interrupted' in text
    monkeypatch.undo()
    monkeypatch.setattr(backbones, 'from_config_name', lambda *_: tiny.SPEC)
    assert _train('from_scratch', 3, '--output=interrupted') == 0
    assert 'resumed interrupted/model.ckpt-2 at step 2' in capsys.readouterr().out


@pytest.mark.parametrize('batch_size, accumulate', [(1, 1), (2, 2)])
def test_one_image_is_too_few_for_batch_norm(tiny_network, batch_size, accumulate):
    message = (f'batch_size {batch_size} on 1 device with accumulate {accumulate} gives batch norm '
               '1 image at a time, and it needs 2; raise batch_size, or lower accumulate')
    with pytest.raises(UserError, match=message):
        _train('from_scratch', 1, '--output=one', f'--batch_size={batch_size}',
               f'--accumulate={accumulate}')


def test_all_modes_with_average_accumulation_and_two_devices(room, tmp_path):
    done = subprocess.run([sys.executable, str(ROOT / 'tests/training/all_modes.py'),
                           str(room / 'tfrecords_train')],
                          cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count('finished at step 2') == 16
