"""The releases of Debian and Ubuntu, as data.

Sources: https://www.debian.org/releases/, https://releases.ubuntu.com/, and the package lists of both archives.
"""

from __future__ import annotations

import re

from imagefactory.lib.errors import Unsupported
from imagefactory.model.template import Arch
from imagefactory.systems.families.interface import Release

DEBIAN = {
    "5": "lenny",
    "6": "squeeze",
    "7": "wheezy",
    "8": "jessie",
    "9": "stretch",
    "10": "buster",
    "11": "bullseye",
    "12": "bookworm",
    "13": "trixie",
    "14": "forky",
    "sid": "sid",
}
UBUNTU = {
    "5.04": "hoary",
    "5.10": "breezy",
    "6.06": "dapper",
    "6.10": "edgy",
    "7.04": "feisty",
    "7.10": "gutsy",
    "8.04": "hardy",
    "8.10": "intrepid",
    "9.04": "jaunty",
    "9.10": "karmic",
    "10.04": "lucid",
    "10.10": "maverick",
    "11.04": "natty",
    "11.10": "oneiric",
    "12.04": "precise",
    "12.10": "quantal",
    "13.04": "raring",
    "13.10": "saucy",
    "14.04": "trusty",
    "14.10": "utopic",
    "15.04": "vivid",
    "15.10": "wily",
    "16.04": "xenial",
    "16.10": "yakkety",
    "17.04": "zesty",
    "17.10": "artful",
    "18.04": "bionic",
    "18.10": "cosmic",
    "19.04": "disco",
    "19.10": "eoan",
    "20.04": "focal",
    "20.10": "groovy",
    "21.04": "hirsute",
    "21.10": "impish",
    "22.04": "jammy",
    "22.10": "kinetic",
    "23.04": "lunar",
    "23.10": "mantic",
    "24.04": "noble",
    "24.10": "oracular",
    "25.04": "plucky",
    "25.10": "questing",
    "26.04": "resolute",
}
TABLES = {"Debian": DEBIAN, "Ubuntu": UBUNTU}
ALIASES = {"unstable": "sid"}

#: With what comes before, `systemctl enable systemd-networkd` fails.
FIRST_SYSTEMD = {"Debian": (8,), "Ubuntu": (15, 4)}

#: The versions that people may write: a release, or a point release of it (12.5, 24.04.1).
VERSIONS = {"Debian": re.compile(r"0*([1-9]\d?)(?:\.\d+)*"), "Ubuntu": re.compile(r"(\d{1,2}\.\d{2})(?:\.\d+)?")}
SUITE = re.compile(r"[a-z]{3,20}")

ARCHES = {
    Arch.I386: "i386",
    Arch.X86_64: "amd64",
    Arch.AARCH64: "arm64",
    Arch.ARMV7L: "armhf",
    Arch.PPC64LE: "ppc64el",
    Arch.S390X: "s390x",
}

#: Debian's kernel by architecture. The cloud kernel has the drivers of virtio, NVMe, Xen, Hyper-V, pvscsi and vmxnet3,
#: so every target of ours boots it, and it is a third of the size.
DEBIAN_KERNELS = {
    "amd64": "linux-image-cloud-amd64",
    "arm64": "linux-image-cloud-arm64",
    "i386": "linux-image-686-pae",
    "armhf": "linux-image-armmp",
    "ppc64el": "linux-image-powerpc64le",
    "s390x": "linux-image-s390x",
}
BASE = ("systemd-sysv", "udev", "dbus", "iproute2", "login", "passwd", "ca-certificates", "kmod")
FIRST_CLOUD_KERNEL = {"amd64": 10, "arm64": 11}
LAST_I386_KERNEL = 12
LAST_UBUNTU_I386 = 18


def release(os: str, version: str) -> Release | None:
    """Returns the release meant by a name and a version: a number, or a code name in any case.

    Another name in lower case is a suite that the mirror may have: newer than this table, or moving (`stable`).
    """
    table = TABLES.get(os)
    if table is None:
        return None
    wanted = ALIASES.get(version.lower(), version.lower())
    number = VERSIONS[os].fullmatch(wanted)
    wanted = number[1] if number else wanted
    for known, codename in table.items():
        if wanted in {known, codename}:
            return Release("debian", os, known, codename)
    others = {name for other in TABLES.values() if other is not table for name in other.values()}
    if SUITE.fullmatch(version) and wanted not in others:
        return Release("debian", os, wanted, wanted)
    return None


def demand(release: Release) -> None:
    """Unsupported, with the reason, for a release that is known and cannot be made."""
    first = FIRST_SYSTEMD[release.os]
    if number(release) < first:
        raise Unsupported(
            f"{release.os} {release.version} is known, but too old for the engine bootstrap:"
            " it has no systemd-networkd",
            where="os/version",
            hint=f"{release.os} {'.'.join(f'{part:02}' for part in first).lstrip('0')} is the first that can be made",
        )


def known() -> tuple[str, ...]:
    """For people: each OS with the versions that can be made."""
    return tuple(
        f"{os} {', '.join(version for version in table if _number(version) >= FIRST_SYSTEMD[os])}"
        " and any suite of the mirror by its name"
        for os, table in TABLES.items()
    )


def number(release: Release) -> tuple[int, ...]:
    """Returns the version, to compare releases of one OS with; a suite without a number is after all."""
    return _number(release.version)


def _number(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split("."))) if version[0].isdigit() else (999,)


def generation(release: Release) -> int:
    """Returns the number before the dot."""
    return number(release)[0]


def architecture(arch: Arch, release: Release) -> str:
    """Debian's name of the architecture; Unsupported if there is no kernel of the release for it."""
    last = LAST_I386_KERNEL if release.os == "Debian" else LAST_UBUNTU_I386
    if arch not in ARCHES or (arch is Arch.I386 and generation(release) > last):
        raise Unsupported(
            f"{release.os} {release.version} has no kernel for {arch}", where="os/arch", hint="take another arch"
        )
    return ARCHES[arch]


def kernel(release: Release, arch: str) -> str:
    """Returns the package that pulls in the newest kernel."""
    if release.os == "Ubuntu":
        return "linux-image-virtual" if arch in {"amd64", "i386"} else "linux-image-generic"
    if generation(release) < FIRST_CLOUD_KERNEL.get(arch, 0):
        return f"linux-image-{arch}"
    return DEBIAN_KERNELS[arch]


def base_packages(release: Release, arch: str) -> tuple[str, ...]:
    """Returns what every image has: a kernel, an init, a network, a way to log in; nothing more."""
    own = ("initramfs-tools", "ubuntu-keyring") if release.os == "Ubuntu" else ()
    return (kernel(release, arch), *BASE, *own, *_resolver(release), *_initrd_compressor(release))


def _resolver(release: Release) -> tuple[str, ...]:
    """Systemd-resolved became a package of its own in Debian 12 and Ubuntu 22.10."""
    first = (12,) if release.os == "Debian" else (22, 10)
    return ("systemd-resolved",) if number(release) >= first else ()


def _initrd_compressor(release: Release) -> tuple[str, ...]:
    """With zstd at hand the initrd is made in a fraction of gzip's time; kernels read it from Debian 12 on."""
    first = 12 if release.os == "Debian" else 22
    return ("zstd",) if generation(release) >= first else ()
