"""Forecasters: what a VNF is going to use."""
