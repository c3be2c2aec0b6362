"""The releases of the rpm families, as data.

TDL writes the major version of an EL system into the name and the minor one into the version (`RHEL-6` with `3`,
`CentOS-5` with `U8`); the plain form (`RHEL` with `9`, `AlmaLinux` with `9.5`) means the same.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from imagefactory.lib.errors import Unsupported
from imagefactory.model.template import Arch
from imagefactory.systems.families.interface import Release


@dataclass(frozen=True, slots=True)
class Distribution:
    """One distribution: its majors, the first that can be made, and its package of release files."""

    name: str
    majors: range
    release_package: str
    first: int = 6


DISTRIBUTIONS = (
    Distribution("Fedora", range(7, 51), "fedora-release", first=20),
    Distribution("RHEL", range(2, 11), "redhat-release"),
    Distribution("CentOS", range(3, 11), "centos-release"),
    Distribution("AlmaLinux", range(8, 11), "almalinux-release"),
    Distribution("Rocky", range(8, 11), "rocky-release"),
    Distribution("ScientificLinux", range(3, 8), "sl-release"),
    Distribution("ScientificLinuxCern", range(4, 7), "sl-release"),
    Distribution("OracleLinux", range(4, 11), "oraclelinux-release"),
    Distribution("FedoraCore", range(1, 7), "fedora-release", first=20),
    Distribution("RedHatLinux", range(6, 10), "redhat-release", first=20),
)
ALIASES = {
    "RedHatEnterpriseLinux": "RHEL",
    "SL": "ScientificLinux",
    "SLC": "ScientificLinuxCern",
    "OL": "OracleLinux",
    "OEL": "OracleLinux",
    "OracleEnterpriseLinux": "OracleLinux",
    "RockyLinux": "Rocky",
    "Alma": "AlmaLinux",
    "CentOSStream": "CentOS",
    "FC": "FedoraCore",
    "RHL": "RedHatLinux",
}
RAWHIDE = "rawhide"

ARCHES = {
    Arch.I386: "i686",
    Arch.X86_64: "x86_64",
    Arch.AARCH64: "aarch64",
    Arch.PPC64LE: "ppc64le",
    Arch.S390X: "s390x",
}
BASE = ("basesystem", "bash", "coreutils", "iproute", "passwd", "shadow-utils", "rootfiles")
BEFORE_SYSTEMD = ("initscripts", "dhclient")
FIRST_SYSTEMD_EL = 7
LAST_I386_EL = 6
LAST_I386_FEDORA = 30
NAME = re.compile(r"([A-Za-z]+)(?:-([1-9]\d?)(?:\.\d+)?)?")
VERSION = re.compile(r"U?(\d{1,3})(?:\.(\d{1,3}))?(-stream)?")


def distribution(os: str) -> Distribution | None:
    """By canonical name or alias."""
    name = ALIASES.get(os, os)
    return next((one for one in DISTRIBUTIONS if one.name == name), None)


def release(os: str, version: str) -> Release | None:
    """Returns the release that a name and a version mean; its `version` is the major one."""
    name, number = NAME.fullmatch(os), VERSION.fullmatch(version)
    found = distribution(name[1]) if name else None
    if found is not None and (found.name, version.lower()) == ("Fedora", RAWHIDE):
        return Release("redhat", found.name, RAWHIDE)
    if found is None or name is None or number is None:
        return None
    if (name[2] is None and version.startswith("U")) or (number[3] and found.name != "CentOS"):
        return None
    major = str(int(name[2] or number[1]))
    return Release("redhat", found.name, major) if int(major) in found.majors else None


def demand(release: Release) -> None:
    """Unsupported, with the reason, for a release that is known and cannot be made."""
    found = distribution(release.os)
    assert found is not None
    if major(release) < found.first:
        raise Unsupported(
            f"{release.os} {release.version} is known, but too old for the engine bootstrap:"
            " its initrd fits only the machine that made it",
            where="os/version",
            hint=f"what can be made is {', '.join(known())}",
        )


def known() -> tuple[str, ...]:
    """For people: each distribution with the majors that can be made."""
    return tuple(
        f"{one.name} {max(one.first, one.majors[0])} to {one.majors[-1]}"
        for one in DISTRIBUTIONS
        if one.first <= one.majors[-1]
    )


def major(release: Release) -> int:
    """Returns the major version as a number; rawhide is after all."""
    return 999 if release.version == RAWHIDE else int(release.version)


def is_fedora(release: Release) -> bool:
    """Fedora counts otherwise than EL."""
    return release.os == "Fedora"


def architecture(arch: Arch, release: Release) -> str:
    """Returns the name of the architecture in rpm; Unsupported if the release does not exist for it."""
    last = LAST_I386_FEDORA if is_fedora(release) else LAST_I386_EL
    if arch not in ARCHES or (arch is Arch.I386 and major(release) > last):
        raise Unsupported(
            f"{release.os} {release.version} does not exist for {arch}", where="os/arch", hint="take another arch"
        )
    return ARCHES[arch]


def tool(release: Release) -> str:
    """Returns what installs packages inside the system."""
    return "yum" if not is_fedora(release) and major(release) < 8 else "dnf"


def base_packages(release: Release) -> tuple[str, ...]:
    """What every image has: a kernel with the drivers of all our targets, an init, a network, a way to log in."""
    found = distribution(release.os)
    assert found is not None
    if not is_fedora(release) and major(release) < FIRST_SYSTEMD_EL:
        return (found.release_package, *BASE, *BEFORE_SYSTEMD, "kernel", "dracut", tool(release))
    kernel = ("kernel-core", "kernel-modules") if tool(release) == "dnf" else ("kernel",)
    drivers = ("dracut", "dracut-config-generic")  # an initrd for every machine, not for the builder's
    return (found.release_package, *BASE, "systemd", "NetworkManager", *kernel, *drivers, tool(release))
