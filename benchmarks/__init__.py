"""Measurements of arrears, each a script: `python -m benchmarks.NAME`."""
