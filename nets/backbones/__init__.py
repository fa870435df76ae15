"""The registry: one line per backbone. A new backbone is one new file here and one line in `_MODULES`."""
import functools
import importlib

from nets.spec import BackboneSpec

# Name -> the module whose `spec(...)` makes its record; imported when asked for.
_MODULES = {
    'vgg_300': 'vgg',
    'vgg_512': 'vgg',
    'resnet_v1': 'resnet_v1',
    'resnet_v2': 'resnet_v2',
    'mobilenet_v1': 'mobilenet_v1',
    'mobilenet_v2': 'mobilenet_v2',
    'inception_v4': 'inception_v4',
    'inception_resnet_v2': 'inception_resnet_v2',
}


def names() -> tuple[str, ...]:
    """Known backbones, in the order of the README's table."""
    return tuple(_MODULES)


@functools.cache
def get(name: str, depth: int | None = None) -> BackboneSpec:
    """The record of backbone `name`. `depth`: 50 (default), 101 or 152, for the ResNets only; else it is ignored.

    ValueError lists the known names (or depths).
    """
    if name not in _MODULES:
        raise ValueError(f"unknown backbone '{name}'; known: {', '.join(_MODULES)}")
    module = importlib.import_module(f'nets.backbones.{_MODULES[name]}')
    if name.startswith('resnet'):
        return module.spec(name, depth or 50)
    return module.spec(name)


def weights_name(spec: BackboneSpec) -> str:
    """What checkpoints.fetch calls a record's ImageNet weights: its name, for the ResNets with the depth."""
    return spec.imagenet.scope if spec.name.startswith('resnet') else spec.name


def from_config_name(name: str, depth: int, box_set: str) -> BackboneSpec:
    """The record for the configuration's values: 'ssd_<name>', ResNet depth, set of default box sizes."""
    return get(name.removeprefix('ssd_'), depth).with_box_set(box_set)
