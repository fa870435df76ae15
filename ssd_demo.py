"""Detects objects in images, videos and cameras; draws them, or writes JSON lines or VOC XML.

    python3 ssd_demo.py                                     # the photograph of matplotlib
    python3 ssd_demo.py image.jpg --score_threshold=0.4
    python3 ssd_demo.py holidays --batch_size=8             # a folder; or 'holidays/*.png'
    python3 ssd_demo.py clip.mp4 --show_classes=person,dog  # a video; 0 is the first camera
    python3 ssd_demo.py holidays --format=image,json,xml --output=found

Reads configs/config_general.py, config_common.py and config_demo.py.
"""
import math
from collections.abc import Iterator, Sequence

from configs import detection_settings, load
from utils import processor
from utils.errors import UserError, nearest
from utils.script import imports, run

processor.use_onednn(fixed_weights=__name__ == '__main__')
with imports():
    import detection
    from checkpoints import thresholds
    from datasets import class_lists
    from detection import sources, writers
    from detection.detector import Detector
    from detection.window import Unavailable, Window, has_display
    from nets import backbones
    from nets.slim_compat import prepare_devices, tf
    from preprocessing import pipeline
    from utils.command_line import words
    from utils.errors import DataError
    from utils.progress import Progress
    from utils.signals import StopRequest
    from utils.text import counted

# Lines about images that are left out, at most.
_REFUSED_SHOWN = 20
_LOOKED_AT = 64  # images, for the best score where nothing is found


def main() -> int:
    config = load('ssd_demo', positional='image', description=__doc__)
    prepare_devices()
    source = sources.open_source(config.image, config.frame_step)
    if config.frame_step > 1 and not source.moving:
        raise UserError(f'frame_step is for videos and cameras; {source.name} is none')
    formats = writers.choose_formats(config.format, config.output, source.moving)
    written = writers.Outputs(source, config.output, formats)
    spec = backbones.from_config_name(config.backbone_network, config.resnet_depth,
                                      config.default_box_set)

    # 1 placeholder for the input image: fed in step 4, traced once for every height and width
    placeholder = tf.TensorSpec([None, None, 3], tf.uint8, name='image')

    # 2 preprocessing
    @tf.function(input_signature=[placeholder], autograph=False)
    def preprocess(image):
        return pipeline.resize_image(image, spec.image_size)

    # 3 SSD model, which normalizes its images
    detector = detection.load(config.checkpoint, spec,
                              classes=class_lists.names(config.classes_file),
                              **detection_settings(config))
    shown = labels_to_show(config.show_classes, detector.classes)
    bounds = detector.thresholds or [detector.limits.score_threshold]
    bounds = ' to '.join(dict.fromkeys(f'{bound:.2f}' for bound in (min(bounds), max(bounds))))
    if config.score_threshold == 'best':
        bounds += f' ({thresholds.origin(detector.prefix)})'
    print(f'{source}; ssd_{spec.name} of {detector.prefix}; scores above {bounds}')

    # 4 inference in batches; threads read and preprocess ahead of it
    first = []

    def infer(items, images):
        first.extend(images[:_LOOKED_AT - len(first)])
        return items, detector.detect(tf.stack(images))

    batches = sources.batches(source, preprocess, config.batch_size)
    detected = (infer(*batch) for batch in batches)

    # 5 postprocessing: names, pixels of each image, and only the classes to show
    named = ((items, detector.named(detections, [item.image.shape[:2] for item in items]))
             for items, detections in detected)
    results = (writers.DetectedImage(item, [found for found in objects if found.label in shown])
               for batch in named for item, objects in zip(*batch, strict=True))

    # 6 visualization
    tally = writers.Tally(warm_up=config.batch_size)
    with StopRequest() as stop, written:
        if source.several:
            draw_all(results, source, written, tally, stop, config.show)
        else:
            only = draw_one(results, written, tally)
    if first and not tally.detections:
        print(best_below(detector, first, shown))
    code = report(source, written, tally, stop.name)
    if code == 0 and not source.several and config.show and has_display():
        window = open_window(source.name)
        if window:
            window.hold(only.drawn)
    return code


def labels_to_show(names: str, classes: Sequence[str]) -> frozenset[int]:
    """Labels, from 1, of comma-separated class names; of all classes where there are none.

    Raises:
        UserError: a name is no class.
    """
    wanted = words(names) or classes
    for name in wanted:
        if name not in classes:
            raise UserError(f"show_classes: '{name}' is no class of this detector"
                            + (nearest(name, classes) or f'; it knows {", ".join(classes)}'))
    return frozenset(classes.index(name) + 1 for name in wanted)


def best_below(detector: Detector, images: list[tf.Tensor], labels: frozenset[int]) -> str:
    """A line for images without detections: is the detector blind, or the threshold too high?"""
    score, label = max(detector.strongest(image[None], labels) for image in images)
    where = f'in the first {counted(len(images), "image")} ' if len(images) > 1 else ''
    return (f'best score {where}below the threshold: {detector.classes[label - 1]} {score:.2f}; '
            f'--score_threshold={max(0, math.floor(100 * score - 1e-6) / 100):g} shows it')


def draw_all(results: Iterator[writers.DetectedImage], source: sources.ImageFiles | sources.Video,
             written: writers.Outputs, tally: writers.Tally, stop: StopRequest,
             show: bool) -> None:
    """Writes the results of several images, or of frames, which a window shows too.

    It ends early when a signal comes or the window is closed.
    """
    window = open_window(source.name) if show and source.moving else None
    progress = Progress(source.total, source.noun + 's')
    for result in results:
        written.add(result)
        tally.add(result)
        progress.update(tally.results + len(source.refused) - progress.n)
        if stop.name or (window and not window.show(result.drawn)):
            break
    progress.update(tally.results + len(source.refused) - progress.n)
    progress.close()


def draw_one(results: Iterator[writers.DetectedImage], written: writers.Outputs,
             tally: writers.Tally) -> writers.DetectedImage | None:
    """Prints and writes the result of one image; returns it, or None where it cannot be read."""
    result = next(results, None)
    if result:
        print(result.text())
        written.add(result)
        tally.add(result)
    return result


def open_window(title: str) -> Window | None:
    """A window; None where there is none, and one line says why."""
    try:
        return Window(title)
    except Unavailable as reason:
        print(f'no window: {reason}')
        return None


def report(source: sources.ImageFiles | sources.Video, written: writers.Outputs,
           tally: writers.Tally, signal: str) -> int:
    """Prints what was found, left out and written; returns the exit code.

    Args:
        source: of the images.
        written: the files.
        tally: of the results.
        signal: the name of the one that interrupted, or ''.

    Raises:
        DataError: nothing could be read, or a video ends early. What is left out of several images
            is no mistake.
    """
    if tally.results and source.several:
        print(tally.summary(source.noun))
    if source.several and source.refused:
        print(f'{len(source.refused)} of {source.total} images left out:')
        print('\n'.join('  ' + line for line in source.refused[:_REFUSED_SHOWN]))
        if len(source.refused) > _REFUSED_SHOWN:
            print(f'  ... and {len(source.refused) - _REFUSED_SHOWN} more')
    for line in written.notes():
        print(line)
    for line in written.written():
        print(f'written: {line}')
    if signal:
        of_total = f' of {source.total}' if source.total else ''
        print(f'interrupted after {counted(tally.results, source.noun)}{of_total}')
        return 130
    if not tally.results:
        raise DataError(f'no image of {source.name} can be read' if source.several
                        else source.refused[0])
    if cut := source.cut():
        raise DataError(cut)
    return 0


if __name__ == '__main__':
    run(main)
