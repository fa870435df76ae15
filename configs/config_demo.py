"""Configuration of ssd_demo.py.

    python3 ssd_demo.py
    python3 ssd_demo.py picture.jpg --threshold=0.5
"""

# Picture to look at, any format that OpenCV reads. May also be given as the first argument. Empty: the photograph that comes
# with matplotlib.
image = ''

# Picture that is written, PNG or JPEG. Empty: <image>_detections.png in the current folder.
output = ''

# Detections scoring at least this are shown. 0..1
threshold = 0.5

# Images per step of the network.
batch_size = 1

# Show the picture in a window, where there is a display and OpenCV has windows.
show = True
