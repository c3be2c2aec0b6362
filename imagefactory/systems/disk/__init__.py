"""Disks: from a root tree to a bootable disk, conversion, and what is data and what is hole."""
