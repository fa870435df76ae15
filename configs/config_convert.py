"""Configuration of ssd_image_to_tf.py.

    python3 ssd_image_to_tf.py --voc=VOCdevkit/VOC2007,VOCdevkit/VOC2012 --image_set=trainval,test
    python3 ssd_image_to_tf.py --voc=images --split=0.8 --classes_file=found
"""

# Files or folders of annotated images, comma-separated, whose format is recognised: VOC, COCO,
# YOLO, LabelMe or CSV; replaces voc and coco. Without split, the names of lists, files or folders
# (train, valid, test) tell what the images are for. Empty: voc or coco. [paths]
data = ''

# Folders in VOC layout (JPEGImages, Annotations, ImageSets/Main), a VOCdevkit of such folders, or
# images with an XML file beside each; comma-separated. A comma in a path is written \, ('a\\,b' in
# Python). [paths]
voc = 'VOCdevkit/VOC2007,VOCdevkit/VOC2012'

# Lists of ImageSets/Main to convert, comma-separated; with data or coco, names that lists, files or
# folders have there. train and trainval become training records, val and test become test records.
# Empty: trainval and test; with data or coco, all.
image_set = ''

# COCO's JSON files of instances, comma-separated, which are converted instead of voc. A file with
# train in its name becomes training records; with val or test, test records. Empty: none. [paths]
coco = ''

# Folders of the images, comma-separated, where they lie apart from their annotations; with coco,
# one for all files or one for each. Empty: in the folder of the annotations, or one beside it
# whose files have the names. [paths]
images = ''

# Fraction of the images for training, the others are for test; replaces the lists. 0: use the
# lists. [number 0..0.999]
split = 0.0

# Random seed of the split. [integer >= 0]
split_seed = 1

# Text file with one class name per line, where 'cat = kitten, tabby' makes one class of several
# names; a label map (.pbtxt); or 'found': all names in the annotations, sorted. Empty: the 20
# classes of VOC, the categories of the COCO file, YOLO's names, or else 'found'. [path]
classes_file = ''

# Images whose EXIF orientation turns them, where the size in the annotation does not tell whether
# its boxes are of the turned image.
#   refuse: left out and listed
#   upright: the boxes are of the turned image, as most programs show it
#   stored: the boxes are of the stored pixels, as in VOC
exif = 'refuse'

# Images per record file. [integer >= 1]
images_per_shard = 500

# Folder for the records. Empty: tfrecords_train/ for train and trainval, tfrecords_test/ for val
# and test. [path]
output = ''
