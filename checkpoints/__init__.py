"""Checkpoints: reading and writing them, and tools that fetch, convert and publish."""
import rooms  # noqa: F401
