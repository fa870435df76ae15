"""From encoded images to batches: pixel conventions, SSD augmentation, tf.data pipelines."""
