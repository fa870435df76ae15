"""Detects objects in one picture: draws them, writes a picture, prints a table.

    python3 ssd_demo.py                                 # the photograph that comes with matplotlib
    python3 ssd_demo.py picture.jpg --threshold=0.5

Reads configs/config_general.py, config_common.py and config_demo.py.
"""
import functools
import os
import sys

import cv2
import numpy as np
from matplotlib import cbook

from configs import load
from configs.errors import UserError
from configs.script import quiet, run

with quiet():
    from datasets import DataError, shapes, visualize
    from nets import backbones, checkpoint, detector, devices
    from nets.slim_compat import tf
    from preprocessing import normalize, pipeline


def main():
    config = load('ssd_demo', positional='image', description=__doc__)
    devices.prepare()
    spec = backbones.from_config_name(config.backbone_network, config.resnet_depth, config.default_box_set)
    name, picture = (config.image, read_picture(config.image)) if config.image else sample_picture()
    prefix = detector.find(config.checkpoint, spec)
    print(f'{name}; {config.backbone_network} of {prefix}')

    # 1 placeholder for the input image: fed in step 4, traced once for every height and width
    placeholder = tf.TensorSpec([None, None, 3], tf.uint8, name='image')

    # 2 preprocessing
    def preprocess(image):
        return pipeline.resize_image(image, spec.image_size)[None]

    # 3 SSD model
    model, classes = detector.load(spec, prefix, config.precision)
    detect = detector.Detector(
        model, functools.partial(normalize.normalize, pixels=spec.pixels), folded=True, score_threshold=config.threshold,
        nms_threshold=config.nms_threshold, top_k=config.nms_top_k, keep_top_k=config.keep_top_k)

    # 4 inference
    network = tf.function(lambda image: detect(preprocess(image)), input_signature=[placeholder], autograph=False)
    detections = network(picture)

    # 5 postprocessing: rows that hold something, boxes in pixels
    count = int(detections.counts[0])
    boxes, scores, labels = (values[0, :count].numpy() for values in
                             (detections.boxes, detections.scores, detections.classes))
    print(_table(boxes, scores, labels, classes, picture.shape))

    # 6 visualization
    drawn = visualize.draw_detections(picture, boxes, labels, scores, classes)
    stem = os.path.splitext(os.path.basename(name))[0]
    output = config.output or f'{stem}_detections.png'
    visualize.save_image(output, drawn)
    print(f'written: {output}')
    if config.show:
        _show(drawn, stem)


def sample_picture():
    """-> (name, uint8 RGB [H, W, 3]): a photograph of a person that matplotlib brings along, or else a drawn scene."""
    path = str(cbook.get_sample_data('grace_hopper.jpg', asfileobj=False))
    if os.path.isfile(path):
        return path, read_picture(path)
    print('no picture given, and no sample photograph in this matplotlib: a drawn scene instead')
    return 'drawn_scene', shapes.picture(np.random.default_rng(1))[0]


def read_picture(path):
    """Any format OpenCV reads -> uint8 RGB [H, W, 3], turned upright by its EXIF orientation."""
    if not os.path.isfile(path):
        raise UserError(f'no picture at {path}')
    # IMREAD_COLOR gives three 8-bit channels of any file, and follows the EXIF orientation.
    picture = cv2.imread(path, cv2.IMREAD_COLOR)
    if picture is None:
        raise UserError(f'{path} is no picture that OpenCV reads')
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def _table(boxes, scores, labels, classes, shape):
    """One line per detection: name, score, and the box in pixels of the picture."""
    lines = ['1 object' if len(boxes) == 1 else f'{len(boxes)} objects']
    if len(boxes):
        lines.append(f'{"class":<16} score  xmin  ymin  xmax  ymax')
    for box, score, label in zip(boxes, scores, labels, strict=True):
        ymin, xmin, ymax, xmax = (round(float(v * side)) for v, side in zip(box, (*shape[:2], *shape[:2]), strict=True))
        lines.append(f'{classes[label - 1]:<16} {score:5.2f} {xmin:5d} {ymin:5d} {xmax:5d} {ymax:5d}')
    return '\n'.join(lines)


def _show(drawn, title):
    """A window, where there is a display and this OpenCV has windows (its headless build has none)."""
    if not (os.environ.get('DISPLAY') or os.environ.get('WAYLAND_DISPLAY') or sys.platform in ('win32', 'darwin')):
        return
    try:
        cv2.imshow(title, cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR))
        cv2.waitKey(0)
    except cv2.error:
        print('this OpenCV has no windows; install opencv-python to see one')


if __name__ == '__main__':
    run(main, DataError, checkpoint.CheckpointError)
