"""Imported before all tests: `utils` sets limits that OpenCV reads at its first import."""
import os

import utils  # noqa: F401

# As ssd_train.py has it: some tests take gradients of convolutions that, on a CPU,
# only oneDNN differentiates.
os.environ.setdefault('TF_ENABLE_ONEDNN_OPTS', '1')
