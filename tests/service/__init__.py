"""Tests of the daemon around the reactor."""
