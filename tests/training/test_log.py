"""The log of a training: resumed runs, what TensorBoard shows of them, and a disk that is full."""
import contextlib
import json
import resource

import cv2
import numpy as np
import pytest

from evaluation import voc as voc_eval
from nets.slim_compat import tf
from training import held_out
from training import log as training_log


@contextlib.contextmanager
def _full_disk(size=30):
    """A limit on the size of files fails as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def _evaluation(**losses):
    return held_out.Evaluation(voc_eval.evaluate({}, {}, ('cat',)), losses, 0)


def _shown(folder):
    """{run: {tag: steps}}, as TensorBoard reads a folder."""
    from tensorboard.backend.event_processing import plugin_event_multiplexer
    runs = plugin_event_multiplexer.EventMultiplexer().AddRunsFromDirectory(str(folder))
    runs.Reload()
    return {run: {tag: [event.step for event in runs.Tensors(run, tag)] for tag in data['tensors']}
            for run, data in runs.Runs().items()}


def test_scalars_are_lines_of_json_and_shown_by_tensorboard(tmp_path):
    log = training_log.Log(str(tmp_path), 0)
    log.scalars(20, {'loss': 1.23456789, 'learning_rate': np.float32(0.1), 'nothing': float('nan')})
    log.scalars(20, {'mean_ap': 0.5})
    lines = (tmp_path / 'scalars.jsonl').read_text().splitlines()
    assert [json.loads(line) for line in lines] == log.rows == [
        {'step': 20, 'loss': 1.23457, 'learning_rate': 0.1}, {'step': 20, 'mean_ap': 0.5}]
    assert _shown(tmp_path) == {'logs': {'loss': [20], 'learning_rate': [20], 'mean_ap': [20]}}


def test_steps_that_are_done_again_show_once(tmp_path):
    first = training_log.Log(str(tmp_path), 0)
    for step in (1, 2, 3):
        first.scalars(step, {'loss': step})
    with open(tmp_path / 'scalars.jsonl', 'a') as file:
        file.write('{"step": 4, "lo')  # killed while writing
    second = training_log.Log(str(tmp_path), 2)
    for step in (3, 4):
        second.scalars(step, {'loss': 10 * step})
    assert [
        (row['step'], row['loss']) for row in training_log.read_scalars(tmp_path / 'scalars.jsonl')
    ] == [(1, 1), (2, 2), (3, 30), (4, 40)]
    assert _shown(tmp_path)['logs']['loss'] == [1, 2, 3, 4]


def test_new_training_where_an_earlier_one_ended_before_its_first_checkpoint(tmp_path):
    training_log.Log(str(tmp_path), 0).scalars(7, {'loss': 7})
    again = training_log.Log(str(tmp_path), 0)
    assert again.rows == []
    again.scalars(5, {'loss': 5})
    assert [row['step'] for row in training_log.read_scalars(tmp_path / 'scalars.jsonl')] == [5]
    assert _shown(tmp_path)['logs']['loss'] == [5]


def test_runs_stand_side_by_side_with_their_settings(tmp_path):
    for name in ('ssd', 'ssd/finetune_new_ssd_step1'):
        log = training_log.Log(str(tmp_path / name), 0)
        log.settings({'batch_size': 8, 'output': ''})
        log.images(1, 'augmented', np.zeros([2, 4, 4, 3], np.uint8))
    tags = {'configuration': [0], '_hparams_/session_start_info': [0], 'augmented': [1]}
    assert _shown(tmp_path) == {'ssd/logs': tags, 'ssd/finetune_new_ssd_step1/logs': tags}


def test_settings_as_a_table():
    assert training_log.table({'batch_size': 8, 'output': ''}).splitlines() == [
        '| key | value |', '|---|---|', '| batch_size | `8` |', "| output | `''` |"]


def test_full_disk_is_told_once_and_its_files_are_left_alone(tmp_path, capsys):
    log = training_log.Log(str(tmp_path))
    log.scalars(1, {'loss': 1})
    with _full_disk():
        for step in range(2, 9):
            log.scalars(step, {'loss': step})
    log.scalars(9, {'loss': 9})
    told = capsys.readouterr().out.splitlines()
    assert [line.split(':')[0] for line in sorted(told)] == [
        f'cannot write {tmp_path}/{name}' for name in ('logs', 'scalars.jsonl')]
    assert all('GB are free' in line and 'the training goes on without it' in line for line in told)
    assert [row['step'] for row in log.rows] == list(range(1, 10))
    assert [row['step'] for row in training_log.read_scalars(tmp_path / 'scalars.jsonl')] == [1]
    assert _shown(tmp_path)['logs']['loss'] == [1]
    log.curves()
    assert (tmp_path / 'training_curves.png').exists()


def test_a_folder_that_cannot_be_written_ends_no_training(tmp_path, capsys):
    (tmp_path / 'file').write_text('')
    log = training_log.Log(str(tmp_path / 'file'))
    log.settings({'batch_size': 8})
    log.scalars(1, {'loss': 1})
    for _ in range(2):
        log.evaluation(1, _evaluation(), None)
    log.curves()
    told = [
        line for line in capsys.readouterr().out.splitlines() if line.startswith('cannot write')
    ]
    assert [line.split('file/')[1].split(':')[0] for line in told] == [
        'scalars.jsonl', 'logs', 'settings.json', 'evaluations.jsonl', 'training_curves.png']


def test_settings_are_a_file_and_changes_are_told(tmp_path, capsys):
    log = training_log.Log(str(tmp_path))
    log.settings({'momentum': .9, 'output': 'a', 'xla': False}, command='ssd_train.py',
                 first_step=0)
    assert json.loads((tmp_path / 'settings.json').read_text()) == {
        'command': 'ssd_train.py', 'first_step': 0,
        'settings': {'momentum': .9, 'output': 'a', 'xla': False}}
    assert capsys.readouterr().out == ''
    log = training_log.Log(str(tmp_path), 8)
    log.settings({'momentum': .8, 'output': 'a', 'xla': False, 'new': 1}, resumed=True)
    assert capsys.readouterr().out == 'momentum: 0.9 until step 8, now 0.8\n'
    assert training_log.read_settings(tmp_path / 'settings.json')['new'] == 1
    (tmp_path / 'settings.json').write_text('{')
    assert training_log.read_settings(tmp_path / 'settings.json') == {}
    assert training_log.read_settings(tmp_path / 'nothing.json') == {}


def test_what_was_restored_is_a_file(tmp_path):
    log = training_log.Log(str(tmp_path))
    log.restored('')
    assert not (tmp_path / 'restored.txt').exists()
    log.restored('1 restored\n  a/weights')
    assert (tmp_path / 'restored.txt').read_text() == '1 restored\n  a/weights\n'


def test_pace_and_time_left_begin_after_the_first_step(tmp_path, monkeypatch, capsys):
    clock = [0.]
    monkeypatch.setattr(training_log.time, 'monotonic', lambda: clock[0])
    log = training_log.Log(str(tmp_path), 10, max_steps=110, batch_size=4)
    clock[0] = 21.
    log.first_step_done(21.2)
    assert capsys.readouterr().out == 'first step compiled and done in 21 s\n'
    assert np.isnan(log._pace(11)) and log._left(11) == 'unknown time'
    clock[0] = 26.
    assert log._pace(21) == 8. and str(log._left(21)) == '0:00:44'  # 89 steps of half a second


def test_an_evaluation_is_logged_with_its_loss(tmp_path, capsys):
    log = training_log.Log(str(tmp_path))
    log.evaluation(4, _evaluation(confidence=2., localization=.5), 'best/model.ckpt-4', iou=.5)
    assert capsys.readouterr().out == (
        'step 4: mAP 07 -, over classes with 20+ objects -, loss 2.500 (confidence 2.000, '
        'localization 0.500), 0 held-out images; best so far, kept in best\n')
    assert log.rows == [{'step': 4, 'held_out_loss': 2.5}]
    [line] = (tmp_path / 'evaluations.jsonl').read_text().splitlines()
    assert json.loads(line)['loss'] == {'confidence': 2, 'localization': .5}
    assert training_log.earlier_scores(str(tmp_path), 7, {}) == []  # it was NaN


def test_earlier_scores_are_of_this_training_and_of_these_images(tmp_path):
    lines = [{'step': 4, 'mean_ap_07': .4}, {'step': 2, 'mean_ap_07': .2}, {'step': 9},
             {'step': 4, 'mean_ap_07': .5}, {'step': 5, 'mean_ap_07': .9, 'run': 'other'},
             {'step': 6, 'mean_ap_07': .8, 'records_id': 'b'}, {'step': 7, 'mean_ap_07': None},
             {'step': 6, 'mean_ap_07': .7, 'records_id': 'a', 'images': 9}]
    rows = [line | {'loss': {}} for line in lines]
    rows.append({'step': 3, 'mean_ap_07': .9, 'records_id': 'a', 'images': 5})  # of ssd_test.py
    (tmp_path / 'evaluations.jsonl').write_text('\n'.join(map(json.dumps, rows)))
    about = {'run': 'mine', 'records_id': 'a', 'images': 5}
    assert training_log.earlier_scores(str(tmp_path), 8, about) == [.2, .5]
    assert training_log.earlier_scores(str(tmp_path), 3, about) == [.2]
    assert training_log.earlier_scores(str(tmp_path / 'nothing'), 8, about) == []


def test_other_errors_are_not_hidden(tmp_path):
    with pytest.raises(ZeroDivisionError), training_log.Log(str(tmp_path))._events(1):
        raise ZeroDivisionError


def test_a_term_of_the_loss_is_in_line_log_and_curves(tmp_path, capsys):
    log = training_log.Log(str(tmp_path), max_steps=9, classes=('cat',))
    batch = {'images': tf.zeros([1, 8, 8, 3], tf.uint8), 'boxes': tf.zeros([1, 2, 4]),
             'labels': tf.zeros([1, 2], tf.int32)}
    log.step(3, {'loss': 3., 'losses': {'confidence': 2., 'another': 1.}, 'learning_rate': .1,
                 'matched': 8.}, batch)
    line = capsys.readouterr().out
    assert line.startswith(
        'step 3/9  loss 3.000 (confidence 2.000, another 1.000)  lr 0.1  matched 8.0'
    )
    assert log.rows[0] | {'images_per_second': 0} == {
        'step': 3, 'loss': 3, 'confidence': 2, 'another': 1, 'learning_rate': .1, 'matched': 8,
        'images_per_second': 0}
    assert _shown(tmp_path)['logs'].keys() >= {'another', 'augmented'}


def test_nothing_logged_is_no_row(tmp_path):
    assert training_log.read_scalars(tmp_path / 'scalars.jsonl') == []


@pytest.mark.parametrize(
    'rows, panels',
    [
        ([], 0),
        ([{'step': 20, 'loss': 3.0, 'matched': 8.0}], 1),
        (
            [
                {
                    'step': step,
                    'loss': 3.0,
                    'confidence': 2.0,
                    'localization': 1.0,
                    'learning_rate': 0.1,
                }
                for step in range(100)
            ],
            4,
        ),
        ([{'step': 20, 'loss': 3.0}, {'step': 20, 'mean_ap': 0.5}], 2),
        ([{'step': 20, 'loss': 3., 'l2': 1.}, {'step': 20, 'held_out_loss': 2.5}], 3),
    ],
)
def test_plot_training(rows, panels, tmp_path):
    training_log.plot_training(rows, tmp_path / 'curves.png')
    picture = cv2.imread(str(tmp_path / 'curves.png'))
    assert picture.shape == (330, 352 * max(1, panels), 3)
    blue = (
        (picture[..., 0] > picture[..., 2].astype(int) + 40)
        .reshape(330, max(1, panels), 352)
        .any(axis=(0, 2))
    )
    assert blue.sum() == panels


def test_running_mean():
    np.testing.assert_allclose(training_log._running_mean(np.array([1., 2., 6.]), 3), [1.5, 3, 4])
    np.testing.assert_allclose(training_log._running_mean(np.array([1., 2., 6.]), 1), [1, 2, 6])
