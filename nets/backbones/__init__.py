"""The registry of backbones. A new one needs a file in this folder and a line in `_MODULES`."""
import functools
import importlib

from nets.spec import RESNET_DEPTHS, BackboneSpec

# Name -> the module whose `spec(...)` makes the backbone's spec; imported when asked for.
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
    """Depths of a backbone that `get` knows, the default first; (None,) if it has only one."""
    return RESNET_DEPTHS if name.startswith('resnet') else (None,)


@functools.cache
def get(name: str, depth: int | None = None) -> BackboneSpec:
    """Returns the spec of a backbone.

    Args:
        name: one of `names()`.
        depth: one of `depths(name)`, None for the default; ignored if there is only one.

    Raises:
        ValueError: unknown name or depth; the message lists the known ones.
    """
    if name not in _MODULES:
        raise ValueError(f"unknown backbone '{name}'; known: {', '.join(_MODULES)}")
    module = importlib.import_module(f'nets.backbones.{_MODULES[name]}')
    default = depths(name)[0]
    return module.spec(name, depth or default) if default else module.spec(name)


def weights_name(spec: BackboneSpec) -> str:
    """Name of the ImageNet weights in checkpoints.fetch; with the depth if there are several."""
    return spec.imagenet.scope if len(depths(spec.name)) > 1 else spec.name


def from_config_name(name: str, depth: int, box_set: str) -> BackboneSpec:
    """Returns the spec for the values of a configuration.

    Args:
        name: 'ssd_<backbone>'.
        depth: of a ResNet; ignored for the others.
        box_set: set of default box sizes.

    Raises:
        ValueError: an unknown value; the message lists the known ones.
    """
    return get(name.removeprefix('ssd_'), depth).with_box_set(box_set)
