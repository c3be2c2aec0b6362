"""Fedora, RHEL and its relatives."""

from imagefactory.families.redhat.family import RedHatFamily

__all__ = ["FAMILY"]

FAMILY = RedHatFamily()
