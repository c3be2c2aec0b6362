"""Which external programs a command line needs, and which Debian package has them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence

from imagefactory.lib.errors import MissingTool
from imagefactory.lib.process.layers import ENTER

PACKAGES = {
    "apt-ftparchive": "apt-utils",
    "apt-get": "apt",
    "base64": "coreutils",
    "chroot": "coreutils",
    "cpio": "cpio",
    "createrepo_c": "createrepo-c",
    "debootstrap": "debootstrap",
    "debugfs": "e2fsprogs",
    "dnf": "dnf",
    "dpkg": "dpkg",
    "dpkg-deb": "dpkg",
    "dumpe2fs": "e2fsprogs",
    "e2fsck": "e2fsprogs",
    "fsck.ext4": "e2fsprogs",
    "genisoimage": "genisoimage",
    "gpg": "gpg",
    "gpgv": "gpgv",
    "grub-mkimage": "grub-common grub-pc-bin grub-efi-amd64-bin",
    "gzip": "gzip",
    "mcopy": "mtools",
    "mkfs.ext4": "e2fsprogs",
    "mkfs.vfat": "dosfstools",
    "mmd": "mtools",
    "mmdebstrap": "mmdebstrap",
    "mount": "mount",
    "newgidmap": "uidmap",
    "newuidmap": "uidmap",
    "oz-install": "oz",
    "qemu-img": "qemu-utils",
    "qemu-io": "qemu-utils",
    "qemu-system-aarch64": "qemu-system-arm",
    "qemu-system-i386": "qemu-system-x86",
    "qemu-system-x86_64": "qemu-system-x86",
    "resize2fs": "e2fsprogs",
    "rpm": "rpm",
    "rpmbuild": "rpm",
    "rpmkeys": "rpm",
    "setpriv": "util-linux",
    "setsid": "util-linux",
    "sfdisk": "fdisk",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "tar": "tar",
    "unshare": "util-linux",
    "virsh": "libvirt-clients",
    "xorriso": "xorriso",
    "xz": "xz-utils",
    "zstd": "zstd",
}
"""Program to the Debian packages to install for it; what is in none of ours is searched under its own name."""

FRONTS = frozenset({"setsid", "setpriv", "unshare"})
"""Programs that run the program named after their `--`."""


def find_tool(program: str, path: str) -> str:
    """Returns where `program` is on the search path `path`; MissingTool, with the package that has it, if it is not."""
    found = shutil.which(program, path=path)
    if found is None:
        raise missing(program)
    return found


def missing(program: str) -> MissingTool:
    """Returns the error for a program that is not installed."""
    name = program.rpartition("/")[2]
    package = PACKAGES.get(name)
    hint = f"apt-get install {package}" if package else f"install the package that has {name}, or put it on the PATH"
    return MissingTool(f"the program {program} is not installed", hint=hint)


def programs(argv: Sequence[str]) -> Iterator[str]:
    """Yields the programs that `argv` runs on this host, fronts first."""
    rest = list(argv)
    while rest:
        yield rest[0]
        front = rest[0].rpartition("/")[2] in FRONTS or ENTER in rest[:3]
        if not front or "--" not in rest:
            return
        rest = rest[rest.index("--") + 1 :]
