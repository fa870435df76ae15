"""What throughput.py measures, one function each, for a process of its own: (spec, options) -> dict of figures.

options: of throughput.py: precision, batch_size, records (a folder of training records), seconds (measured per figure, at least
three steps), xla, profile (a folder), voc and detections. A figure's name tells its unit; `peak` is the largest memory in GiB, of
the GPU where there is one, else of the process.
"""
import argparse
import functools
import pathlib
import re
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

from utils.script import quiet

with quiet():
    import numpy as np

    from checkpoints import io as checkpoint
    from datasets import shapes, tfrecord, voc
    from detection import detector
    from evaluation import voc as voc_eval
    from evaluation import voc_files
    from nets import anchors, postprocess, ssd, targets
    from nets.slim_compat import tf
    from nets.spec import BackboneSpec
    from preprocessing import normalize, pipeline
    from training.trainer import Schedule, Trainer

ROOT = pathlib.Path(__file__).resolve().parents[1]
CLASSES = 21
# A typical VOC image, pixels, and how many of the drawn ones stand for a dataset.
SIZE, IMAGES = (375, 500), 256
# VOC2007 test, and objects an image; detections of a detector with a threshold of 0.005.
_TEST_IMAGES, _TEST_OBJECTS, _TEST_DETECTIONS = 4952, 3, 20
_MATRIX = 4096
_LOG_EVERY = 2


def matmul(_: BackboneSpec, options: argparse.Namespace) -> dict[str, float]:
    """The machine's own limit: multiply-adds/s of TensorFlow's matrix multiplication, 4096 x 4096."""
    side = 2 * _MATRIX if _gpus() else _MATRIX
    one = tf.cast(tf.random.normal([side, side]), options.precision)
    step = tf.function(lambda: one @ one)
    return {'multiply_adds': side**3 / seconds_per_step(step, options.seconds, lambda result: result[0, 0].numpy())}


def facts(spec: BackboneSpec, _: argparse.Namespace) -> dict[str, float]:
    """Parameters with moving statistics, and multiply-adds of one image by TensorFlow's own count (2 operations each)."""
    model = ssd.SSD(spec, CLASSES).build()
    shape = tf.TensorSpec([1, spec.image_size, spec.image_size, 3], tf.float32)
    graph = tf.function(model, autograph=False).get_concrete_function(shape, False).graph
    profiler = tf.compat.v1.profiler
    options = profiler.ProfileOptionBuilder(profiler.ProfileOptionBuilder.float_operation()).with_empty_output() \
        .with_node_names(show_name_regexes=['.*Conv2D', '.*depthwise.*', '.*BiasAdd']).build()
    with quiet():
        count = profiler.profile(graph, options=options).total_float_ops
    return {'parameters': checkpoint.parameters(model.variables), 'multiply_adds': count / 2, 'boxes': spec.num_default_boxes}


def input_pipeline(spec: BackboneSpec, options: argparse.Namespace) -> dict[str, float]:
    """(a) Reading, decoding, augmenting and matching -> images per second of one core's time."""
    _, cpu, count = _read_batches(spec, options, threads=1)
    return {'images_per_second': count / cpu}


def input_pipeline_all_cores(spec: BackboneSpec, options: argparse.Namespace) -> dict[str, float]:
    """The same with all cores -> images per second."""
    seconds, _, count = _read_batches(spec, options, threads=0)
    return {'images_per_second': count / seconds}


def _read_batches(spec, options, threads):
    """-> (seconds, seconds of processors, images)."""
    match = functools.partial(targets.match, defaults=anchors.default_boxes(spec))
    index = tfrecord.read_index(options.records)
    batches = iter(pipeline.training_batches(
        index, spec.image_size, options.batch_size, fill=normalize.mean_colour(spec.normalization), seed=1, threads=threads,
        target_fn=lambda boxes, labels: dict(zip(('classes', 'offsets'), match(boxes, labels), strict=True))))
    for _ in range(6):  # what buffers hold is no measure
        next(batches)
    start, cpu, count = time.monotonic(), time.process_time(), 0
    while time.monotonic() - start < options.seconds:
        next(batches)
        count += options.batch_size
    return time.monotonic() - start, time.process_time() - cpu, count


def training(spec: BackboneSpec, options: argparse.Namespace) -> dict[str, float]:
    """(b) One step on a fixed batch: forward, loss, backward, SGD."""
    trainer = Trainer(_model(spec, options), Schedule(1e-3, 1000), _pixels(spec))
    batch = {'images': _images(spec, options)} | _targets(options.batch_size, spec.num_default_boxes)
    return _pace(functools.partial(trainer.train_step, batch), options, lambda scalars: float(scalars['loss']))


