"""A trained SSD as one function: uint8 images in, detections out. What test, demo and export share."""
from collections.abc import Callable, Sequence

from checkpoints import io as checkpoint
from detection import folding
from nets import anchors, postprocess, ssd
from nets.slim_compat import tf
from nets.spec import BackboneSpec
from utils.errors import CheckpointError


class Detector(tf.Module):
    """detector(images) -> nets.postprocess.Detections, for uint8 images [B, S, S, 3]; traced once for every B.

    Args:
        model: nets.ssd.SSD.
        normalize: uint8 images -> the model's pixel convention.
        folded: computes with the model's weights as they are now, faster (see detection.folding). False: with its variables.
        limits: score_threshold, nms_threshold, top_k and keep_top_k of nets.postprocess.detect.

    Attributes:
        network: images -> (logits, offsets) as of nets.ssd.SSD, for use inside a tf.function.
        defaults: float32 [K, 4], the default boxes.
    """

    def __init__(self, model: ssd.SSD, normalize: Callable[[tf.Tensor], tf.Tensor], folded: bool = False,
                 **limits: float):
        super().__init__(name='detector')
        self.model, self.normalize, self.limits = model, normalize, limits
        self.defaults = anchors.default_boxes(model.spec)
        signature = tf.TensorSpec([None, model.spec.image_size, model.spec.image_size, 3], tf.uint8, name='images')
        self.network = folding.fold(self._network, signature) if folded else self._network
        self._detect = tf.function(self._detections, input_signature=[signature], autograph=False)

    def __call__(self, images: tf.types.experimental.TensorLike) -> postprocess.Detections:
        return self._detect(images)

    def _network(self, images):
        return self.model(self.normalize(images), False)

    def _detections(self, images):
        return postprocess.detect(*self.network(images), self.defaults, **self.limits)


def find(given: str, spec: BackboneSpec) -> str:
    """Prefix of the user's checkpoint, or where none is given, of the newest in checkpoints/ssd_<backbone>/, or of the one
    that is shipped there.

    CheckpointError says how to get one.
    """
    if given:
        return checkpoint.find(given)
    prefix = checkpoint.trained(spec)
    if prefix is None:
        raise CheckpointError(
            f'no trained detector in {checkpoint.default_folder(spec)}; train one: python3 ssd_train.py '
            f'--backbone_network=ssd_{spec.name}, or name one with --checkpoint=PATH')
    return prefix


def load(spec: BackboneSpec, prefix: str, precision: str = 'float32',
         classes: Sequence[str] = ()) -> tuple[ssd.SSD, tuple[str, ...]]:
    """Builds the network of a checkpoint and restores all of it -> (model, class names without background).

    Args:
        prefix: as checkpoints.io.find returns it.
        classes: names, for a checkpoint that has no model.json beside it.

    Raises:
        CheckpointError: the checkpoint is of another backbone, lacks some variable, or has no classes.
    """
    facts = checkpoint.read_description(prefix)
    _check_facts(facts, spec, prefix)
    classes = tuple(facts.get('classes') or classes)
    if not classes:
        raise CheckpointError(f'the classes of {prefix} are unknown: no {checkpoint.DESCRIPTION} beside it '
                              'lists them, and none are named')
    model = ssd.SSD(spec, len(classes) + 1, precision=precision).build()
    result = checkpoint.restore(model.variables, prefix, averages=True)
    if result.fresh or result.mismatched:
        raise CheckpointError(
            f'{prefix} does not fit ssd_{spec.name} with {len(classes)} classes: '
            f'{_first(result.mismatched, "of another shape")}{_first(result.fresh, "missing")}'
            + ('' if facts else f'It has no {checkpoint.DESCRIPTION} beside it; classes other than those of VOC are named to '
                                'ssd_demo.py with --classes_file=FILE'))
    return model, classes


def _check_facts(facts, spec, prefix):
    """The facts beside a checkpoint must be those of the configured network."""
    expected = {'backbone_network': 'ssd_' + spec.name, 'image_size': spec.image_size, 'default_box_set': spec.box_set,
                'default_boxes': spec.box_facts, 'imagenet_scope': spec.imagenet.scope, 'conventions': spec.conventions}
    for key, value in expected.items():
        if key in facts and facts[key] != value:
            raise CheckpointError(f'{prefix} was trained with {key} {facts[key]}, configured is {value}')


def _first(names, what):
    return f'{len(names)} variables {what}, first {names[0]}. ' if names else ''
