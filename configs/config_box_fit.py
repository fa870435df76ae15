"""Configuration of ssd_box_fit.py."""

# Folder of records, written by ssd_image_to_tf.py. [path]
train_records = 'tfrecords_train'

# Image of the objects and default boxes, PNG. [path]
output = 'box_fit.png'
