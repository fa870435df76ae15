"""Datasets: record folders, drawn shapes, and the readers of annotation files."""
