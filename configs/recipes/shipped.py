"""The main training of the detector that comes with the repository.

    python3 ssd_train.py --recipe=shipped --train_records=FOLDER

It started from an earlier detector of the same classes, here from the present one. Its model card
has the images, the trainings before and after, and the results.
Cost: 81,000 images, 80 minutes of two CPU cores with AMX, which did a little else too.
"""
training_mode = 'finetune_existing_ssd'
output = 'retrained'

batch_size = 32
max_steps = 2800
learning_rate = 0.01
warmup_steps = 100
weight_average = 0.998
precision = 'bfloat16'
# The backbone has seen 1.7 million photographs: it learns gently, with their statistics.
backbone_rate = 0.2
freeze_batch_norm = True
frozen_layers = 'Conv/*,expanded_conv/*,expanded_conv_1/*,expanded_conv_2/*'
# COCO's objects are small as they are: a canvas of 4 sides makes them too small to be learnt.
zoom_out_max = 3.0
