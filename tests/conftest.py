"""Imported before all tests: `utils` sets limits that OpenCV reads at its first import."""
from utils import processor

# As ssd_train.py has it: some tests take gradients of convolutions that, on a CPU,
# only oneDNN differentiates.
processor.use_onednn()
