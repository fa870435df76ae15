"""Checkpoints: reading and writing them, and tools for weights to start from and weights to hand on."""
