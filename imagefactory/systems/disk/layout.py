"""Where everything is on the disk: pure arithmetic in sectors of 512 bytes.

One GPT layout for every image: a BIOS boot partition for GRUB's core image, a small EFI system partition, and the root
file system, which takes the rest. It boots under BIOS and under UEFI, wherever the disk ends up.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import NAMESPACE_URL, UUID, uuid5

from imagefactory.lib.errors import BuildFailed, InvalidInput
from imagefactory.lib.sizes import human_size

SECTOR = 512
MIB = 1 << 20
GIB = 1 << 30
BLOCK = 4096  # of ext4

SECTORS_PER_MIB = MIB // SECTOR
GPT_BACKUP = MIB  # the second table is 33 sectors at the end; a whole MiB keeps the root partition aligned
SMALLEST_ROOT = 32 * MIB  # below this ext4 has no space for a journal
DEFAULT_SIZE = 2 * GIB
LARGEST_DISK = 16383 * GIB  # ext4, where most images are built, ends a file just below 16 TiB

_NAMESPACE = uuid5(NAMESPACE_URL, "urn:imagefactory:disk")


@dataclass(frozen=True, slots=True)
class Partition:
    """`start` and `sectors` in sectors; `type` is a GPT type as sfdisk spells it; `id` the partition's own GUID."""

    name: str
    type: str
    start: int
    sectors: int
    id: UUID

    @property
    def offset(self) -> int:
        """Where it begins, in bytes."""
        return self.start * SECTOR

    @property
    def size(self) -> int:
        """How large it is, in bytes."""
        return self.sectors * SECTOR


@dataclass(frozen=True, slots=True)
class Layout:
    """A whole disk; `size` in bytes."""

    size: int
    id: UUID
    bios: Partition
    esp: Partition
    root: Partition


@dataclass(frozen=True, slots=True)
class TreeSize:
    """What a tree takes: bytes of allocated blocks, and how many files of all kinds there are."""

    bytes: int
    inodes: int


def identity(seed: str, part: str) -> UUID:
    """Returns the id of one part of the disk: the same for the same seed, so that equal input makes equal disks."""
    return uuid5(_NAMESPACE, f"{seed}/{part}")


def root_uuid(seed: str) -> UUID:
    """Returns the UUID of the root file system, which fstab and the boot loader name."""
    return identity(seed, "root file system")


def layout(size: int, seed: str) -> Layout:
    """Divide a disk of `size` bytes (rounded up to whole MiB, as several clouds demand).

    Raises InvalidInput for a disk that cannot even hold an empty system.
    """
    size = _up(size, MIB)
    bios = Partition("bios", "21686148-6449-6E6F-744E-656564454649", 2048, SECTORS_PER_MIB, identity(seed, "bios"))
    esp_start = bios.start + bios.sectors
    esp = Partition(
        "esp", "C12A7328-F81F-11D2-BA4B-00A0C93EC93B", esp_start, 32 * SECTORS_PER_MIB, identity(seed, "esp")
    )
    root_start = esp.start + esp.sectors
    sectors = (size - GPT_BACKUP) // SECTOR - root_start
    if sectors * SECTOR < SMALLEST_ROOT:
        raise InvalidInput(
            f"a disk of {human_size(size)} is too small",
            hint=f"give it at least {human_size(smallest_disk(SMALLEST_ROOT))}",
        )
    root = Partition("root", "0FC63DAF-8483-4772-8E79-3D69D8477DE4", root_start, sectors, identity(seed, "root"))
    return Layout(size, identity(seed, "disk"), bios, esp, root)


def demand_size(size: int, largest: int, target: str) -> None:
    """Raise InvalidInput for a disk that cannot be made whatever is to be on it, or that `target` does not take."""
    layout(size, "")
    if size > largest:
        hint = f"give it at most {human_size(largest)}"
        raise InvalidInput(f"a disk of {human_size(size)} is too large for {target}", hint=hint)


def smallest_disk(root: int) -> int:
    """Returns the bytes of a disk whose root partition has `root` bytes."""
    return _up(root, MIB) + (2048 + 33 * SECTORS_PER_MIB) * SECTOR + GPT_BACKUP


def needed(tree: TreeSize) -> int:
    """The bytes a root partition must have at least for this tree: its files, ext4's own tables, and a little slack.

    ext4 keeps 256 bytes per inode (one inode per 16 KiB), a journal, block maps, and 5 % in reserve that a full system
    needs to stay alive.
    """
    inode_tables = tree.inodes * 256 * 2
    journal = 64 * MIB if tree.bytes > GIB else 16 * MIB
    return max(SMALLEST_ROOT, _up(int(tree.bytes * 1.1) + inode_tables + journal, MIB))


def fit(size: int | None, tree: TreeSize) -> int:
    """The size of the disk for this tree: the one asked for, or (None) the tree with half its size to grow, in whole
    GiB, at least 2.

    Raises BuildFailed if the tree does not fit into the size asked for.
    """
    smallest = smallest_disk(needed(tree))
    if size is None:
        return max(DEFAULT_SIZE, _up(smallest + tree.bytes // 2, GIB))
    if _up(size, MIB) < smallest:
        raise BuildFailed(
            f"the disk of {human_size(size)} is too small for the system of {human_size(tree.bytes)}",
            hint=f"set the disk size of the template to at least {human_size(smallest)}, or install less",
        )
    return size


def inodes(root: int, tree: TreeSize) -> int:
    """How many inodes the root file system shall have: ext4's usual one per 16 KiB, more for a tree of many small
    files."""
    return max(root // (16 << 10), tree.inodes + tree.inodes // 2 + 1024)


def partition_table(disk: Layout) -> str:
    """Returns the disk as sfdisk's script (sfdisk(8), "Input formats")."""
    rows = (
        f"start={part.start}, size={part.sectors}, type={part.type}, uuid={part.id}, name={part.name}"
        for part in (disk.bios, disk.esp, disk.root)
    )
    return "\n".join(("label: gpt", f"label-id: {disk.id}", "unit: sectors", "", *rows, ""))


def _up(size: int, unit: int) -> int:
    return -(-size // unit) * unit
