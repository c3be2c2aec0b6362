"""Debian and Ubuntu."""

from imagefactory.systems.families.debian.family import DebianFamily

__all__ = ["FAMILY"]

FAMILY = DebianFamily()
