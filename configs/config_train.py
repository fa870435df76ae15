"""Configuration of ssd_train.py.

    python3 ssd_train.py --output=own                     # from the shipped detector
    python3 ssd_train.py --recipe=voc0712_vgg300          # as published

The defaults suit a short fine-tuning on some hundred or thousand images.
"""

# Folder of training records, written by ssd_image_to_tf.py. [path]
train_records = 'tfrecords_train'

# Folder of held-out records, which are evaluated during training. Empty: no evaluation. [path]
eval_records = ''

# Steps between two evaluations; the checkpoint with the best mAP is kept in <output>/best/.
# [integer >= 1]
eval_every = 2000

# Training ends after this many evaluations without a better mAP. 0: it goes on. [integer >= 0]
patience = 0

# Number of held-out images to evaluate, from the first on. 0: all. [integer >= 0]
eval_images = 0

# Folder for checkpoints and TensorBoard logs. Empty: checkpoints/ssd_<backbone>/. [path]
output = ''

# Images per step, over all devices of all machines. [integer 1..65536]
batch_size = 32

# Gradient accumulation: each device computes its part of a batch in this many turns. This needs
# less memory; the result of the step is the same. [integer >= 1]
accumulate = 1

# Devices that compute.
#   one: one device
#   mirrored: all GPUs of this machine
#   multi_worker: all machines listed in TF_CONFIG
distribution = 'one'

# Batch norm computes its training statistics from the images of all devices. False: each device
# from its own. [True | False]
sync_batch_norm = False

# Training stops after this step; steps of an earlier stage do not count. [integer >= 1]
max_steps = 2000

# Training stops when each training image was seen this many times; replaces max_steps. 0:
# max_steps counts. [number >= 0]
epochs = 0.0

# Learning rate at batch size 32; it is multiplied by batch_size / 32 (ssd_pascal.py: 0.001 at 32,
# for 120,000 steps). [number > 0]
learning_rate = 0.01

# Schedule of the learning rate.
#   steps: divided by 10 at learning_rate_drops
#   cosine: half a cosine to 0
schedule = 'cosine'

# Steps at which the schedule 'steps' divides the learning rate by 10, comma-separated, such as
# 280000,360000. Empty: 2/3 and 5/6 of max_steps (80k and 100k of 120k, ssd_pascal.py).
learning_rate_drops = ''

# The learning rate grows linearly over this many first steps. 0: no warm-up. [integer >= 0]
warmup_steps = 100

# Momentum of SGD. [number 0..1]
momentum = 0.9

# L2 penalty on convolution kernels; not on biases, batch norm and depth-wise kernels.
# [number >= 0]
weight_decay = 0.0005

# Factor on the learning rate of biases (ssd_pascal.py: 2). [number >= 0]
bias_rate = 2.0

# Factor on the learning rate of the backbone; 0.1 keeps what a detector knows while its heads
# learn new classes. [number >= 0]
backbone_rate = 1.0

# Gradients are scaled down to this global norm. 0: no clipping. [number >= 0]
clip_gradients = 10.0

# Decay of the batch norm statistics. 0: the backbone's published value, for trainings of 100,000
# steps; statistics of 2,000 steps would lag behind. [number 0..1]
batch_norm_decay = 0.99

# Batch norm uses its stored statistics and does not change them: for a short fine-tuning of an SSD
# whose statistics are true. False: it uses the statistics of each batch. [True | False]
freeze_batch_norm = False

# Layers of the backbone that do not learn, in modes other than step 1: patterns of variable names
# after the backbone's scope, comma-separated, such as 'Conv2d_0/*,Conv2d_1_*,Conv2d_2_*'. Empty:
# all layers learn.
frozen_layers = ''

# Decay of a moving average of the weights, which evaluation and restoring use in place of the
# weights. 0: none. 0.999 suits trainings of 2,000 steps or more. [number 0..1]
weight_average = 0.0

# Negatives per matched default box, hardest first, in each image. [number >= 0]
negative_ratio = 3.0

# Negatives kept at least, in each image. 0: an image without objects teaches nothing, as in Caffe;
# with 3, such images train the background. [integer >= 0]
min_negatives = 0

# A default box learns an object if their overlap (IoU) is at least this. [number 0..1]
match_threshold = 0.5

# Augmentation: brightness, contrast, saturation and hue, each changed half the time.
# [True | False]
augment_distort = True

# Augmentation: half the time the image is placed on a larger canvas of the mean colour.
# [True | False]
augment_zoom_out = True

# Augmentation: a random part of the image that overlaps an object by a random minimum.
# [True | False]
augment_crop = True

# Augmentation: half the time the image is mirrored, left to right. [True | False]
augment_flip = True

# Augmentation for images without an upper side, such as aerial ones: half the time the image is
# mirrored, top to bottom. [True | False]
augment_flip_vertical = False

# Augmentation for images without an upper side: the image is turned by 0, 90, 180 or 270 degrees.
# [True | False]
augment_quarter_turns = False

# Largest side of the zoom-out canvas, in sides of the image. [number >= 1]
zoom_out_max = 4.0

# Objects marked difficult are trained on (ssd_pascal.py: True). [True | False]
use_difficult = True

# Random seed of the order of images, augmentation and initial weights. [integer 0..2147483647]
seed = 1

# The same seed gives the same weights to the last bit on one GPU or CPU, resumed or not; slower.
# [True | False]
deterministic = False

# XLA compiles the training step: for one GPU; no effect on CPUs. [True | False]
xla = False

# Start again from the mode's checkpoint if <output> holds a training, which is moved aside.
# False: resume it. [True | False]
restart = False

# Steps between two progress lines; scalars are logged with them. [integer >= 1]
log_every = 20

# Steps between two checkpoints. [integer >= 1]
save_every = 1000

# Number of most recent checkpoints that are kept. [integer >= 1]
keep_checkpoints = 3

# Threads that prepare images. 0: TensorFlow decides. [integer 0..1024]
data_threads = 0
