"""The training of a detector: where it starts, its loop, its devices, its checkpoints and its log."""
