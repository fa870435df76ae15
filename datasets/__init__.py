"""Data: VOC and COCO annotations, and record files."""
import os

# OpenCV reads these when it is first imported. A picture of more pixels is refused before it is decoded: 8192 x 8192 are 200 MB.
MOST_PIXELS = 1 << 26
os.environ.setdefault('OPENCV_IO_MAX_IMAGE_PIXELS', str(MOST_PIXELS))
os.environ.setdefault('OPENCV_LOG_LEVEL', 'ERROR')
