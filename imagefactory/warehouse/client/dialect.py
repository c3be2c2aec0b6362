"""What a warehouse of ours and an iwhd are asked in different words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from imagefactory.warehouse.client.sending import BodySource


class Dialect(Protocol):
    """Names have been checked; errors are those of `Warehouse`."""

    async def send(
        self, bucket: str, key: str, body: BodySource, attributes: Mapping[str, str], digest: Mapping[str, str]
    ) -> None:
        """Store body and attributes; `digest` is the header that tells of the body, if that is known."""

    async def annotate(
        self,
        bucket: str,
        key: str,
        attributes: Mapping[str, str | None],
        expected: Mapping[str, str | None],
    ) -> None:
        """Set attributes, remove those that are None or empty; Changed unless those `expected` are as given."""

    async def attributes(self, bucket: str, key: str) -> dict[str, str] | None:
        """All attributes that clients set; None if there is no such object."""
        ...

    async def keys(self, bucket: str, prefix: str, after: str, limit: int | None) -> list[str]:
        """Keys in byte order; NotFound without the bucket."""
        ...

    async def query(self, bucket: str, expression: str) -> list[str]:
        """Keys that the expression, which has been parsed already, selects."""
        ...
