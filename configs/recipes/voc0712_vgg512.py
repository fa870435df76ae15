"""SSD512 on VOC2007 and VOC2012 trainval, as Caffe's ssd_pascal_512.py trains it.

    python3 ssd_train.py --recipe=voc0712_vgg512
    python3 ssd_test.py --recipe=voc0712_vgg512

Records and weights are those of voc0712_vgg300. To expect: 79.8 mAP on VOC2007 test (README of
Caffe's SSD). This training has not been run with this code. Cost: 2.88 million images of 2.9 times
as many multiply-adds as those of SSD300.
"""
_BATCH = 24

voc = 'VOCdevkit/VOC2007,VOCdevkit/VOC2012'
image_set = 'trainval,test'

backbone_network = 'ssd_vgg_512'
default_box_set = 'voc'
training_mode = 'finetune_existing_ssd'
checkpoint = 'checkpoints/vgg_300/vgg_16.ckpt'

precision = 'auto'  # on a GPU float16
batch_size = _BATCH
learning_rate = 0.001 * 32 / _BATCH  # 0.001 for 24 images; the key is the rate for 32
schedule = 'steps'
learning_rate_drops = '80000,100000'
max_steps = 120000
warmup_steps = 0
clip_gradients = 0.0
