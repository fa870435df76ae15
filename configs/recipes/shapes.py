"""From the shipped detector to one of drawn circles, squares and triangles: `make quickstart`.

    python3 -m datasets.shapes --output quickstart/shapes --train 200 --test 40
    python3 ssd_image_to_tf.py --recipe=shapes --image_set=train --output=quickstart/tfrecords_train
    python3 ssd_image_to_tf.py --recipe=shapes --image_set=test --output=quickstart/tfrecords_test
    python3 ssd_train.py --recipe=shapes
    python3 ssd_test.py --recipe=shapes

Cost: 100 steps of 16 images; 2 minutes on two CPU cores that train 14 images/s.
To expect: mAP above 0.95; the one training from the present detector gave 1.000.
"""
voc = 'quickstart/shapes'
classes_file = 'quickstart/shapes/classes.txt'
train_records = 'quickstart/tfrecords_train'
test_records = 'quickstart/tfrecords_test'
output = 'quickstart/ssd'

training_mode = 'finetune_existing_ssd'
batch_size = 16
max_steps = 100  # each of the 200 images 8 times
learning_rate = 0.02  # 0.01 for 16 images
warmup_steps = 10
batch_norm_decay = 0.9  # statistics of ten steps, as there are few
# Shapes fill much of their image: small parts and large canvases would be other images than the
# ones that are tested.
augment_crop = False
augment_zoom_out = False
