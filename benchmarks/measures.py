"""What throughput.py measures: one function per figure, (spec, setting) -> {name: figure}.

Each is called in a process of its own. The name of a figure tells its unit. `peak` is the largest
memory in GiB, of the GPU if there is one, otherwise of the process.
"""
import dataclasses
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

from utils.script import imports, quiet

with imports():
    import numpy as np

    from benchmarks import models
    from checkpoints import io as checkpoint
    from datasets import shapes, tfrecord
    from datasets.readers import voc
    from detection.detector import Detector
    from evaluation import voc as voc_eval
    from evaluation import voc_files
    from nets import anchors, postprocess, ssd, targets
    from nets.slim_compat import tf
    from nets.spec import BackboneSpec
    from preprocessing import normalize, pipeline
    from training.schedule import Schedule
    from training.trainer import Trainer
    from utils.errors import UserError

ROOT = pathlib.Path(__file__).resolve().parents[1]
# Height and width of a typical VOC image, and the number of drawn ones that stand for a dataset.
SIZE, IMAGES = (375, 500), 256
# Images of VOC2007 test, objects per image, and detections per image with a score above 0.005.
_TEST_IMAGES, _TEST_OBJECTS, _TEST_DETECTIONS = 4952, 3, 20
_MATRIX = 4096
_LOG_EVERY = 2


@dataclasses.dataclass(frozen=True)
class Setting:
    """How a figure is measured.

    Args:
        precision: one of nets.spec.PRECISIONS.
        batch_size: images per step.
        seconds: of measuring, at least three steps.
        records: folder of training records.
        voc: VOC folder with the list test; '': drawn objects.
        detections: folder of comp4_det_test_<class>.txt for it.
        profile: folder that receives a TensorBoard profile; '': none.
        xla: XLA compiles training, and the network alone; not ssd_train.py on a CPU.
    """
    precision: str
    batch_size: int
    seconds: float
    records: str = ''
    voc: str = ''
    detections: str = ''
    profile: str = ''
    xla: bool = False


def matmul(_: BackboneSpec, setting: Setting) -> dict[str, float]:
    """Limit of the machine: multiply-adds/s of a large matrix multiplication."""
    side = 2 * _MATRIX if _gpus() else _MATRIX
    matrix = tf.cast(tf.random.normal([side, side]), setting.precision)
    step = tf.function(lambda: matrix @ matrix)
    seconds = seconds_per_step(step, setting.seconds, lambda result: result[0, 0].numpy())
    return {'multiply_adds': side**3 / seconds}


def facts(spec: BackboneSpec, _: Setting) -> dict[str, float]:
    """Parameters with moving statistics, multiply-adds of one image as TensorFlow counts them."""
    model = ssd.SSD(spec, models.CLASSES).build()
    shape = tf.TensorSpec([1, spec.image_size, spec.image_size, 3], tf.float32)
    graph = tf.function(model, autograph=False).get_concrete_function(shape, False).graph
    builder = tf.compat.v1.profiler.ProfileOptionBuilder
    options = builder(builder.float_operation()).with_empty_output().with_node_names(
        show_name_regexes=['.*Conv2D', '.*depthwise.*', '.*BiasAdd']).build()
    with quiet():
        operations = tf.compat.v1.profiler.profile(graph, options=options).total_float_ops
    return {'parameters': checkpoint.parameters(model.variables), 'multiply_adds': operations / 2,
            'boxes': spec.num_default_boxes}


def input_pipeline(spec: BackboneSpec, setting: Setting) -> dict[str, float]:
    """Reading, decoding, augmentation and matching: images per second of one core's time."""
    _, processor, images = _read_batches(spec, setting, threads=1)
    return {'images_per_second': images / processor}


def input_pipeline_all_cores(spec: BackboneSpec, setting: Setting) -> dict[str, float]:
    """The same on all cores: images per second."""
    elapsed, _, images = _read_batches(spec, setting, threads=0)
    return {'images_per_second': images / elapsed}


