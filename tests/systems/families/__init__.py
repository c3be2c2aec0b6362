"""The families' pure knowledge."""
