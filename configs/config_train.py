"""Configuration of ssd_train.py.

    python3 ssd_train.py --training_mode=finetune_new_ssd_step1 --max_steps=1000
    python3 ssd_train.py --training_mode=finetune_new_ssd_step2 --max_steps=120000
"""

# Folder of training records, written by ssd_image_to_tf.py.
train_records = 'tfrecords_train'

# Damaged training records. 'stop': training ends and names them. 'skip': all records are read first, the damaged ones are listed
# and left out.
damaged_records = 'stop'

# Folder of held-out records, evaluated while training. Empty: no evaluation.
eval_records = ''

# Steps from one evaluation to the next; the best checkpoint by mAP is kept in <output>/best/.
eval_every = 2000

# Number of held-out images evaluated each time, from the first on. 0: all.
eval_images = 0

# Folder that receives checkpoints and TensorBoard logs. Empty: checkpoints/ssd_<backbone>/.
output = ''

# Images per step, over all devices of all machines.
batch_size = 32

# Each device computes its share of a batch in so many turns, one after the other: less memory, the same step.
accumulate = 1

# 'one': one device. 'mirrored': all GPUs of this machine. 'multi_worker': all machines that TF_CONFIG lists.
distribution = 'one'

# Batch norm in training takes its statistics from the images of all devices. False: each device from its own.
sync_batch_norm = False

# Number of the step after which training stops; an earlier stage's steps do not count.
max_steps = 120000

# Learning rate at batch size 32; it is scaled by batch_size / 32 (ssd_pascal.py: 0.001 at 32).
learning_rate = 0.001

# 'steps': divided by 10 at 2/3 and 5/6 of max_steps (80k and 100k of 120k, ssd_pascal.py). 'cosine': half a cosine to 0.
schedule = 'steps'

# Number of first steps over which the learning rate grows linearly. 0: it does not.
warmup_steps = 500

# Momentum of SGD. 0..1
momentum = 0.9

# L2 penalty on convolution kernels; not on biases, batch norm and depth-wise kernels.
weight_decay = 0.0005

# Biases learn at this multiple of the learning rate (ssd_pascal.py: 2).
bias_rate = 2.0

# Gradients are scaled down to this global norm. 0: no clipping.
clip_gradients = 0.0

# Decay of the batch norm statistics. 0: the backbone's published value. Short trainings want 0.99.
batch_norm_decay = 0.0

# The backbone keeps its batch norm statistics and computes with them. False: each batch's own.
freeze_batch_norm = False

# Layers of the backbone that do not learn, in modes other than step 1: patterns of variable names behind its scope,
# comma-separated, such as 'Conv2d_0/*,Conv2d_1_*,Conv2d_2_*'. Empty: all learn.
frozen_layers = ''

# Decay of a moving average of the weights, which is evaluated and restored in their place. 0: none. 0.999 suits 2,000 steps and
# more.
weight_average = 0.0

# Negatives kept per matched default box, hardest first, in each image.
negative_ratio = 3.0

# A default box whose IoU with an object is at least this learns that object. 0..1
match_threshold = 0.5

# Augmentation: brightness, contrast, saturation and hue, each changed half the time.
augment_distort = True

# Augmentation: half the time the image is put somewhere on a larger canvas of the mean colour.
augment_zoom_out = True

# Augmentation: a random part of the image that overlaps some object by a random minimum.
augment_crop = True

# Augmentation: half the time the image is turned left to right.
augment_flip = True

# Zoom-out puts the image on a canvas of up to so many times its sides.
zoom_out_max = 4.0

# Objects marked difficult take part in training (ssd_pascal.py: True).
use_difficult = True

# Seed of the order of images, augmentation and initial values.
seed = 1

# Runs of the same seed and device give the same weights to the last bit, resumed or not. Slower on GPUs. False: threads add in
# any order.
deterministic = False

# TensorFlow compiles the network by XLA: for GPUs; without one it has no effect.
xla = False

# Start again from the mode's checkpoint although <output> holds a training: that one is moved aside. False: resume it.
restart = False

# Steps from one progress line to the next; scalars are logged with it.
log_every = 20

# Steps from one checkpoint to the next.
save_every = 1000

# Number of last checkpoints that are kept.
keep_checkpoints = 3

# Threads that prepare images. 0: as many as TensorFlow finds useful.
data_threads = 0
