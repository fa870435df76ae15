"""From encoded images to batches: normalization, SSD's augmentation, tf.data pipelines."""
import rooms  # noqa: F401
