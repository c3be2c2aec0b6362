"""Where the tests of this room keep their files."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import TestCase

MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
"""A file system in memory, where there is one: the store syncs each step, which takes its time on a disk."""


def fresh_directory(test: TestCase) -> Path:
    """A directory that is gone after the test."""
    directory = TemporaryDirectory(dir=MEMORY)
    test.addCleanup(directory.cleanup)
    return Path(directory.name)
