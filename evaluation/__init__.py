"""How good a detector is: average precision by VOC and COCO, kinds of errors, the report."""
import datasets  # noqa: F401 - before OpenCV, whose limits it sets
