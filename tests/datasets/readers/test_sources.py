"""Which images are for training and which for test."""
import json
import pathlib
import random

import pytest

from datasets.readers import sources, voc
from utils.errors import DataError


@pytest.fixture
def room(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _coco(path, *ids):
    path = pathlib.Path(path)
    path.parent.mkdir(exist_ok=True)
    path.write_text(
        json.dumps(
            {
                'images': [{'id': i, 'file_name': f'{i}.jpg'} for i in ids],
                'annotations': [],
                'categories': [{'id': 1, 'name': 'cat'}],
            }
        )
    )
    return str(path)


@pytest.mark.parametrize(
    'path, image_set',
    [
        ('instances_train2017.json', 'train'),
        ('instances_val2017.json', 'val'),
        ('trainval.json', 'trainval'),
        ('Test.json', 'test'),
        ('train/_annotations.coco.json', 'train'),
        ('valid/_annotations.coco.json', 'valid'),
        ('retrained.json', ''),
        ('interval.json', ''),
        ('test_project/all.json', ''),
        ('train/val.json', 'val'),
    ],
)
def test_coco_files_are_called_after_their_set(room, path, image_set):
    parts, notes = sources.named(sources.coco_files([_coco(path, 1)], []))
    assert [(part.image_set, part.ids) for part in parts] == [(image_set, ['1'])] and notes == []
    name = path.split('/')[0] if '/_' in path else pathlib.Path(path).stem
    assert parts[0].label == f'{name}/{image_set or "all"}'


def test_coco_files_are_chosen_by_their_set(room):
    files = sources.coco_files([_coco('a/train.json', 1), _coco('b/val.json', 2)], [])
    assert [part.ids for part in sources.named(files, ['val'])[0]] == [['2']]
    with pytest.raises(DataError, match='no images called trainval; there are: train/train, '):
        sources.named(files, ['trainval'])


def test_lists_of_a_recognised_folder_are_chosen(room):
    for name in ('trainval', 'train', 'test'):
        pathlib.Path('VOC/ImageSets/Main').mkdir(parents=True, exist_ok=True)
        pathlib.Path('VOC/ImageSets/Main', f'{name}.txt').write_text('1\n')
    pathlib.Path('VOC/1.xml').write_text('<annotation/>')
    for wanted, expected in (([], ['test', 'train']), (['trainval'], ['trainval'])):
        subsets, _ = sources.by_name([voc.Folder('VOC')], wanted)
        assert sorted(part.image_set for part in subsets) == expected


def test_image_folders_of_coco_files(room):
    files = [_coco('a/train.json', 1), _coco('b/val.json', 2)]
    for folder in 'ab':
        for number in (1, 2):
            pathlib.Path(folder, f'{number}.jpg').write_bytes(b'')
    for given, expected in (([], ['a', 'b']), (['a'], ['a', 'a']), (['b', 'a'], ['b', 'a'])):
        assert [str(file.read(file.image_ids()[0]).image.parent)
                for file in sources.coco_files(files, given)] == expected
    with pytest.raises(DataError, match='2 COCO files, but 3 image folders'):
        sources.coco_files(files, ['a', 'a', 'a'])
    with pytest.raises(DataError, match='no image folder at nowhere'):
        sources.coco_files(files, ['nowhere'])


def test_division_prints_its_sizes(room):
    files = sources.coco_files([_coco('a.json', *range(8)), _coco('b.json', 1, 2)], ['.'])
    parts, notes = sources.divided(files, 0.75, 1)
    assert [(part.label, len(part.ids)) for part in parts] == [
        ('a/train', 6), ('a/test', 2), ('b/train', 1), ('b/test', 1)
    ]
    assert notes == ['a: 6 images for training and 2 for test, split by seed 1',
                     'b: 1 images for training and 1 for test, split by seed 1']
    with pytest.raises(DataError, match='c: 1 images cannot be split'):
        sources.divided(sources.coco_files([_coco('c.json', 1)], []), 0.75, 1)


def test_the_list_that_no_folder_has_is_named(room):
    for name, image_set in (('a', 'train'), ('b', 'val')):
        pathlib.Path(name, 'ImageSets/Main').mkdir(parents=True)
        pathlib.Path(name, 'ImageSets/Main', f'{image_set}.txt').write_text('1\n')
    folders = sources.voc_folders(['a', 'b'])
    parts, notes = sources.listed(folders, ['train', 'val'])
    assert [part.label for part in parts] == ['a/train', 'b/val']
    assert notes == ['left out: no image list at b/ImageSets/Main/train.txt; lists there: val',
                     'left out: no image list at a/ImageSets/Main/val.txt; lists there: train']
    with pytest.raises(DataError, match='no image list at a/ImageSets/Main/test.txt'):
        sources.listed(folders, ['train', 'test'])


def test_lists_of_no_folder(room):
    pathlib.Path('images').mkdir()
    folders = sources.voc_folders(['images', 'images/'])
    assert [folder.name for folder in folders] == ['images']
    with pytest.raises(
        DataError,
        match='no image list at .*train.txt; lists there: none. Without lists: --split=0.8',
    ):
        sources.listed(folders, ['train'])


# divide: by seed and id, the same everywhere, nothing lost, nothing twice

IDS = [f'{number:06d}' for number in range(10)]


def test_literal_split():
    # By echo -n '1 000000' | sha256sum, and so on. The two highest, ee72310e... and f455753d...,
    # are for test.
    assert sources.divide(IDS, 0.8, 1) == (
        ['000000', '000002', '000003', '000005', '000006', '000007', '000008', '000009'],
        ['000001', '000004'],
    )


def test_order_does_not_matter():
    mixed = random.Random(0).sample(IDS, len(IDS))
    for first, second in zip(
        sources.divide(IDS, 0.6, 5), sources.divide(mixed, 0.6, 5), strict=True
    ):
        assert sorted(first) == sorted(second)


@pytest.mark.parametrize('share', [0.001, 0.25, 0.5, 0.999])
def test_nothing_is_lost_or_twice(share):
    training, test = sources.divide(IDS, share, 3)
    assert (
        sorted(training + test) == IDS
        and len(training) == {0.001: 1, 0.25: 2, 0.5: 5, 0.999: 9}[share]
    )


def test_seeds_differ():
    assert sources.divide(IDS, 0.5, 1) != sources.divide(IDS, 0.5, 2)


def test_names_of_any_bytes():
    assert sorted(sum(sources.divide(['\udcff', 'ä'], 0.5, 1), [])) == ['ä', '\udcff']


@pytest.mark.parametrize('ids', [[], ['a']])
def test_too_few(ids):
    with pytest.raises(DataError, match=f'{len(ids)} images cannot be split'):
        sources.divide(ids, 0.5, 1)
