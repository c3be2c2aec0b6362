"""Tests of the qemu room."""
