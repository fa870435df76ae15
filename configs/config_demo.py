"""Configuration of ssd_demo.py.

    python3 ssd_demo.py
    python3 ssd_demo.py image.jpg --score_threshold=0.5
    python3 ssd_demo.py clip.mp4 --show_classes=person
"""

# Input: an image of any format that OpenCV reads, a folder (its images, without subfolders), a
# pattern such as 'holidays/*.jpg' (** matches any folders), a video, or the number of a camera,
# from 0. May also be given as the first argument. Empty: the photograph in matplotlib's package.
# [path]
image = ''

# Output file or folder; folders are created. Empty: <image>_detections.png, .mp4, ... in the
# current folder; for several images the folder <image>_detections/ (for a pattern
# images_detections/). [path]
output = ''

# What is written, comma-separated: image (with drawn detections; for a video, its frames), video
# (drawn, MP4), json (one line per image or frame), xml (VOC annotations, for images only). Empty:
# the format of the output's ending (.png, .jpg, .mp4, .jsonl, .json, .xml); without an ending
# image, or video for a video or camera. [image, video, json, xml]
format = ''

# Only detections with a higher score than this are shown. best: for each class the one of its best
# F1 in the evaluation of the checkpoint (ssd_test.py); 0.5 for others. [number 0..1 | best]
score_threshold = 'best'

# Names of the classes to show, comma-separated. Empty: all.
show_classes = ''

# Text file with the class names, one per line, for a checkpoint that does not name its classes.
# Empty: the 20 classes of VOC. [path]
classes_file = ''

# Images, or frames of a video, per step of the network. A camera's frames go one by one.
# [integer 1..65536]
batch_size = 1

# Of a video or camera, every so many frames one is looked at: 5 is frames 0, 5, 10, ... The JSON
# has the video's own numbers, and the MP4 shows each of these frames until the next one.
# [integer 1..1000000]
frame_step = 1

# Show the image or the frames in a window, if there is a display and OpenCV has windows. q or
# Escape closes it. [True | False]
show = True
