"""Configuration of ssd_export.py.

    python3 ssd_export.py
    python3 ssd_export.py --formats=saved_model --score_threshold=0.3
"""

# Folder for the exported detector. Empty: exported/ssd_<backbone>/. [path]
output = ''

# What is written, comma-separated. saved_model: TensorFlow's format; takes images of any size, or
# their encoded bytes. tflite_float32 and tflite_float16 (weights of half the size): take one
# image of the network's size. [saved_model, tflite_float32, tflite_float16]
formats = 'saved_model,tflite_float32,tflite_float16'

# Text file with the class names, one per line, for a checkpoint that does not name its classes.
# Empty: the 20 classes of VOC. [path]
classes_file = ''

# Replace an earlier export in <output>. False: a folder that is not empty is refused.
# [True | False]
overwrite = False
