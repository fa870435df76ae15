"""The script that compares default boxes with the objects of records."""
import dataclasses
import pathlib
import sys

import cv2
import numpy as np
import pytest

import ssd_box_fit
from checkpoints import io as checkpoint
from datasets import annotations, tfrecord
from evaluation import box_fit
from nets import backbones, overrides
from utils.errors import DataError, UserError


@pytest.fixture
def room(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _write(*images):
    """A record folder; each image is a list of boxes of class 'cat'."""
    with tfrecord.Writer('tfrecords_train', ('cat', 'dog'), ('y/train',)) as writer:
        for number, boxes in enumerate(images):
            count = len(boxes)
            objects = annotations.Objects(
                np.array(boxes, np.float32).reshape(-1, 4),
                np.ones(count, int),
                np.zeros(count, bool),
                np.zeros(count, bool),
            )
            writer.add(
                tfrecord.example(
                    b'jpeg', 20, 30, f'{number}.jpg', f'y/{number}', objects, ('cat', 'dog')
                )
            )


def _main(monkeypatch, *arguments):
    monkeypatch.setattr(sys, 'argv', [
        'ssd_box_fit.py', '--backbone_network=ssd_mobilenet_v1', '--training_mode=from_scratch',
        *arguments])
    ssd_box_fit.main()


LARGE = [.1, .1, .9, .9]
SMALL = [.5, .5, .52, .52]


def test_table_by_size_and_class(room, monkeypatch, capsys):
    _write([LARGE, SMALL], [], [LARGE])
    _main(monkeypatch)
    lines = capsys.readouterr().out.splitlines()
    assert (
        lines[0]
        == '3 objects in 3 images of tfrecords_train; ssd_mobilenet_v1, box set coco: 8732 default '
        'boxes'
    )
    words = {line.split('  ')[0].split(',')[0].strip(): line.split() for line in lines[2:8]}
    assert words['all'][1:4] == ['3', '0.667', '0.333'] and words['cat'][1:] == words['all'][1:]
    assert words['small'][4:7] == ['1', '0.000', '1.000'] and words['large'][5:8] == [
        '2', '1.000', '0.000'
    ]
    assert words['medium'][-1] == words['dog'][-1] == '0'
    assert cv2.imread('box_fit.png').shape == (605, 1320, 3)


def test_proposal_is_as_it_goes_into_the_code(room, monkeypatch, capsys):
    random = np.random.default_rng(0)
    corners = random.uniform(0, .9, (20, 5, 2))
    _write(*np.concatenate([corners, corners + 14 / 300], axis=2).tolist())
    _main(monkeypatch, '--backbone_network=ssd_mobilenet_v1', '--output=plots/fit.png')
    text = capsys.readouterr().out
    assert pathlib.Path('plots/fit.png').is_file()
    boxes = np.concatenate(
        [image['boxes'] for image in tfrecord.objects(tfrecord.read_index('tfrecords_train'))]
    )
    own = box_fit.propose(boxes, backbones.get('mobilenet_v1'))
    assert (
        '    --default_box_set=own, with this line in BOX_SETS_300 of nets/spec.py:\n'
        f"        'own': {own.sizes},\n"
        in text
    )
    rows = {
        line.split()[0]: float(line.split()[1])
        for line in text.splitlines()
        if line.startswith(('coco  ', 'own  '))
    }
    assert rows['own'] == pytest.approx(
        box_fit.coverage(box_fit.best_overlaps(boxes, own)).recall, abs=5e-4
    )
    assert rows['own'] > rows['coco'] + 0.2


def test_boxes_that_fit_need_no_others(room, monkeypatch, capsys):
    _write([LARGE], [LARGE])
    _main(monkeypatch)
    assert capsys.readouterr().out.endswith(
        "'coco' covers these objects as well as the others, within 0.01.\n"
    )


def test_the_cheaper_way_comes_first(room, monkeypatch, capsys):
    # 40 x 107 pixels. Boxes of ratio 3 in the second layer have 26 x 77.9 pixels ('coco': IoU 0.47)
    # or 34.6 x 103.9 ('voc': 0.84).
    box = [84 / 300, 79 / 300, 124 / 300, 186 / 300]
    _write([box], [box])
    _main(monkeypatch)
    assert capsys.readouterr().out.endswith("'voc' covers more:\n    --default_box_set=voc\n")


@pytest.mark.parametrize('images', [[[LARGE]], [[], [LARGE]]])
def test_objects_of_one_image(room, monkeypatch, capsys, images):
    _write(*images)
    _main(monkeypatch)
    rows = {
        line.split()[0]: line.split()
        for line in capsys.readouterr().out.splitlines()
        if line.startswith(('coco', 'own '))
    }
    others = '1.000' if len(images) == 2 else '-'
    # A square of 240 pixels in the middle; the fifth layer has one of sqrt(207 * 261) there:
    # 207 * 261 / 240 ** 2 = 0.938.
    assert (
        rows['coco'][1:] == ['1.000', '0.938', others]
        and rows['own'][1] == '1.000'
        and rows['own'][3] == '-'
    )


def test_an_own_box_set_is_compared_as_it_is(room, monkeypatch):
    known = backbones.get('mobilenet_v1')
    sizes = known.sizes[:1] * 6 + (315.,)
    spec = dataclasses.replace(known, box_sets={**known.box_sets, 'own': sizes}, box_set='own')
    images = [{'boxes': np.array([LARGE])}] * 2
    text = ssd_box_fit.proposal(images, np.array([LARGE] * 2), spec)
    recalls = {line.split()[0].rstrip(','): line.split() for line in text.splitlines()[1:6]}
    assert list(recalls) == ['coco', 'voc', 'own', 'own_2'] and recalls['own'][1] == '0.000'
    assert text.endswith("'coco' covers more:\n    --default_box_set=coco")


def test_mistakes(room, monkeypatch):
    with pytest.raises(DataError, match='record folder tfrecords_train does not exist'):
        _main(monkeypatch)
    _write([], [])
    with pytest.raises(UserError, match='tfrecords_train has no objects'):
        _main(monkeypatch)
    _write([LARGE])
    pathlib.Path('file').write_text('')
    with pytest.raises(DataError, match='file/box.png cannot be written'):
        _main(monkeypatch, '--output=file/box.png')


def test_damaged_records_are_named(room, monkeypatch):
    _write([LARGE], [SMALL])
    shard = pathlib.Path('tfrecords_train/shard-00000.tfrecord')
    data = bytearray(shard.read_bytes())
    data[-10] ^= 255
    shard.write_bytes(data)
    with pytest.raises(DataError, match='shard-00000.tfrecord.*convert again$'):
        _main(monkeypatch)


def test_default_boxes_of_the_ssd_that_a_training_starts_from(room, monkeypatch, capsys):
    monkeypatch.setattr(checkpoint, 'REPOSITORY', room)
    spec = overrides.apply(backbones.get('mobilenet_v1'), {
        'box_set': 'other', 'box_shapes': [[[30, 30]]] * 5 + [[[240, 240]]]})
    checkpoint.save('checkpoints/ssd_mobilenet_v1', 0, {'a': np.zeros(1)})
    checkpoint.write_description('checkpoints/ssd_mobilenet_v1',
                                 **checkpoint.describe(spec, '', ['cat']))
    _write([LARGE, SMALL])
    _main(monkeypatch, '--training_mode=finetune_existing_ssd')
    printed = capsys.readouterr().out
    assert ('as checkpoints/ssd_mobilenet_v1/model.ckpt-0 has them: 1940 default boxes'
            in printed)
    assert printed.splitlines()[-1].startswith('A training that starts from checkpoints/ssd_mobile')
    assert [line.split()[1:3] for line in printed.splitlines() if line.startswith('all')] == [
        ['2', '0.500']]
