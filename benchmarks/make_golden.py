"""Packs what is known of slim's published networks into tests/data/slim/<scope>.json.gz, the tests' own data.

    python3 -m benchmarks.make_golden --networks=FOLDER --checkpoints=FOLDER

Each file holds, for one published ImageNet checkpoint,

    variables    name -> shape of everything in the checkpoint
    left_out     beginnings of the names that the SSD does not use (classifier, auxiliary classifier, later stages)
    input        shape of the golden input
    end_points   name -> its shape, mean, standard deviation, and 16 of its values

The golden values come from running the official network definitions of research/slim in inference mode with the weights and
the input that tests/nets/backbones/reference.py makes; only the end points up to the SSD's last are kept.
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
# Scope: (name of the files, beginnings of the variables under the scope that the SSD leaves out).
NETWORKS = {
    'vgg_16': ('vgg_16', ('fc8', 'mean_rgb')),
    **_RESNETS,
    'MobilenetV1': ('mobilenet_v1', ('Conv2d_12_', 'Conv2d_13_', 'Logits')),
    'MobilenetV2': ('mobilenet_v2', ('expanded_conv_13/depthwise', 'expanded_conv_13/project', 'expanded_conv_14/',
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
    """Lines "name<TAB>shape" -> {name: shape}; a shape is written as 3x3x64x64, or as scalar for []."""
    rows = (line.split('\t') for line in path.read_text().splitlines() if line)
    return {name: [] if shape == 'scalar' else [int(side) for side in shape.split('x')] for name, shape in rows}


def keep_end_point(name: str) -> bool:
    """Whole blocks and layers, not the ResNets' single convolutions inside of a unit."""
    return '/unit_' not in name


def pack(network: dict, variables: dict[str, list[int]], left_out: Iterable[str]) -> dict:
    """The content of one data file; ValueError where the two sources disagree.

    Args:
        network: 'variables' {name: shape}, 'input', and 'endpoints' {name: {'shape', 'mean', 'std', 'samples'}}.
        variables: of the published checkpoint.  left_out: see above.
    """
    if wrong := {name for name, shape in network['variables'].items() if variables.get(name) != shape}:
        raise ValueError(f'not so in the published checkpoint: {sorted(wrong)}')
    end_points = {name: {'shape': point['shape'], 'mean': _short(point['mean']), 'std': _short(point['std']),
                         'values': [_short(value) for value in point['samples']]}
                  for name, point in network['endpoints'].items() if keep_end_point(name)}
    return {'input': network['input'], 'left_out': list(left_out), 'variables': variables, 'end_points': end_points}


def _short(value: float) -> float:
    """Seven digits: a float32 has no more."""
    return float(f'{value:.7g}')


def main() -> None:
    options = _options()
    OUTPUT.mkdir(parents=True, exist_ok=True)
    for scope, (model, left_out) in NETWORKS.items():
        try:
            network = json.loads((options.networks / f'{model}.json').read_text())
            variables = read_checkpoint_list(options.checkpoints / f'{_CHECKPOINTS.get(model, model)}.txt')
        except OSError as error:
            raise UserError(str(error)) from None
        packed = json.dumps(pack(network, variables, left_out), separators=(',', ':'))
        path = OUTPUT / f'{scope}.json.gz'
        path.write_bytes(gzip.compress(packed.encode(), mtime=0))
        print(f'{path.relative_to(OUTPUT.parents[2])}: {len(variables)} variables, {path.stat().st_size} bytes')


def _options():
    parser = command_line.parser('python3 -m benchmarks.make_golden', __doc__)
    parser.add_argument('--networks', type=pathlib.Path, required=True, metavar='FOLDER',
                        help='Holds <model>.json with variables, input and endpoints, written from the official definitions.')
    parser.add_argument('--checkpoints', type=pathlib.Path, required=True, metavar='FOLDER',
                        help='Holds <checkpoint>.txt, the list of a published checkpoint: lines "name<TAB>shape", shapes as '
                             '3x3x64x64.')
    return parser.parse_args()


if __name__ == '__main__':
    run(main)
