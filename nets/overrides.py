"""What the weights of a checkpoint need that differs from the spec of their backbone.

A converted SSD (checkpoints.convert) may have other default boxes, paddings, or heads on other
layers than this project's network of that backbone. model.json holds these facts. No TensorFlow.
"""
import dataclasses
import typing
from collections.abc import Mapping

from nets.spec import BackboneSpec, ExtraLayer


def _tuples(value):
    """Lists of lists as tuples of tuples."""
    return tuple(map(_tuples, value)) if isinstance(value, list | tuple) else value


# Field of BackboneSpec that may differ -> (its value as JSON has it, the spec) -> its value.
_FIELDS: dict[str, typing.Any] = {
    'normalization': lambda value, spec: value,
    'box_set': lambda value, spec: value,
    'extra_from': lambda value, spec: value,
    'last': lambda value, spec: value,
    'parameters': lambda value, spec: value,
    'feature_layers': lambda value, spec: _tuples(value),
    'grids': lambda value, spec: _tuples(value),
    'head_kernels': lambda value, spec: _tuples(value),
    'box_shapes': lambda value, spec: tuple(
        tuple((float(height), float(width)) for height, width in cell) for cell in value),
    'box_sets': lambda value, spec: dict(spec.box_sets) | {
        name: tuple(map(float, sizes)) for name, sizes in value.items()},
    'extra_layers': lambda value, spec: tuple(ExtraLayer(**layer) for layer in value),
}


def apply(spec: BackboneSpec, overrides: Mapping[str, typing.Any]) -> BackboneSpec:
    """The spec with what a checkpoint's weights need instead, such as another padding.

    Args:
        spec: of the backbone.
        overrides: fields of BackboneSpec, values as JSON has them. box_sets: {name: list of sizes
            in pixels}, added to the known ones. extra_layers: list of the fields of ExtraLayer.

    Raises:
        ValueError: another field, or a value that does not fit.
    """
    try:
        if unknown := set(overrides) - set(_FIELDS):
            raise ValueError(f'{min(unknown)} cannot be overridden')
        values = {name: _FIELDS[name](value, spec) for name, value in overrides.items()}
        if 'grids' in values:  # of other layers: these lie at image_size / grid
            values |= {'steps': (), 'first_centers': ()}
        return dataclasses.replace(spec, **values, overrides=overrides)
    except (TypeError, AttributeError, ValueError) as error:
        raise ValueError(f'{spec.name}: overrides do not fit: {error}') from None
