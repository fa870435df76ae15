"""The few variables by which a checkpoint's network is told, without the others."""
import numpy as np

from nets.spec import BackboneSpec


def variables(spec: BackboneSpec, classes: int = 2) -> dict[str, np.ndarray]:
    """One variable of the backbone, and the biases of all heads, zeros."""
    found = {f'{spec.imagenet.scope}/first/weights': np.zeros(1, 'f')}
    for layer, boxes in zip(spec.head_layers, spec.boxes_per_cell, strict=True):
        head = f'ssd/{layer.replace("/", "_")}'
        found[f'{head}/offsets/biases'] = np.zeros(4 * boxes, 'f')
        found[f'{head}/logits/biases'] = np.zeros(boxes * (classes + 1), 'f')
    return found
