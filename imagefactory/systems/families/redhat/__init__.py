"""Fedora, RHEL and its relatives."""

from imagefactory.systems.families.redhat.family import RedHatFamily

__all__ = ["FAMILY"]

FAMILY = RedHatFamily()
