"""Configuration of ssd_export.py.

    python3 ssd_export.py
    python3 ssd_export.py --formats=saved_model --score_threshold=0.3
    python3 ssd_export.py --formats=onnx --suppression=False
"""

# Folder for the exported detector. Empty: exported/ssd_<backbone>/. [path]
output = ''

# What is written, comma-separated. saved_model: TensorFlow's format; takes images of any size, or
# their encoded bytes. tflite_float32, tflite_float16 (weights of half the size), tflite_dynamic
# (weights in int8) and tflite_int8 (computes in int8, for small devices): take one image of the
# network's size. onnx: takes several; needs pip install tf2onnx onnxruntime.
# [saved_model, tflite_float32, tflite_float16, tflite_dynamic, tflite_int8, onnx]
formats = 'saved_model,tflite_float32,tflite_float16'

# Whether non-maximum suppression is in the files. False: they give the boxes and scores of all
# default boxes, for programs and chips that have no operation for it, such as OpenCV's dnn; your
# program suppresses, and score_threshold and the like are not in the file. [True | False]
suppression = True

# Images that TFLite and ONNX take at a time. 0: ONNX takes any number, TFLite one. TFLite with
# suppression takes one. [integer 0..65536]
fixed_batch = 0

# Folder of records whose first 200 images tell tflite_int8 the ranges of its numbers; they should
# look like those that the detector will see. Empty: none, for the other formats. [path]
calibration_records = ''

# Text file with the class names, one per line, for a checkpoint that does not name its classes.
# Empty: the 20 classes of VOC. [path]
classes_file = ''

# Replace an earlier export in <output>. False: a folder that is not empty is refused.
# [True | False]
overwrite = False
