"""Measurements and long checks: python3 -m benchmarks.NAME --help."""
