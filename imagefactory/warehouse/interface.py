"""What the factory wants of a warehouse; the embedded store and the HTTP client both are one, held to one contract
suite.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from imagefactory.lib.errors import Conflict


class Changed(Conflict):
    """An object is not what the caller expected; it is as it was."""


def agrees(found: Mapping[str, str], wanted: Mapping[str, str | None]) -> bool:
    """Returns whether all attributes that are wanted (None or empty: absent) are as wanted."""
    return all(found.get(name, "") == (value or "") for name, value in wanted.items())


class Warehouse(Protocol):
    """Buckets of objects; an object has an optional body and text attributes.

    A name is 1 to 63 characters, no `/`. Raises NotFound (no such bucket or object where one is demanded),
    InvalidInput (names, query syntax), NoSpace, Unavailable.
    """

    async def create_bucket(self, bucket: str) -> bool:
        """Make it; False if it is there already."""
        ...

    async def put(self, bucket: str, key: str, body: bytes | None, attributes: Mapping[str, str]) -> None:
        """Store body (None: leave the body alone, or none) and attributes; visible in one step.

        Other attributes stay.
        """
        ...

    async def adopt(
        self, bucket: str, key: str, path: Path, attributes: Mapping[str, str], *, content: str = "", keep: bool = False
    ) -> None:
        """As `put` with a file as body, which is consumed: it is gone from `path` when this returns.

        With `keep` it stays there, and must not be changed any more: the store may have it under a second name.

        The embedded store renames, links or reflinks it; the client uploads it. `content` is its digest if known, as
        `files.content` has it.
        """
        ...

    async def set_attributes(
        self,
        bucket: str,
        key: str,
        attributes: Mapping[str, str | None],
        *,
        expected: Mapping[str, str | None] | None = None,
    ) -> None:
        """Set attributes in one step; None removes.

        Args:
            expected: attributes that have to be as given (None: absent) in the same step, unless all that is to be
                set is set already: an earlier try may have done that. An iwhd has no such step: there they are read
                just before.

        Raises:
            Changed: one of those is not as expected; nothing has been set.
        """
        ...

    async def attributes(self, bucket: str, key: str) -> dict[str, str] | None:
        """All attributes that clients set; None if there is no such object."""
        ...

    async def several(self, bucket: str, keys: Sequence[str]) -> dict[str, dict[str, str]]:
        """All attributes of several objects, by key; objects that are not there, or have none, are left out."""
        ...

    async def body(self, bucket: str, key: str, *, limit: int = 16 << 20) -> bytes | None:
        """A small body; None if there is none; TooLarge above `limit`."""
        ...

    async def local(self, bucket: str, key: str, workspace: Path) -> Path | None:
        """A local file with the body, not to be changed: the store's own (embedded), or a download below
        `workspace`."""
        ...

    async def delete(self, bucket: str, key: str) -> bool:
        """Remove body and attributes; False if there was nothing, unless the reply to an earlier try was lost."""
        ...

    async def keys(self, bucket: str, *, prefix: str = "", after: str = "", limit: int | None = None) -> list[str]:
        """Keys in order."""
        ...

    async def query(self, bucket: str, expression: str) -> list[str]:
        """Keys of the objects that the expression (iwhd's query language) selects."""
        ...
