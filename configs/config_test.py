"""Configuration of ssd_test.py.

    python3 ssd_test.py --test_records=tfrecords_test
"""

# Folder of test records, written by ssd_image_to_tf.py. [path]
test_records = 'tfrecords_test'

# Exported detector to evaluate instead of a checkpoint: the folder of a SavedModel, a .tflite or an
# .onnx file. Its thresholds are those it was exported with; without suppression, the defaults of
# this script. Empty: none. [path]
model = ''

# Images per step of the network. [integer 1..65536]
batch_size = 32

# Number of images to evaluate, from the first on. 0: all. [integer >= 0]
max_images = 0

# A detection is correct if its overlap (IoU) with an object is larger than this. [number 0..1]
eval_iou = 0.5

# Folder for the report, evaluation.html and evaluation.json. Empty: the checkpoint's folder, or
# <model>_evaluation; for the shipped detector ssd_<backbone>_evaluation here. [path]
output = ''

# Number of images of the worst errors of each kind in the report. 0: none. [integer >= 0]
worst_errors = 12

# Where the detections are written: a folder for VOC's files comp4_det_<set>_<class>.txt, or a .json
# file of COCO's results. Empty: nowhere. [path]
write_detections = ''

# COCO's file of annotations that the records were made of: its ids of images and categories are
# written into the .json file. Empty: the names of the images and the numbers of the classes. [path]
coco_annotations = ''
