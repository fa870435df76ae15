"""Training of a detector: starting point, step, devices, checkpoints and log."""
import rooms  # noqa: F401
