"""Traffic: cameras that send, sinks that count, and where what was lost was lost."""
