"""SSD300 with MobilenetV1 on VOC2007 and VOC2012 trainval, from ImageNet weights.

    python3 -m datasets.fetch voc2007 voc2012
    python3 ssd_image_to_tf.py --recipe=voc0712_mobilenet_v1
    python3 -m checkpoints.fetch mobilenet_v1
    python3 ssd_train.py --recipe=voc0712_mobilenet_v1
    python3 ssd_test.py --recipe=voc0712_mobilenet_v1

The schedule is that of SSD300. Batch norm allows ten times its learning rate, with which 2,423
images of VOC2012 were trained (docs/results.md). To expect: PaddleDetection publishes 73.8 mAP on
VOC2007 test for its own training of this network. This one has not been run with this code.
--eval_records=FOLDER evaluates held-out records meanwhile.
Cost: 3.84 million images: 50 minutes of an H200 at the 1,315 images/s that docs/speed.md has for
bfloat16, if the input pipeline keeps up; 54 hours of two CPU cores, in bfloat16 too. VOC's archives
are 2.9 GB; with records and checkpoints about 6 GB of disk.
"""
voc = 'VOCdevkit/VOC2007,VOCdevkit/VOC2012'
image_set = 'trainval,test'

backbone_network = 'ssd_mobilenet_v1'
training_mode = 'finetune_existing_ssd'
checkpoint = 'checkpoints/mobilenet_v1/mobilenet_v1_1.0_224.ckpt'

precision = 'auto'  # bfloat16 where the processor or GPU has it
batch_size = 32
learning_rate = 0.01
schedule = 'steps'
learning_rate_drops = '80000,100000'
max_steps = 120000
warmup_steps = 500
batch_norm_decay = 0.0  # the published 0.9997
