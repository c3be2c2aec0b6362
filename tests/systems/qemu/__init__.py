"""Tests of `systems.qemu`."""
