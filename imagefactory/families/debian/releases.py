"""The releases of Debian and Ubuntu, as data.

Sources: https://www.debian.org/releases/, https://releases.ubuntu.com/, and the package lists of both archives.
"""

from __future__ import annotations

from imagefactory.families.interface import Release
from imagefactory.model.errors import Unsupported
from imagefactory.model.template import Arch

DEBIAN = {
    "9": "stretch",
    "10": "buster",
    "11": "bullseye",
    "12": "bookworm",
    "13": "trixie",
    "14": "forky",
    "sid": "sid",
}
UBUNTU = {
    "14.04": "trusty",
    "16.04": "xenial",
    "18.04": "bionic",
    "20.04": "focal",
    "22.04": "jammy",
    "24.04": "noble",
    "24.10": "oracular",
    "25.04": "plucky",
    "25.10": "questing",
    "26.04": "resolute",
}
TABLES = {"Debian": DEBIAN, "Ubuntu": UBUNTU}
ALIASES = {"unstable": "sid"}

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
    """The release meant by a name and a version, which is a number or a code name in any case."""
    table = TABLES.get(os, {})
    wanted = ALIASES.get(version.lower(), version.lower())
    for number, codename in table.items():
        if wanted in {number, codename}:
            return Release("debian", os, number, codename)
    return None


def known() -> tuple[str, ...]:
    """For people: each OS with its versions."""
    return tuple(f"{os} {', '.join(table)}" for os, table in TABLES.items())


def generation(release: Release) -> int:
    """The number before the dot, to compare releases of one OS with; sid is after all."""
    number = release.version.partition(".")[0]
    return int(number) if number.isdigit() else 999


def architecture(arch: Arch, release: Release) -> str:
    """Debian's name of the architecture; Unsupported if there is no kernel of the release for it."""
    last = LAST_I386_KERNEL if release.os == "Debian" else LAST_UBUNTU_I386
    if arch not in ARCHES or (arch is Arch.I386 and generation(release) > last):
        raise Unsupported(
            f"{release.os} {release.version} has no kernel for {arch}", where="os/arch", hint="take another arch"
        )
    return ARCHES[arch]


def kernel(release: Release, arch: str) -> str:
    """The package that pulls in the newest kernel."""
    if release.os == "Ubuntu":
        return "linux-image-virtual" if arch in {"amd64", "i386"} else "linux-image-generic"
    if generation(release) < FIRST_CLOUD_KERNEL.get(arch, 0):
        return f"linux-image-{arch}"
    return DEBIAN_KERNELS[arch]


def base_packages(release: Release, arch: str) -> tuple[str, ...]:
    """What every image has: a kernel, an init, a network, a way to log in; nothing more."""
    own = ("initramfs-tools", "ubuntu-keyring") if release.os == "Ubuntu" else ()
    return (kernel(release, arch), *BASE, *own, *_resolver(release), *_initrd_compressor(release))


def _resolver(release: Release) -> tuple[str, ...]:
    """Systemd-resolved became a package of its own in Debian 12 and Ubuntu 22.10."""
    first = 12 if release.os == "Debian" else 23
    return ("systemd-resolved",) if generation(release) >= first else ()


def _initrd_compressor(release: Release) -> tuple[str, ...]:
    """With zstd at hand the initrd is made in a fraction of gzip's time; kernels read it from Debian 12 on."""
    first = 12 if release.os == "Debian" else 22
    return ("zstd",) if generation(release) >= first else ()
