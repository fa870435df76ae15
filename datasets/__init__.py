"""Datasets: record folders, drawn shapes, and the readers of annotation files."""
import rooms  # noqa: F401
