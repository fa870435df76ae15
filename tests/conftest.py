"""Imported before all tests: OpenCV takes the limits that `datasets` sets when it is first imported."""
import datasets  # noqa: F401