def training_as_run(spec: BackboneSpec, options: argparse.Namespace) -> dict[str, float]:
    """(c) ssd_train.py itself, with data, progress lines and logs."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(ROOT / 'ssd_train.py'), '--training_mode=from_scratch',
                   f'--backbone_network=ssd_{spec.name}', f'--train_records={pathlib.Path(options.records).resolve()}',
                   f'--batch_size={options.batch_size}', f'--precision={options.precision}', f'--log_every={_LOG_EVERY}',
                   f'--output={folder}/ssd']
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        marks = []
        for line in process.stdout:
            marks += [time.monotonic()] if line.startswith('step ') else []
            # The first three draw pictures for TensorBoard.
            if len(marks) > 5 and marks[-1] - marks[3] > options.seconds:
                process.send_signal(signal.SIGTERM)
                break
        process.communicate()
    if len(marks) < 6:
        raise ValueError(f'ssd_train.py ended with {process.returncode} before it could be measured')
    return {'images_per_second': (len(marks) - 4) * _LOG_EVERY * options.batch_size / (marks[-1] - marks[3])}


def inference(spec: BackboneSpec, options: argparse.Namespace) -> dict[str, float]:
    """(d) From uint8 images of the network's size to the boxes after non-maximum suppression."""
    detect = detector.Detector(_model(spec, options), folded=True)
    return _pace(functools.partial(detect.detect, _images(spec, options)), options, lambda found: found.counts.numpy())


def network(spec: BackboneSpec, options: argparse.Namespace) -> dict[str, float]:
    """From uint8 images to logits and offsets: inference without decoding and suppression."""
    detect = detector.Detector(_model(spec, options), folded=True)
    run = tf.function(detect.network, autograph=False)
    return _pace(functools.partial(run, _images(spec, options)), options, lambda found: found[0][0, 0, 0].numpy())


def latency(spec: BackboneSpec, options: argparse.Namespace) -> dict[str, float]:
    """Milliseconds from one image to its boxes."""
    one = argparse.Namespace(**vars(options) | {'batch_size': 1})
    return {'milliseconds': 1000 / inference(spec, one)['images_per_second']}


