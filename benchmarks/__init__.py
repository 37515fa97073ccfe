"""Measurements of testbedctl itself against the figures it promises: ``python -m benchmarks``."""
