"""Room that is kept for the time when there is none: to delete something the database has to write, too."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from imagefactory.lib.errors import NoSpace

#: Bytes that a transaction may write which does nothing but remove.
SIZE = 1 << 20

T = TypeVar("T")


class Reserve:
    """A file of nothing at `path`, which is given up on a full disk and made again as soon as that is possible."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def hold(self) -> None:
        """Have it, if there is room. Blocks, as all here."""
        with suppress(OSError):
            try:
                file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
                try:
                    os.posix_fallocate(file, 0, SIZE)
                finally:
                    os.close(file)
            except OSError:
                self._path.unlink(missing_ok=True)

    def helped(self, work: Callable[[], T]) -> T:
        """What `work` answers, with the room of the reserve if there is no other; it removes something."""
        try:
            return work()
        except NoSpace:
            with suppress(OSError):
                self._path.unlink(missing_ok=True)
        try:
            return work()
        finally:
            self.hold()
