"""testbedctl: reproduce papers on AI load balancing in network slices, from testbed to report."""

__all__ = ["__version__"]
__version__ = "0.1.0"
