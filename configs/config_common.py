"""Configuration shared by conversion, training, test, demo and export."""

# Folders in VOC layout (JPEGImages, Annotations, ImageSets/Main), comma-separated; or with pictures and an XML file beside each.
voc = 'VOCdevkit/VOC2007,VOCdevkit/VOC2012'

# Lists of ImageSets/Main to convert, comma-separated. train and trainval become training records, val and test test records.
image_set = 'trainval,test'

# COCO's JSON files of instances, comma-separated, which are converted in place of voc. One that is called after train becomes
# training records; val or test: test records. Empty: none.
coco = ''

# Image folder of each file in coco, comma-separated, or one for all. Empty: the folder of the file itself.
coco_images = ''

# Share of images for training, the others are for test; instead of lists. 0: by lists. 0..1
split = 0.0

# Seed of the split.
split_seed = 1

# Text file with one class name per line. 'found': all names in the annotations, sorted. Empty: the 20 classes of VOC, or the
# categories of the COCO file.
classes_file = ''

# Images per record shard.
images_per_shard = 500

# SSD checkpoint: a prefix (.../model.ckpt-1000), its .index file or its folder (then the newest). Empty: the newest of
# checkpoints/ssd_<backbone>/ or what is shipped there, or for training the one that the training mode starts from.
checkpoint = ''

# Number format of the network's activations: 'float32', 'bfloat16' or 'float16'. Variables are float32 always.
precision = 'float32'

# Detection: only boxes scoring more than this enter suppression; in the demo threshold stands for it. 0..1
score_threshold = 0.01

# Non-maximum suppression drops a box whose overlap (IoU) with a better one of its class exceeds this. 0..1
nms_threshold = 0.45

# Boxes per class that enter suppression, best first.
nms_top_k = 400

# Detections kept per image, of all classes, best first.
keep_top_k = 200
