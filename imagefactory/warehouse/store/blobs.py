"""Where bodies are kept, apart from what is known about them.

Made so that a directory and S3 can both be one: ids are never reused and bodies never change, reading goes by ranges,
writing by parts that are finished before the metadata refers to them. All calls block: they belong into a thread, one
at a time for one `Incoming` or `Reader`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Blob:
    """A finished body: `size` in bytes as clients see it, `allocated` what it takes, holes left out.

    One that came over the wire has the `sha256` of all bytes. One that was a file, or came from a client that knows
    holes, has the digest `content`, which costs nothing for holes (see `files.content`), and the other only after
    it has been asked for (`store.digests`).
    `damaged`: what is in the file is no longer what was stored.
    """

    id: str
    sha256: str
    size: int
    allocated: int
    damaged: bool = False
    content: str = ""

    @property
    def etag(self) -> str:
        """16 hex digits that depend on the content only, and do not change when the other digest becomes known."""
        return (self.content or self.sha256)[:16]


class Incoming(Protocol):
    """A body on its way in, which is not visible before it is placed. Errors: NoSpace."""

    @property
    def proven(self) -> bool:
        """Whether the digest was made of the very bytes that are stored, just now."""
        ...

    def finish(self) -> Blob:
        """Make it durable; nothing can be appended any more. Twice is once."""
        ...

    def place(self) -> None:
        """Make it what its id opens. Quick: it is called inside the metadata transaction, which may still fail."""
        ...

    def discard(self) -> None:
        """Forget it, at any time before it is placed; twice is once."""
        ...


class Receiving(Incoming, Protocol):
    """An incoming body that is written piece by piece."""

    @property
    def size(self) -> int:
        """Bytes so far, holes included."""
        ...

    def write(self, data: bytes) -> None:
        """Append; long runs of zeros become holes."""
        ...

    def skip(self, length: int) -> None:
        """Append `length` zeros without writing them."""
        ...

    def rest(self) -> None:
        """Keep nothing open until more is written, or it is finished."""
        ...


class Reader(Protocol):
    """An open body; stays readable when the blob is removed meanwhile."""

    size: int
    version: str  # changes when anybody touches the stored bytes

    def read(self, offset: int, length: int) -> bytes:
        """At most `length` bytes from `offset`; empty at the end."""
        ...

    def extents(self) -> list[tuple[int, int]]:
        """(offset, length) of everything that is not a hole, in order."""
        ...

    def close(self) -> None: ...


class BlobStore(Protocol):
    """All bodies of one warehouse."""

    def receive(self, *, content: bool = False) -> Receiving:
        """Begin a new body; `content`: it will have that digest, and not the SHA-256."""
        ...

    def adopt(self, path: Path, content: str = "") -> Incoming:
        """Take a local file as a new body, by rename, hard link, reflink, else sparse copy; finished already.

        The file is gone from `path` when the result is placed, and untouched when it is discarded. Its
        digest `content` is computed if it is not given.
        """
        ...

    def open(self, id: str) -> Reader:
        """NotFound if there is no such blob (any more)."""
        ...

    def path(self, id: str) -> Path | None:
        """The body as a local file, where the store has such."""
        ...

    def remove(self, id: str) -> None:
        """Remove it; what is not there is no error."""
        ...

    def free(self) -> int | None:
        """Bytes of room left; None: no limit known."""
        ...

    def sweep_unfinished(self) -> int:
        """Remove what killed processes of this host were writing; returns how many files went. Quick."""
        ...

    def sweep_orphans(self, known: Callable[[Collection[str]], set[str]], before: float) -> int:
        """Remove bodies that no object refers to; looks at every body.

        Args:
            known: tells which of some ids the metadata knows.
            before: Unix time; bodies that came later stay.

        Returns:
            How many files went.
        """
        ...

    def close(self) -> None: ...
