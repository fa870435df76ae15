"""What a detector is worth: average precision by VOC's and COCO's rules, its errors, and the report."""
import datasets  # noqa: F401 - before OpenCV, which takes the limits that it sets
