"""What the files with the signing keys of the rpm families are called.

First as the package distribution-gpg-keys lays them out (a folder for each distribution), then as the distributions
themselves have them in /etc/pki/rpm-gpg, which is also what a person who downloads one will have.
"""

from __future__ import annotations

from collections.abc import Mapping

_CENTOS_8 = ("centos/RPM-GPG-KEY-CentOS-Official", "RPM-GPG-KEY-centosofficial")

#: By distribution; `{0}` is the major version.
NAMES: Mapping[str, tuple[str, ...]] = {
    "Fedora": ("fedora/RPM-GPG-KEY-fedora-{0}-primary", "RPM-GPG-KEY-fedora-{0}-primary"),
    "RHEL": ("redhat/RPM-GPG-KEY-redhat{0}-release", "RPM-GPG-KEY-redhat{0}-release", "RPM-GPG-KEY-redhat-release"),
    "CentOS": ("centos/RPM-GPG-KEY-CentOS-{0}", "RPM-GPG-KEY-CentOS-{0}"),
    "AlmaLinux": ("alma/RPM-GPG-KEY-AlmaLinux-{0}", "RPM-GPG-KEY-AlmaLinux-{0}"),
    "Rocky": ("rocky/RPM-GPG-KEY-Rocky-{0}", "RPM-GPG-KEY-Rocky-{0}"),
    "ScientificLinux": ("RPM-GPG-KEY-sl{0}", "RPM-GPG-KEY-sl"),
    "ScientificLinuxCern": ("RPM-GPG-KEY-cern",),
    "OracleLinux": ("oraclelinux/RPM-GPG-KEY-oracle-ol{0}", "RPM-GPG-KEY-oracle-ol{0}", "RPM-GPG-KEY-oracle"),
}

#: Other names of a single major's.
MORE: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("CentOS", "8"): _CENTOS_8,
    ("CentOS", "9"): _CENTOS_8,
    ("CentOS", "10"): ("centos/RPM-GPG-KEY-CentOS-Official-SHA256", "RPM-GPG-KEY-centosofficial-SHA256"),
    ("AlmaLinux", "8"): ("alma/RPM-GPG-KEY-AlmaLinux", "RPM-GPG-KEY-AlmaLinux"),
    ("Rocky", "8"): ("rocky/RPM-GPG-KEY-rockyofficial", "RPM-GPG-KEY-rockyofficial"),
}


def key_names(os: str, version: str) -> tuple[str, ...]:
    """Names that the key of a release may have below a directory of keys, the most telling first."""
    return (*(name.format(version) for name in NAMES[os]), *MORE.get((os, version), ()))
