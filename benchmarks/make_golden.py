"""Packs facts of slim's published networks into tests/data/slim/<scope>.json.gz, for the tests.

    python3 -m benchmarks.make_golden --networks=FOLDER --checkpoints=FOLDER

Each file holds, for one published ImageNet checkpoint,

    variables    {name: shape} of everything in the checkpoint
    left_out     prefixes of the names that the SSD does not use (classifiers, later stages)
    input        shape of the input
    end_points   {name: its shape, mean, standard deviation, and 16 of its values}

The values come from the official network definitions in research/slim, run in inference mode with
the weights and the input of tests/nets/backbones/reference.py. Only the end points up to the SSD's
last are kept.
"""
import gzip
import json
import pathlib
from collections.abc import Iterable

from utils import command_line
from utils.errors import UserError
from utils.script import run

ROOT = pathlib.Path(__file__).resolve().parents[1]
OUTPUT = ROOT / 'tests/data/slim'
_RESNETS = {f'resnet_v{version}_{depth}': (f'resnet_v{version}_{depth}', ('logits', 'mean_rgb'))
            for version in (1, 2) for depth in (50, 101, 152)}
# Scope -> (name of the files, prefixes of variables under the scope that the SSD leaves out).
NETWORKS = {
    'vgg_16': ('vgg_16', ('fc8', 'mean_rgb')),
    **_RESNETS,
    'MobilenetV1': ('mobilenet_v1', ('Conv2d_12_', 'Conv2d_13_', 'Logits')),
    'MobilenetV2': ('mobilenet_v2', (
        'expanded_conv_13/depthwise', 'expanded_conv_13/project', 'expanded_conv_14/',
        'expanded_conv_15/', 'expanded_conv_16/', 'Conv_1/', 'Logits')),
    'InceptionV4': ('inception_v4', ('AuxLogits', 'Logits')),
    'InceptionResnetV2': ('inception_resnet_v2', ('AuxLogits', 'Logits')),
}
_CHECKPOINTS = {
    'mobilenet_v1': 'mobilenet_v1_1.0_224',
    'mobilenet_v2': 'mobilenet_v2_1.0_224',
    'inception_resnet_v2': 'inception_resnet_v2_2016_08_30',
}


def read_checkpoint_list(path: pathlib.Path) -> dict[str, list[int]]:
    """{name: shape} from lines "name<TAB>shape", shapes as 3x3x64x64 or scalar."""
    rows = (line.split('\t') for line in path.read_text().splitlines() if line)
    return {name: [] if shape == 'scalar' else [int(side) for side in shape.split('x')]
            for name, shape in rows}


def pack(network: dict, variables: dict[str, list[int]], left_out: Iterable[str]) -> dict:
    """The content of one data file.

    Args:
        network: 'variables' {name: shape}, 'input' (a shape), and 'endpoints'
            {name: {'shape', 'mean', 'std', 'samples'}}.
        variables: {name: shape} of the published checkpoint.
        left_out: prefixes, see above.

    Raises:
        UserError: a variable of the network has another shape in the checkpoint, or is missing.
    """
    shapes = network['variables']
    if wrong := {name for name in shapes if variables.get(name) != shapes[name]}:
        raise UserError(f'not so in the published checkpoint: {sorted(wrong)}')
    end_points = {
        name: {'shape': point['shape'], 'mean': _round(point['mean']), 'std': _round(point['std']),
               'values': [_round(value) for value in point['samples']]}
        for name, point in network['endpoints'].items()
        if '/unit_' not in name}  # whole blocks, not the convolutions inside a unit of a ResNet
    return {'input': network['input'], 'left_out': list(left_out), 'variables': variables,
            'end_points': end_points}


def _round(value: float) -> float:
    """Rounds to seven digits, the precision of float32."""
    return float(f'{value:.7g}')


def main() -> None:
    options = _options()
    OUTPUT.mkdir(parents=True, exist_ok=True)
    for scope, (model, left_out) in NETWORKS.items():
        listed = f'{_CHECKPOINTS.get(model, model)}.txt'
        try:
            network = json.loads((options.networks / f'{model}.json').read_text())
            variables = read_checkpoint_list(options.checkpoints / listed)
        except (OSError, ValueError) as error:
            raise UserError(str(error)) from None
        packed = json.dumps(pack(network, variables, left_out), separators=(',', ':'))
        path = OUTPUT / f'{scope}.json.gz'
        path.write_bytes(gzip.compress(packed.encode(), mtime=0))
        print(f'{path.relative_to(ROOT)}: {len(variables)} variables, {path.stat().st_size} bytes')


def _options():
    parser = command_line.parser('python3 -m benchmarks.make_golden', __doc__)
    parser.add_argument('--networks', type=pathlib.Path, required=True, metavar='FOLDER',
                        help='Holds <model>.json with variables, input and endpoints, written from '
                             'the official definitions.')
    parser.add_argument('--checkpoints', type=pathlib.Path, required=True, metavar='FOLDER',
                        help='Holds <checkpoint>.txt, the list of a published checkpoint: lines '
                             '"name<TAB>shape", shapes as 3x3x64x64.')
    return parser.parse_args()


if __name__ == '__main__':
    run(main)
