"""How good a detector is: average precision by VOC and COCO, kinds of errors, the report."""
import rooms  # noqa: F401
