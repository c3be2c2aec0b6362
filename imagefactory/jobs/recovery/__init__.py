"""Jobs of processes that have ended."""
