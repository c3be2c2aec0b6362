"""Tests: the folders mirror the package; `functional` runs real processes, sockets and machines."""
