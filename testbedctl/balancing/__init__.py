"""Load-balancing policies: who serves which camera."""
