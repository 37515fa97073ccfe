"""Stand-ins for what a test must not touch."""
