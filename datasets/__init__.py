"""Datasets: annotation files of VOC and COCO, and record folders."""
