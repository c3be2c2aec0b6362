"""Benchmarks of the factory; see scripts/bench."""
