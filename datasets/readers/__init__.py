"""Readers of what people bring: annotation files, lists and class lists. No TensorFlow."""
