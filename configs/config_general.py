"""General configuration: which network, and what to do with it."""

# Backbone network. The input has 300 x 300 pixels unless stated. [backbone]
#   ssd_vgg_300
#   ssd_vgg_512: 512 x 512 pixels
#   ssd_resnet_v1: with resnet_depth layers
#   ssd_resnet_v2: with resnet_depth layers
#   ssd_mobilenet_v1
#   ssd_mobilenet_v2
#   ssd_inception_v4: 299 x 299 pixels
#   ssd_inception_resnet_v2: 299 x 299 pixels
backbone_network = 'ssd_mobilenet_v2'

# Training mode. From an ImageNet classifier use step 1, then step 2.
#   finetune_new_ssd_step1: ImageNet weights, backbone frozen; extra layers and heads learn
#   finetune_new_ssd_step2: all layers learn, from the result of step 1
#   finetune_existing_ssd: all layers learn, from an SSD checkpoint (also of other classes)
#   from_scratch: all layers learn, from random weights
training_mode = 'finetune_existing_ssd'

# Number of layers of ssd_resnet_v1 and ssd_resnet_v2. [50 | 101 | 152]
resnet_depth = 50

# Sizes of the default boxes: coco (21, 45, 99, ... pixels of 300), or voc (30, 60, 111, ...;
# original VOC weights need these). [box set]
default_box_set = 'coco'
