"""Packing the test data of the backbones, and the command that does it."""
import subprocess
import sys

import pytest

from benchmarks import make_golden
from utils.errors import UserError

NETWORK = {
    'variables': {'net/conv1/weights': [3, 3, 3, 8]}, 'input': [1, 5, 5, 3],
    'endpoints': {
        'net/block1': {'shape': [1, 3, 3, 8], 'mean': 0.123456789, 'std': 2.0,
                       'samples': [1.0, -0.000012345678]},
        'net/block1/unit_1/conv': {'shape': [1], 'mean': 0., 'std': 0., 'samples': []}}}


def test_checkpoint_list(tmp_path):
    path = tmp_path / 'list.txt'
    path.write_text('net/conv1/weights\t3x3x3x8\nglobal_step\tscalar\n\n')
    assert make_golden.read_checkpoint_list(path) == {'net/conv1/weights': [3, 3, 3, 8],
                                                      'global_step': []}
    path.write_text('')
    assert make_golden.read_checkpoint_list(path) == {}


def test_pack_keeps_blocks_and_seven_digits():
    variables = {'net/conv1/weights': [3, 3, 3, 8], 'net/logits/weights': [8, 1000]}
    assert make_golden.pack(NETWORK, variables, ('logits',)) == {
        'input': [1, 5, 5, 3], 'left_out': ['logits'], 'variables': variables,
        'end_points': {'net/block1': {'shape': [1, 3, 3, 8], 'mean': 0.1234568, 'std': 2.0,
                                      'values': [1.0, -1.234568e-05]}}}


@pytest.mark.parametrize('variables', [{}, {'net/conv1/weights': [3, 3, 3, 9]}])
def test_networks_that_are_not_the_published_ones_are_refused(variables):
    message = r"^not so in the published checkpoint: \['net/conv1/weights'\]$"
    with pytest.raises(UserError, match=message):
        make_golden.pack(NETWORK, variables, ())


def test_command_line():
    def call(*arguments):
        done = subprocess.run([sys.executable, '-m', 'benchmarks.make_golden', *arguments],
                              cwd=make_golden.ROOT, capture_output=True, text=True)
        return done.returncode, done.stdout, done.stderr

    code, text, _ = call('--help')
    assert code == 0 and '\n  --networks=FOLDER\n        Holds <model>.json' in text
    code, _, error = call('--networks=nowhere', '--checkpoints=nowhere')
    message = "[Errno 2] No such file or directory: 'nowhere/vgg_16.json'"
    assert code == 2 and error == f'error: {message}\n'