def _read_batches(spec, setting, threads):
    """(seconds elapsed, seconds of processor time, images) of reading."""
    match = functools.partial(targets.match, defaults=anchors.default_boxes(spec))
    batches = iter(pipeline.training_batches(
        tfrecord.read_index(setting.records), spec.image_size, setting.batch_size, seed=1,
        fill=normalize.mean_colour(spec.normalization), threads=threads,
        target_fn=lambda *objects: dict(zip(('classes', 'offsets'), match(*objects), strict=True))))
    for _ in range(6):  # fills the buffers
        next(batches)
    start, processor, images = time.monotonic(), time.process_time(), 0
    while time.monotonic() - start < setting.seconds:
        next(batches)
        images += setting.batch_size
    return time.monotonic() - start, time.process_time() - processor, images


def training(spec: BackboneSpec, setting: Setting) -> dict[str, float]:
    """Training steps on a fixed batch: forward, loss, gradients, update."""
    trainer = Trainer(_model(spec, setting), Schedule(1e-3, 1000), xla=setting.xla)
    batch = models.random_batch(spec, setting.batch_size)
    return _rate(functools.partial(trainer.train_step, batch), setting,
                 lambda scalars: float(scalars['loss']))


def training_as_run(spec: BackboneSpec, setting: Setting) -> dict[str, float]:
    """ssd_train.py itself, with input, progress lines and logs."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(ROOT / 'ssd_train.py'), '--training_mode=from_scratch',
                   f'--backbone_network=ssd_{spec.name}', f'--batch_size={setting.batch_size}',
                   f'--train_records={pathlib.Path(setting.records).resolve()}',
                   f'--precision={setting.precision}', f'--xla={setting.xla}',
                   f'--log_every={_LOG_EVERY}', f'--output={folder}/ssd']
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        times = []  # of the progress lines
        for line in process.stdout:
            times += [time.monotonic()] if line.startswith('step ') else []
            # The first three lines include the drawing of images for TensorBoard.
            if len(times) > 5 and times[-1] - times[3] > setting.seconds:
                process.send_signal(signal.SIGTERM)
                break
        process.communicate()
    if len(times) < 6:
        raise UserError(f'ssd_train.py ended with {process.returncode} before it could be measured')
    images = (len(times) - 4) * _LOG_EVERY * setting.batch_size
    return {'images_per_second': images / (times[-1] - times[3])}


def inference(spec: BackboneSpec, setting: Setting) -> dict[str, float | str]:
    """From uint8 images of the network's size to the boxes after non-maximum suppression."""
    detector = Detector(_model(spec, setting), folded=True)
    images = models.random_images(spec, setting.batch_size)
    found = _rate(lambda: detector.detect(images), setting, lambda found: found.counts.numpy())
    return found | {'suppression': suppression_device(spec)}


def network(spec: BackboneSpec, setting: Setting) -> dict[str, float]:
    """From uint8 images to logits and offsets: inference without decoding and suppression."""
    detector = Detector(_model(spec, setting), folded=True)
    compiled = tf.function(detector.network, autograph=False, jit_compile=setting.xla or None)
    images = models.random_images(spec, setting.batch_size)
    return _rate(lambda: compiled(images), setting, lambda outputs: outputs[0][0, 0, 0].numpy())


def latency(spec: BackboneSpec, setting: Setting) -> dict[str, float | str]:
    """Milliseconds from one image to its boxes."""
    one = inference(spec, dataclasses.replace(setting, batch_size=1))
    return {'milliseconds': 1000 / one.pop('images_per_second')} | one