def jpeg_to_boxes(spec: BackboneSpec, options: argparse.Namespace) -> dict[str, float]:
    """(e) From a record's JPEG to the boxes, as ssd_test.py does it."""
    detect = detector.Detector(_model(spec, options), folded=True)
    index = tfrecord.read_index(options.records)
    batches = iter(pipeline.evaluation_batches(index, spec.image_size, options.batch_size,
                                               max_images=index.images // options.batch_size * options.batch_size).repeat())
    return _pace(lambda: detect.detect(next(batches)['images'])[0].numpy(), options)


def postprocessing(spec: BackboneSpec, options: argparse.Namespace) -> dict[str, float]:
    """(f) Decoding and suppression alone, threshold 0.01, of outputs like a trained detector's: some 640 scores of an image
    pass, most of them of one class (the shipped detector: 570 on VOC).
    """
    random = np.random.default_rng(0)
    logits = random.normal(0, 1.5, [options.batch_size, spec.num_default_boxes, CLASSES]).astype(np.float32)
    logits[..., 0] += 11
    logits[..., voc.CLASSES.index('person') + 1] += 3
    offsets = random.normal(0, 1, [options.batch_size, spec.num_default_boxes, 4]).astype(np.float32)
    defaults, arguments = anchors.default_boxes(spec), (tf.constant(logits), tf.constant(offsets))
    detect = tf.function(lambda *outputs: postprocess.detect(*outputs, defaults), autograph=False)
    return {'milliseconds': 1000 * seconds_per_step(lambda: detect(*arguments)[0].numpy(), options.seconds) / options.batch_size}


def evaluation(_: BackboneSpec, options: argparse.Namespace) -> dict[str, float]:
    """(g) evaluation.voc on as many images as VOC2007 test has, from XML and detection files to the figures."""
    with tempfile.TemporaryDirectory() as folder:
        found = (options.voc, options.detections) if options.voc else _drawn_test_set(pathlib.Path(folder))
        return {'seconds': seconds_per_step(functools.partial(_evaluate, *found), 0)}


def _evaluate(voc_folder, detections):
    truths = voc_files.read_ground_truths(voc_folder, 'test', voc.CLASSES)
    found, _ = voc_files.read_detections(detections, 'test', voc.CLASSES)
    voc_eval.evaluate(found, truths, voc.CLASSES)


def _drawn_test_set(folder):
    """Random objects and detections in VOC layout -> their folders."""
    random = np.random.default_rng(0)
    (folder / 'VOC/Annotations').mkdir(parents=True)
    (folder / 'VOC/ImageSets/Main').mkdir(parents=True)
    ids = [f'{number:06d}' for number in range(1, _TEST_IMAGES + 1)]
    (folder / 'VOC/ImageSets/Main/test.txt').write_text('\n'.join(ids) + '\n', encoding='utf-8')
    detections = {}
    for image_id in ids:
        objects = [(voc.CLASSES[random.integers(20)], *_box(random), 0) for _ in range(random.integers(1, 2 * _TEST_OBJECTS))]
        (folder / f'VOC/Annotations/{image_id}.xml').write_text(shapes.annotation(image_id, SIZE, objects), encoding='utf-8')
        boxes = np.array([_box(random) for _ in range(_TEST_DETECTIONS)], float)
        detections[image_id] = voc_eval.Detection(boxes, random.integers(1, 21, len(boxes)), random.uniform(size=len(boxes)))
    voc_files.write_detections(folder / 'detections', 'test', voc.CLASSES, detections)
    return folder / 'VOC', folder / 'detections'


def _box(random):
    """ymin, xmin, ymax, xmax inside an image, VOC pixels."""
    top, left = random.integers(1, SIZE[0] - 60), random.integers(1, SIZE[1] - 60)
    return tuple(int(v) for v in (top, left, top + random.integers(20, 60), left + random.integers(20, 60)))


def drawn_records(folder: str | pathlib.Path) -> str:
    """Writes records of drawn pictures of a VOC image's size -> their folder."""
    folder = pathlib.Path(folder)
    shapes.write_voc(folder / 'shapes', train=IMAGES, test=0, size=SIZE)
    subprocess.run([sys.executable, str(ROOT / 'ssd_image_to_tf.py'), f'--voc={folder}/shapes', '--image_set=train',
                    f'--classes_file={folder}/shapes/classes.txt', f'--output={folder}/records'], cwd=ROOT, check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return str(folder / 'records')


def _gpus():
    return tf.config.list_physical_devices('GPU')


def _model(spec, options):
    return ssd.SSD(spec, CLASSES, precision=options.precision).build()


def _pixels(spec):
    return functools.partial(normalize.normalize, normalization=spec.normalization)


def _images(spec, options):
    shape = [options.batch_size, spec.image_size, spec.image_size, 3]
    return tf.constant(np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8))


def _targets(images, boxes):
    """Ten matched default boxes an image, as VOC has them on average."""
    random = np.random.RandomState(0)
    classes, offsets = np.zeros([images, boxes], np.int32), np.zeros([images, boxes, 4], np.float32)
    for number in range(images):
        matched = random.choice(boxes, 10, replace=False)
        classes[number, matched] = random.randint(1, CLASSES, 10)
        offsets[number, matched] = random.normal(size=[10, 4])
    return {'classes': tf.constant(classes), 'offsets': tf.constant(offsets)}


def _pace(step, options, wait):
    if _gpus():
        tf.config.experimental.reset_memory_stats('GPU:0')
    pace = options.batch_size / seconds_per_step(step, options.seconds, wait)
    peak = tf.config.experimental.get_memory_info('GPU:0')['peak'] if _gpus() \
        else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 2**10
    if options.profile:
        _profile(lambda: wait(step()), options.profile)
    return {'images_per_second': pace, 'peak': peak / 2**30}


def seconds_per_step(step: Callable[[], object], seconds: float, wait: Callable[[object], object] = lambda result: None) -> float:
    """Median over as many steps as take `seconds`, at least three, after two that trace and warm up.

    wait: reads a step's result, which waits for a GPU. There ten steps are timed as one, as a training reads few results.
    """
    block = 10 if _gpus() else 1
    for _ in range(2):
        wait(step())
    times, start = [], time.monotonic()
    while len(times) < 3 or time.monotonic() - start < seconds:
        before = time.monotonic()
        for _ in range(block):
            result = step()
        wait(result)
        times.append((time.monotonic() - before) / block)
    return statistics.median(times)


def _profile(step, folder):
    """Writes a TensorBoard profile of five steps, and prints the ten kernels that take most of their time."""
    tf.profiler.experimental.start(folder)
    for _ in range(5):
        step()
    tf.profiler.experimental.stop()
    newest = max(pathlib.Path(folder).glob('**/*.xplane.pb'), key=lambda path: path.stat().st_mtime)
    for seconds, count, name in costliest(newest.read_bytes())[:10]:
        print(f'{1000 * seconds / 5:9.2f} ms a step {count // 5:5d} x {name}', file=sys.stderr)


def costliest(xplane: bytes) -> list[tuple[float, int, str]]:
    """(seconds, calls, name) of all kernels of a profile's GPUs, or where it has none of its host's operations, longest first."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2
    space, found = xplane_pb2.XSpace.FromString(xplane), {}
    planes = [plane for plane in space.planes if plane.name.startswith('/device:GPU')]
    for plane in planes or [plane for plane in space.planes if plane.name.startswith('/host:CPU')]:
        for line in plane.lines:
            if planes and not line.name.startswith('Stream'):  # lines derived from these repeat them
                continue
            for event in line.events:
                name = plane.event_metadata[event.metadata_id].name
                if not planes and not re.search(r'\w:\w', name):  # there operations are called name:kind, other events are not
                    continue
                seconds, count, _ = found.get(name, (0., 0, name))
                found[name] = seconds + event.duration_ps / 1e12, count + 1, name
    return sorted(found.values(), reverse=True)

