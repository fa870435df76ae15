"""Imported before all tests: `datasets` sets limits that OpenCV reads at its first import."""
import datasets  # noqa: F401
