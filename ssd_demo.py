"""Detects objects in pictures, videos and cameras; draws them, or writes them as JSON lines or VOC XML.

    python3 ssd_demo.py                                     # the photograph that comes with matplotlib
    python3 ssd_demo.py picture.jpg --score_threshold=0.5
    python3 ssd_demo.py holidays --batch_size=8             # all pictures of a folder; 'holidays/*.png' for some, in quotes
    python3 ssd_demo.py clip.mp4 --show_classes=person,dog  # a video; 0 is the first camera
    python3 ssd_demo.py holidays --format=image,json,xml --output=found

Reads configs/config_general.py, config_common.py and config_demo.py.
"""
import functools
from collections.abc import Iterator, Sequence

from configs import load
from utils.errors import UserError, nearest
from utils.script import quiet, run

with quiet():
    from checkpoints import io as checkpoint
    from datasets import voc
    from detection import detector, sources, writers
    from detection.sources import counted
    from detection.window import Unavailable, Window, has_display
    from nets import backbones, postprocess
    from nets.slim_compat import prepare_devices, tf
    from preprocessing import normalize, pipeline
    from utils.errors import DataError
    from utils.progress import Progress
    from utils.signals import StopRequest

# Lines about pictures that are left out, at most.
_REFUSED_SHOWN = 20


def main() -> int:
    config = load('ssd_demo', positional='image', description=__doc__)
    prepare_devices()
    source = sources.find(config.image)
    written = writers.Outputs(source, config.output, writers.choose_formats(config.format, config.output, source.moving))
    spec = backbones.from_config_name(config.backbone_network, config.resnet_depth, config.default_box_set)
    prefix = detector.find(config.checkpoint, spec)
    spec, note = checkpoint.record_of(prefix, spec)
    print(f'{source}; {note or f"ssd_{spec.name} of {prefix}"}')

    # 1 placeholder for the input image: fed in step 4, traced once for every height and width
    placeholder = tf.TensorSpec([None, None, 3], tf.uint8, name='image')

    # 2 preprocessing
    @tf.function(input_signature=[placeholder], autograph=False)
    def preprocess(image):
        return pipeline.resize_image(image, spec.image_size)

    # 3 SSD model
    model, classes = detector.load(spec, prefix, config.precision, voc.class_names(config.classes_file))
    shown = labels_to_show(config.show_classes, classes)
    detect = detector.Detector(
        model, functools.partial(normalize.normalize, normalization=spec.normalization), folded=True, score_threshold=config.score_threshold,
        nms_threshold=config.nms_threshold, top_k=config.nms_top_k, keep_top_k=config.keep_top_k)

    # 4 inference in batches; threads read and preprocess ahead of it
    batches = sources.batches(source, preprocess, config.batch_size)
    detected = ((items, detect(tf.stack(images))) for items, images in batches)

    # 5 postprocessing: of each picture the rows that hold something, of the classes to show
    results = (result for items, detections in detected for result in split(items, detections, classes, shown))

    # 6 visualization
    tally = writers.Tally(warm_up=config.batch_size)
    with StopRequest() as stop, written:
        if source.several:
            draw_all(results, source, written, tally, stop, config.show)
        else:
            only = draw_one(results, written, tally)
    code = report(source, written, tally, stop.name)
    if code == 0 and not source.several and config.show and has_display() and (window := open_window(source.name)):
        window.hold(only.drawn)
    return code


def labels_to_show(names: str, classes: Sequence[str]) -> frozenset[int]:
    """Labels, from 1, of comma-separated class names; of all classes where there are none. UserError for a name of none."""
    wanted = [name.strip() for name in names.split(',') if name.strip()] or classes
    for name in wanted:
        if name not in classes:
            raise UserError(f"show_classes: '{name}' is no class of this detector"
                            + (nearest(name, classes) or f'; it knows {", ".join(classes)}'))
    return frozenset(classes.index(name) + 1 for name in wanted)


def split(items: Sequence[sources.Item], detections: postprocess.Detections, classes: tuple[str, ...],
          shown: frozenset[int]) -> Iterator[writers.Result]:
    """A batch's items and what was found in them -> one Result per item, with the detections of the labels to show."""
    batch = (values.numpy() for values in detections)
    for item, boxes, scores, labels, count in zip(items, *batch, strict=True):
        kept = [number for number in range(count) if labels[number] in shown]
        yield writers.Result(item, boxes[kept], labels[kept], scores[kept], classes)


def draw_all(results: Iterator[writers.Result], source: sources.Pictures | sources.Video, written: writers.Outputs,
             tally: writers.Tally, stop: StopRequest, show: bool) -> None:
    """Many pictures, or frames: progress on the terminal, and frames in a window; until that is closed or a signal comes."""
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


def draw_one(results: Iterator[writers.Result], written: writers.Outputs, tally: writers.Tally) -> writers.Result | None:
    """One picture: a table on the terminal. -> its Result; None where it cannot be read."""
    result = next(results, None)
    if result:
        print(result.table())
        written.add(result)
        tally.add(result)
    return result


def open_window(title: str) -> Window | None:
    """-> Window, or None and one line that says why there is none."""
    try:
        return Window(title)
    except Unavailable as reason:
        print(f'no window: {reason}')
        return None


def report(source: sources.Pictures | sources.Video, written: writers.Outputs, tally: writers.Tally, signal: str) -> int:
    """Says what was found, left out and written -> exit code. signal: the name of the one that interrupted, or ''.

    DataError where nothing could be read; where something could, what is left out is no mistake.
    """
    if tally.results and source.several:
        print(tally.summary(source.noun))
    if source.several and source.refused:
        print(f'{len(source.refused)} of {source.total} pictures left out:')
        print('\n'.join('  ' + line for line in source.refused[:_REFUSED_SHOWN]))
        if len(source.refused) > _REFUSED_SHOWN:
            print(f'  ... and {len(source.refused) - _REFUSED_SHOWN} more')
    for line in written.written():
        print(f'written: {line}')
    if signal:
        print(f'interrupted after {counted(tally.results, source.noun)}' + (f' of {source.total}' if source.total else ''))
        return 130
    if not tally.results:
        raise DataError(f'no picture of {source.name} can be read' if source.several else source.refused[0])
    return 0


if __name__ == '__main__':
    run(main)
