"""Imported before all tests: `utils` sets limits that OpenCV reads at its first import."""
import utils  # noqa: F401
