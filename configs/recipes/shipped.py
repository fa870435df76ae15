"""The main training of the detector that comes with the repository.

    python3 ssd_train.py --recipe=shipped --train_records=FOLDER

It started from an earlier detector of the same classes, here from the present one. Its model card
has the images, the trainings before and after, and the results.
Cost: 256,000 images, 7 minutes of an H200 beside two other trainings.
"""
training_mode = 'finetune_existing_ssd'
output = 'retrained'

batch_size = 64
max_steps = 4000
learning_rate = 0.03
weight_average = 0.999
precision = 'bfloat16'
# COCO's objects are small as they are: a canvas of 4 sides makes them too small to be learnt.
zoom_out_max = 3.0
