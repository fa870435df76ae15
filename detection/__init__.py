"""A trained detector at work: on pictures, videos and cameras, drawn and written, or exported."""
import datasets  # noqa: F401 - before OpenCV, which takes the limits that it sets
