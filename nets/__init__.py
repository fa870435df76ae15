"""The SSD model: default boxes, matching, network, loss, detections, checkpoints and the training loop."""
