"""Tests of `systems.disk`."""
