"""The registry: one line per backbone. A new backbone is one new file here and one line in `_MODULES`."""
import functools
import importlib

from nets.spec import RESNET_DEPTHS, BackboneSpec

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


def depths(name: str) -> tuple[int | None, ...]:
    """The depths that `get` knows of a backbone, the default first; (None,) where there is no choice."""
    return RESNET_DEPTHS if name.startswith('resnet') else (None,)


@functools.cache
def get(name: str, depth: int | None = None) -> BackboneSpec:
    """The record of backbone `name`. `depth`: one of `depths(name)`, None for the default; without a choice it is ignored.

    ValueError lists the known names (or depths).
    """
    if name not in _MODULES:
        raise ValueError(f"unknown backbone '{name}'; known: {', '.join(_MODULES)}")
    module = importlib.import_module(f'nets.backbones.{_MODULES[name]}')
    default = depths(name)[0]
    return module.spec(name, depth or default) if default else module.spec(name)


def weights_name(spec: BackboneSpec) -> str:
    """What checkpoints.fetch calls a record's ImageNet weights: its name, with the depth where there is a choice."""
    return spec.imagenet.scope if len(depths(spec.name)) > 1 else spec.name


def from_config_name(name: str, depth: int, box_set: str) -> BackboneSpec:
    """The record for the configuration's values: 'ssd_<name>', ResNet depth, set of default box sizes.

    ValueError lists the known values.
    """
    return get(name.removeprefix('ssd_'), depth).with_box_set(box_set)
