"""Debian and Ubuntu."""

from imagefactory.families.debian.family import DebianFamily

__all__ = ["FAMILY"]

FAMILY = DebianFamily()
