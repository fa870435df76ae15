"""SSD300 on VOC2007 and VOC2012 trainval, as Caffe's ssd_pascal.py trains it.

    python3 -m datasets.fetch voc2007 voc2012
    python3 ssd_image_to_tf.py --recipe=voc0712_vgg300
    python3 -m checkpoints.fetch vgg_300
    python3 ssd_train.py --recipe=voc0712_vgg300
    python3 ssd_test.py --recipe=voc0712_vgg300

All layers learn at once from VGG's ImageNet weights; --eval_records=FOLDER evaluates held-out
records meanwhile. To expect: 77.2 mAP on VOC2007 test (README of Caffe's SSD); docs/differences.md
lists what differs. This training has not been run with this code.
Cost: 120,000 steps of 32 are 3.84 million images: 51 minutes of an H200 at the 1,253 images/s that
docs/speed.md has for float16, 1.3 hours at bfloat16's 837, if the input pipeline keeps up. VOC's
archives are 2.9 GB, the ImageNet weights 0.5; with records and checkpoints about 7 GB of disk.
"""
voc = 'VOCdevkit/VOC2007,VOCdevkit/VOC2012'
image_set = 'trainval,test'

backbone_network = 'ssd_vgg_300'
default_box_set = 'voc'
training_mode = 'finetune_existing_ssd'
checkpoint = 'checkpoints/vgg_300/vgg_16.ckpt'

precision = 'auto'  # on a GPU float16
batch_size = 32
learning_rate = 0.001
schedule = 'steps'
learning_rate_drops = '80000,100000'
max_steps = 120000
warmup_steps = 0
clip_gradients = 0.0
