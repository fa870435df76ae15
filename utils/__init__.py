"""What all rooms use; imports none of them."""
import os

# OpenCV reads the variables when it is first imported, which TensorFlow's import does. An image of
# more pixels is refused before it is decoded: 8192 x 8192 pixels take 200 MB.
MOST_PIXELS = 1 << 26
os.environ.setdefault('OPENCV_IO_MAX_IMAGE_PIXELS', str(MOST_PIXELS))
os.environ.setdefault('OPENCV_LOG_LEVEL', 'ERROR')