def jpeg_to_boxes(spec: BackboneSpec, setting: Setting) -> dict[str, float]:
    """From the JPEG in a record to the boxes, as ssd_test.py does it."""
    detector = Detector(_model(spec, setting), folded=True)
    index, size = tfrecord.read_index(setting.records), setting.batch_size
    batches = iter(pipeline.evaluation_batches(
        index, spec.image_size, size, max_images=index.images // size * size).repeat())
    return _rate(lambda: detector.detect(next(batches)['images'])[0].numpy(), setting)


def postprocessing(spec: BackboneSpec, setting: Setting) -> dict[str, float | str]:
    """Decoding and suppression alone, score threshold 0.01."""
    seconds = seconds_per_step(postprocessor(spec, setting.batch_size), setting.seconds,
                               lambda found: found.boxes.numpy())
    return {'milliseconds': 1000 * seconds / setting.batch_size,
            'suppression': suppression_device(spec)}


def postprocessor(spec: BackboneSpec, batch_size: int,
                  on_gpu: bool | None = None) -> Callable[[], postprocess.Detections]:
    """Decodes and suppresses outputs that are like a well trained detector's, when it is called.

    About 640 scores per image pass, most of them of one class. (Of the shipped detector 4,900 pass
    on photographs of VOC.)

    Args:
        on_gpu: see nets.postprocess.detect.
    """
    random = np.random.default_rng(0)
    shape = [batch_size, spec.num_default_boxes]
    logits = random.normal(0, 1.5, [*shape, models.CLASSES]).astype(np.float32)
    logits[..., 0] += 11
    logits[..., voc.CLASSES.index('person') + 1] += 3
    offsets = random.normal(0, 1, [*shape, 4]).astype(np.float32)
    defaults, outputs = anchors.default_boxes(spec), (tf.constant(logits), tf.constant(offsets))
    detect = tf.function(lambda *outputs: postprocess.detect(*outputs, defaults, on_gpu),
                         autograph=False)
    return functools.partial(detect, *outputs)


def suppression_device(spec: BackboneSpec) -> str:
    """Where a detector of this backbone suppresses overlaps here: 'GPU' or 'CPU'."""
    on_gpu = postprocess.suppresses_on_gpu(postprocess.Limits(), spec.num_default_boxes)
    return 'GPU' if on_gpu else 'CPU'


def evaluation(_: BackboneSpec, setting: Setting) -> dict[str, float]:
    """VOC evaluation of as many images as VOC2007 test has, from XML and detection files to AP."""
    with tempfile.TemporaryDirectory() as folder:
        given = setting.voc, setting.detections
        found = given if setting.voc else _draw_test_set(pathlib.Path(folder))
        return {'seconds': seconds_per_step(functools.partial(_evaluate, *found), 0)}


def _evaluate(voc_folder, detections):
    truths = voc_files.read_ground_truths(voc_folder, 'test', voc.CLASSES)
    found, _ = voc_files.read_detections(detections, 'test', voc.CLASSES)
    voc_eval.evaluate(found, truths, voc.CLASSES)


def _draw_test_set(folder):
    """Writes random objects in VOC layout and random detections, and returns both folders."""
    random = np.random.default_rng(0)
    annotations, lists = folder / 'VOC/Annotations', folder / 'VOC/ImageSets/Main'
    annotations.mkdir(parents=True)
    lists.mkdir(parents=True)
    ids = [f'{number:06d}' for number in range(1, _TEST_IMAGES + 1)]
    (lists / 'test.txt').write_text('\n'.join(ids) + '\n', encoding='utf-8')
    detections = {}
    for image_id in ids:
        objects = [(voc.CLASSES[random.integers(20)], *_random_box(random), 0)
                   for _ in range(random.integers(1, 2 * _TEST_OBJECTS))]
        text = shapes.annotation(image_id, SIZE, objects)
        (annotations / f'{image_id}.xml').write_text(text, encoding='utf-8')
        boxes = np.array([_random_box(random) for _ in range(_TEST_DETECTIONS)], float)
        detections[image_id] = voc_eval.Detection(
            boxes, random.integers(1, 21, len(boxes)), random.uniform(size=len(boxes)))
    voc_files.write_detections(folder / 'detections', 'test', voc.CLASSES, detections)
    return folder / 'VOC', folder / 'detections'


def _random_box(random):
    """(ymin, xmin, ymax, xmax) inside an image, in VOC's pixels."""
    top, left = random.integers(1, SIZE[0] - 60), random.integers(1, SIZE[1] - 60)
    bottom, right = top + random.integers(20, 60), left + random.integers(20, 60)
    return int(top), int(left), int(bottom), int(right)


def draw_records(folder: str) -> str:
    """Writes records of drawn images of VOC's size into a folder and returns their folder."""
    drawn, records = f'{folder}/shapes', f'{folder}/records'
    shapes.write_voc(drawn, train=IMAGES, test=0, size=SIZE)
    subprocess.run([sys.executable, str(ROOT / 'ssd_image_to_tf.py'), f'--voc={drawn}',
                    '--image_set=train', f'--classes_file={drawn}/classes.txt',
                    f'--output={records}'], check=True, capture_output=True)
    return records


def _gpus():
    return tf.config.list_physical_devices('GPU')


def _model(spec, setting):
    return ssd.SSD(spec, models.CLASSES, precision=setting.precision).build()


def _rate(step, setting, wait=lambda result: None):
    """images_per_second and peak of a step, and its profile. wait: see seconds_per_step."""
    if _gpus():
        tf.config.experimental.reset_memory_stats('GPU:0')
    images_per_second = setting.batch_size / seconds_per_step(step, setting.seconds, wait)
    if _gpus():
        peak = tf.config.experimental.get_memory_info('GPU:0')['peak']
    else:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 2**10
    if setting.profile:
        _profile(lambda: wait(step()), setting.profile)
    return {'images_per_second': images_per_second, 'peak': peak / 2**30}


def seconds_per_step(step: Callable[[], object], seconds: float,
                     wait: Callable[[object], object] = lambda result: None) -> float:
    """Median time of a step.

    Args:
        step: called at least three times after two calls that trace and warm up.
        seconds: of measuring.
        wait: reads a step's result, which waits until a GPU has computed it. On a GPU ten steps are
            timed together, since a training reads few results too.
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
    """Writes a TensorBoard profile of five steps, prints its ten costliest kernels on stderr."""
    tf.profiler.experimental.start(folder)
    for _ in range(5):
        step()
    tf.profiler.experimental.stop()
    files = pathlib.Path(folder).glob('**/*.xplane.pb')
    newest = max(files, key=lambda path: path.stat().st_mtime)
    for seconds, calls, name in costliest(newest.read_bytes())[:10]:
        print(f'{1000 * seconds / 5:9.2f} ms per step {calls // 5:5d} x {name}', file=sys.stderr)


def costliest(profile: bytes) -> list[tuple[float, int, str]]:
    """Sums up the kernels of a profile.

    Args:
        profile: content of an .xplane.pb file (serialized XSpace).

    Returns:
        (seconds, calls, name) of the kernels of all GPUs, longest first; without a GPU, of the
        operations on the CPU.
    """
    from tensorflow.tsl.profiler.protobuf import xplane_pb2  # not part of every TensorFlow
    planes, found = xplane_pb2.XSpace.FromString(profile).planes, {}
    gpus = [plane for plane in planes if plane.name.startswith('/device:GPU')]
    for plane in gpus or [plane for plane in planes if plane.name.startswith('/host:CPU')]:
        for line in plane.lines:
            if gpus and not line.name.startswith('Stream'):  # other lines repeat the streams
                continue
            for event in line.events:
                name = plane.event_metadata[event.metadata_id].name
                if not gpus and not re.search(r'\w:\w', name):  # operations are called name:kind
                    continue
                seconds, calls, _ = found.get(name, (0., 0, name))
                found[name] = seconds + event.duration_ps / 1e12, calls + 1, name
    return sorted(found.values(), reverse=True)
