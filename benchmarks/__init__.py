"""Measurements and long checks: python3 -m benchmarks.NAME --help."""
import rooms  # noqa: F401
