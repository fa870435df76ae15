"""A detector of drawn circles, squares and triangles from random weights: `make quickstart`.

    python3 -m datasets.shapes --output quickstart/shapes --train 200 --test 40
    python3 ssd_image_to_tf.py --recipe=shapes --image_set=train --output=quickstart/tfrecords_train
    python3 ssd_image_to_tf.py --recipe=shapes --image_set=test --output=quickstart/tfrecords_test
    python3 ssd_train.py --recipe=shapes
    python3 ssd_test.py --recipe=shapes

Cost: 3 minutes on two CPU cores. To expect: mAP 0.6 to 0.85, also with the same seed, as threads
add numbers in another order (docs/results.md has the other backbones, which --backbone_network
chooses).
"""
voc = 'quickstart/shapes'
classes_file = 'quickstart/shapes/classes.txt'
train_records = 'quickstart/tfrecords_train'
test_records = 'quickstart/tfrecords_test'
output = 'quickstart/ssd'

training_mode = 'from_scratch'
batch_size = 8
max_steps = 400  # each of the 200 images 16 times
learning_rate = 0.04  # 0.01 for 8 images
warmup_steps = 50
batch_norm_decay = 0.9
# Shapes fill much of their image: small parts and large canvases would be other images than the
# ones that are tested.
augment_crop = False
augment_zoom_out = False
