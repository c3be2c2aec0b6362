"""What is asked of the makers of disks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Conversion:
    """From the raw disk to the file a cloud wants.

    `format` is qemu-img's name; "raw" keeps the (sparse) disk as it is; `options` go to `-o`.
    """

    format: str
    options: Mapping[str, str] = field(default_factory=dict)
    compress: bool = False


@dataclass(frozen=True, slots=True)
class DiskSpec:
    """A bootable disk to be made from a tree.

    `size` in bytes (None: the tree and reasonable space to grow, at least 2 GiB); `kernel` and `initrd` are paths
    inside the tree; `seed` makes file system ids reproducible; `arch` is TDL's spelling.
    """

    arch: str
    kernel: str
    initrd: str
    seed: str
    size: int | None = None
    kernel_parameters: tuple[str, ...] = ()
    label: str = "root"
