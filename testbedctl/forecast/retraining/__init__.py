"""Retraining: a new window of telemetry, a warm start, and a promotion only for what is better (§4, §5.1)."""
