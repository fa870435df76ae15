"""Configuration of ssd_test.py.

    python3 ssd_test.py --test_records=tfrecords_test
"""

# Folder of test records, written by ssd_image_to_tf.py.
test_records = 'tfrecords_test'

# Images per step of the network.
batch_size = 32

# Number of images evaluated, from the first on. 0: all.
max_images = 0

# Overlap (IoU) above which a detection finds an object. 0..1
eval_iou = 0.5

# Folder that receives the report, evaluation.html and evaluation.json. Empty: the checkpoint's folder.
output = ''

# Pictures of the worst errors of each kind in the report. 0: none.
worst_errors = 12

# Folder that receives VOC detection files comp4_det_<set>_<class>.txt. Empty: none.
write_detections = ''
