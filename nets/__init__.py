"""The SSD model: default boxes, matching, network, loss and detections."""
import rooms  # noqa: F401
