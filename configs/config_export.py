"""Configuration of ssd_export.py.

    python3 ssd_export.py
    python3 ssd_export.py --formats=saved_model --score_threshold=0.3
"""

# Folder that receives the exported detector. Empty: exported/ssd_<backbone>/.
output = ''

# What is written, one or several, comma-separated. 'saved_model': TensorFlow, from pictures of any size or their encoded bytes to
# boxes. 'tflite_float32', 'tflite_float16' (weights in half the bytes): from one picture of the network's size to boxes.
formats = 'saved_model,tflite_float32,tflite_float16'

# Replace an earlier export in <output>. False: a folder that holds something is refused.
overwrite = False
