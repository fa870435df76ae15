"""What is measured or takes long: python3 -m benchmarks.NAME --help."""
