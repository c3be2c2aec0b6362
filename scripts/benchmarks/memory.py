"""Memory as it is on a machine that has been up for a while: in use, if only by the page cache."""

import os
from pathlib import Path

FREE = 1 << 30
PIECE = 1 << 20


class UsedMemory:
    """Fills free memory with the page cache of a file that is one hole.

    A virtual machine gets memory from its host when it first touches it, about three seconds per GiB on some, and may
    give back what is free for long: the first writer after that pays for it, whatever is measured.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / "hole"
        self._size = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        with self._path.open("wb") as file:
            file.truncate(self._size)
        self._at = 0

    def fill(self) -> None:
        """Until no more than `FREE` bytes are free; at most all of it."""
        piece, done = bytearray(PIECE), 0
        with self._path.open("rb", buffering=0) as file:
            while done < self._size and _free() > FREE:
                for _ in range(64):
                    file.seek(self._at)
                    done += file.readinto(piece) or 0
                    self._at = (self._at + PIECE) % self._size

    def close(self) -> None:
        """Give it back."""
        self._path.unlink()


def _free() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "MemFree":
            return int(value.split()[0]) << 10
    raise RuntimeError("/proc/meminfo does not tell what is free")
