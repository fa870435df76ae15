"""General configuration: which network, and what to do with it. Uncomment ONE backbone and ONE training mode."""

# Backbone network, 'ssd_' + one of nets.backbones.names(). 300 x 300 pixels unless stated.
backbone_network = 'ssd_mobilenet_v1'
# backbone_network = 'ssd_vgg_300'
# backbone_network = 'ssd_vgg_512'            # 512 x 512
# backbone_network = 'ssd_resnet_v1'          # of resnet_depth layers
# backbone_network = 'ssd_resnet_v2'          # of resnet_depth layers
# backbone_network = 'ssd_mobilenet_v2'
# backbone_network = 'ssd_inception_v4'       # 299 x 299
# backbone_network = 'ssd_inception_resnet_v2'  # 299 x 299

# Training mode. The usual way to a detector for new data is step 1, then step 2.
training_mode = 'finetune_new_ssd_step1'    # ImageNet weights, backbone frozen; extra layers and heads learn
# training_mode = 'finetune_new_ssd_step2'  # all layers learn, from step 1's result
# training_mode = 'finetune_existing_ssd'   # all layers learn, from an existing SSD checkpoint (also of other classes)
# training_mode = 'from_scratch'            # all layers learn, from random numbers

# Depth of ssd_resnet_v1 and ssd_resnet_v2: 50, 101 or 152 layers. Ignored by the others.
resnet_depth = 50

# Sizes of the default boxes: 'coco' (21, 45, 99, ... pixels of 300) or 'voc' (30, 60, 111, ...: original VOC weights).
default_box_set = 'coco'
