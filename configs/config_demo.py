"""Configuration of ssd_demo.py.

    python3 ssd_demo.py
    python3 ssd_demo.py picture.jpg --threshold=0.5
    python3 ssd_demo.py clip.mp4 --show_classes=person
"""

# What to look at: a picture of any format that OpenCV reads, a folder (its pictures, without those of subfolders), a pattern such
# as 'holidays/*.jpg' (** for any folders), a video, or the number of a camera, from 0. May also be given as the first argument.
# Empty: the photograph that comes with matplotlib.
image = ''

# File or folder that is written; a folder is made. Empty: <image>_detections.png, .mp4, ... in the current folder; for several
# pictures the folder <image>_detections/ (of a pattern: pictures_detections/).
output = ''

# What is written, comma-separated: picture (drawn; of a video its frames), video (drawn, MP4), json (a line per picture or frame)
# and xml (VOC annotations; of pictures only). Empty: what the ending of output says (.png, .jpg, .mp4, .jsonl, .json, .xml), or
# else picture, and video for a video or camera.
format = ''

# Detections scoring more than this are shown. 0..1
threshold = 0.5

# Names of the classes to show, comma-separated. Empty: all.
show_classes = ''

# Pictures, or frames of a video file, that go through the network at once. A camera's go one by one.
batch_size = 1

# Show the picture or the frames in a window, where there is a display and OpenCV has windows. q or Escape closes it.
show = True
