"""Which room imports which: read from every import statement, also those inside of functions."""
import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
# Room -> what it may import of this project beside itself: rooms, or single modules of them. A room
# in a room is part of that one for others, and has a row of its own.
ARROWS = {
    'utils': (),
    'configs': ('utils', 'nets.spec', 'nets.backbones'),
    'nets': ('utils',),
    'datasets.readers': ('datasets.annotations', 'datasets.class_lists', 'datasets.images',
                         'datasets.lists', 'utils'),
    'datasets': ('utils',),
    'preprocessing': ('datasets', 'utils'),
    'checkpoints': ('datasets', 'nets', 'preprocessing.normalize', 'utils'),
    'detection': ('checkpoints', 'datasets', 'nets', 'preprocessing', 'utils'),
    'export': ('checkpoints', 'detection.detector', 'nets', 'preprocessing', 'utils'),
    'evaluation': ('datasets', 'detection.drawing', 'nets.anchors', 'nets.boxes', 'nets.spec',
                   'utils'),
    'training': ('checkpoints', 'datasets', 'detection.drawing', 'detection.objects', 'evaluation',
                 'nets', 'preprocessing', 'utils'),
}
# A door of a few lines, for a command that is known by this name.
EXCEPTIONS = {'datasets/voc_eval.py': ('evaluation',), 'datasets/browse.py': ('detection',)}
# What no room imports.
OUTSIDE = ('benchmarks', 'docs', 'tests', *(path.stem for path in ROOT.glob('ssd_*.py')))
# Of the Python files that lie in one folder. It is a sign, no law: a room that is full has become
# two, and the second gets a folder.
MOST_LINES = 2000
# What a student of SSD reads, in order: from a backbone's facts to the training and the detector.
PATH = ('nets/spec', 'nets/boxes', 'nets/anchors', 'nets/matching', 'nets/targets', 'nets/ssd',
        'nets/loss', 'nets/postprocess', 'nets/backbones/vgg', 'preprocessing/augment',
        'preprocessing/pipeline', 'preprocessing/normalize', 'training/trainer',
        'detection/detector', 'ssd_train')
SCREEN = 60  # lines
FOLDERS = sorted({str(path.parent.relative_to(ROOT)) for room in ARROWS
                  for path in (ROOT / room.split('.')[0]).rglob('*.py')})


def imported(source: str) -> set[str]:
    """Returns all imports of a text, with names: 'nets.spec', 'nets.spec.BackboneSpec'."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f'{node.module or ""}.{alias.name}' for alias in node.names} | (
                {'.'} if node.level else set()
            )
    return found


def wrong(room: str, source: str, more: tuple[str, ...] = ()) -> list[str]:
    """Returns the imports that a file of a room must not have. more: what it may also import."""
    allowed = (room, *ARROWS[room], *more)
    ours = [name for name in imported(source) if name.split('.')[0] in (*ARROWS, *OUTSIDE, '')]
    return sorted(
        name for name in ours if not any(f'{name}.'.startswith(f'{start}.') for start in allowed)
    )


def files(room: str) -> list[pathlib.Path]:
    """The files of a room, without those of rooms in it."""
    inner = [path_of(other) for other in ARROWS if other.startswith(f'{room}.')]
    return [path for path in sorted(path_of(room).rglob('*.py'))
            if not any(path.is_relative_to(other) for other in inner)]


def path_of(room: str) -> pathlib.Path:
    return ROOT / room.replace('.', '/')


def test_every_package_is_a_room():
    packages = {path.parent.name for path in ROOT.glob('*/__init__.py')}
    rooms = {room for room in ARROWS if '.' not in room}
    assert packages - set(OUTSIDE) == rooms and len(OUTSIDE) == 9
    assert all((path_of(room) / '__init__.py').exists() for room in ARROWS)


@pytest.mark.parametrize('room', ARROWS)
def test_arrows(room):
    for path in files(room):
        name = str(path.relative_to(ROOT))
        assert wrong(room, path.read_text(encoding='utf-8'), EXCEPTIONS.get(name, ())) == [], name


def test_no_two_rooms_import_each_other():
    reached = {room: {name.split('.')[0] for name in names} for room, names in ARROWS.items()}
    for _ in ARROWS:
        reached = {
            room: rooms.union(*(reached[other] for other in rooms))
            for room, rooms in reached.items()
        }
    assert [room for room in reached if room in reached[room]] == []


@pytest.mark.parametrize('folder', FOLDERS)
def test_rooms_stay_small(folder):
    texts = [path.read_text(encoding='utf-8') for path in (ROOT / folder).glob('*.py')]
    assert sum(len(text.splitlines()) for text in texts) <= MOST_LINES


def test_the_path_of_a_student_stays_short():
    lines = {name: len((ROOT / f'{name}.py').read_text(encoding='utf-8').splitlines())
             for name in PATH}
    assert len(lines) == 15 and sum(lines.values()) < MOST_LINES, lines


def test_the_training_loop_fits_one_screen():
    source = (ROOT / 'ssd_train.py').read_text(encoding='utf-8')
    [train] = [node for node in ast.parse(source).body if getattr(node, 'name', '') == 'train']
    lines = source.splitlines()[train.lineno - 1:train.end_lineno]
    assert len(lines) <= SCREEN
    steps = [line.strip()[:4] for line in lines if line.startswith('    # ')]
    assert steps == ['# 1 ', '# 2 ', '# 3 ', '# 4 ']


@pytest.mark.parametrize('name', EXCEPTIONS)
def test_doors_are_a_few_lines(name):
    assert len((ROOT / name).read_text(encoding='utf-8').splitlines()) <= 10


@pytest.mark.parametrize(
    'room, source, found',
    [
        ('nets', 'from utils.errors import UserError\nimport numpy as np', []),
        ('nets', 'from nets.spec import BackboneSpec\nimport tensorflow as tf', []),
        ('nets', 'import datasets', ['datasets']),
        ('utils', 'def run():\n    from configs import load\n', ['configs.load']),
        (
            'configs',
            'from nets.spec import BOX_SETS_300\nfrom nets import backbones, ssd',
            ['nets.ssd'],
        ),
        ('configs', 'from nets.specification import a', ['nets.specification.a']),
        ('datasets', 'from evaluation import voc', ['evaluation.voc']),
        ('datasets', 'from datasets.readers import voc', []),
        (
            'datasets.readers',
            'from datasets import tfrecord\nfrom datasets.readers import voc',
            ['datasets.tfrecord'],
        ),
        ('evaluation', 'from detection import detector, drawing', ['detection.detector']),
        (
            'training',
            'import ssd_train\nfrom tests.rows import a\nfrom benchmarks import fuzz',
            ['benchmarks.fuzz', 'ssd_train', 'tests.rows.a'],
        ),
        ('nets', 'from . import spec', ['.', '.spec']),
    ],
)
def test_a_broken_rule_is_found(room, source, found):
    assert wrong(room, source) == found
