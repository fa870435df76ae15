"""Configuration shared by training, test, demo and export."""

# SSD checkpoint: a prefix (.../model.ckpt-1000), its .index file, or its folder, of which the
# newest is used. Empty: the newest in checkpoints/ssd_<backbone>/, or the shipped one; in
# training the one that the training mode starts from. [path]
checkpoint = ''

# Number format of the network's activations. Variables are always float32. auto: a training takes
# bfloat16 where the processor or GPU has it, and float16 for VGG on a GPU; detections are computed
# in float32, equally everywhere. [auto | float32 | bfloat16 | float16]
precision = 'auto'

# Only boxes with a higher score than this are detections. [number 0..1]
score_threshold = 0.01

# Non-maximum suppression removes a box whose overlap (IoU) with a better one of its class is
# larger than this. [number 0..1]
nms_threshold = 0.45

# Boxes per class that enter non-maximum suppression, best first. [integer 1..1000000]
nms_top_k = 400

# Detections kept per image, of all classes, best first. [integer 1..1000000]
keep_top_k = 200
