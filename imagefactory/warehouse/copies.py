"""The directories that bodies may be copied to: only what the operator named, and nothing that leads out of it.

Every client of the warehouse may add providers; without this, one could have the daemon write any file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from imagefactory.lib.errors import InvalidInput
from imagefactory.lib.files.holes import copy_data

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW


class CopyDirectory:
    """Copies below `root`, the setting `warehouse_copies`; None: there are none."""

    def __init__(self, root: Path | None) -> None:
        self._root = root

    def check(self, path: str) -> None:
        """InvalidInput unless a provider may have this path."""
        self._inside(path)

    def _inside(self, path: str) -> tuple[Path, tuple[str, ...]]:
        """The root, and the names that lead from there to `path`."""
        if self._root is None:
            raise InvalidInput(
                "this warehouse copies to no directories", where=path, hint="set warehouse_copies to allow one"
            )
        parts = Path(path).parts
        if "\0" in path or not path.startswith("/") or ".." in parts or not Path(path).is_relative_to(self._root):
            raise InvalidInput(
                "copies go only below warehouse_copies", where=repr(path), hint=f"name a directory in {self._root}"
            )
        return self._root, Path(path).relative_to(self._root).parts

    def store(self, body: Path, path: str, bucket: str, key: str) -> None:
        """Copy the file to PATH/BUCKET/KEY, atomically; holes stay holes. Blocks. InvalidInput, OSError.

        No symbolic link below the root is followed, and only the owner may read what is made.
        """
        root, names = self._inside(path)
        with _below(root, (*names, bucket), make=True) as directory, body.open("rb") as source:
            beside = f".{uuid4().hex}"
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            copy = os.open(beside, flags, 0o600, dir_fd=directory)
            try:
                copy_data(source.fileno(), copy)
                os.fsync(copy)
                os.rename(beside, key, src_dir_fd=directory, dst_dir_fd=directory)
                os.fsync(directory)
            finally:
                os.close(copy)
                with suppress(FileNotFoundError):
                    os.unlink(beside, dir_fd=directory)

    def size(self, path: str, bucket: str, key: str) -> int | None:
        """How large the copy is; None if there is none. Blocks."""
        try:
            root, names = self._inside(path)
            with _below(root, (*names, bucket), make=False) as directory:
                return os.stat(key, dir_fd=directory, follow_symlinks=False).st_size
        except (OSError, InvalidInput):
            return None


@contextmanager
def _below(root: Path, names: tuple[str, ...], *, make: bool) -> Iterator[int]:
    """The directory that is reached from `root` through real directories of these names."""
    if make:
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
    here = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in names:
            if make:
                with suppress(FileExistsError):
                    os.mkdir(name, 0o700, dir_fd=here)
                    os.fsync(here)
            inner = os.open(name, _DIRECTORY, dir_fd=here)
            os.close(here)
            here = inner
        yield here
    finally:
        os.close(here)
