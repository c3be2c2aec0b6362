"""The ledger in which the resources of pushes are remembered."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from imagefactory.targets.resources import Resource


class ResourceLedger(Protocol):
    """The resources at providers that belong to no provider image yet; several processes share one.

    A process holds the resources of the pushes that it runs. What no living process holds is a leftover. Every change
    is on the disk when the call returns. Raises NoSpace, Unavailable.
    """

    async def intend(self, resource: Resource) -> Resource:
        """Write down a resource that is about to be made, held by this process.

        Returns it, or what is known of it if this process holds it already. Raises Conflict if the token is that of
        another push's resource, or of one that this process does not hold.
        """
        ...

    async def created(self, token: str, identifier: str) -> None:
        """Write down what the provider calls it."""
        ...

    async def keep(self, tokens: Collection[str]) -> None:
        """Write down that these are `kept`."""
        ...

    async def take(self, *, push: str) -> Sequence[Resource]:
        """Hold what is left over of that push. Returns it, newest first."""
        ...

    async def take_account(self, target: str, provider: str, account: str) -> Sequence[Resource]:
        """Hold what is left over at that account. Returns it, newest first."""
        ...

    async def release(self, tokens: Collection[str], note: str = "") -> None:
        """Hold these no longer: they are leftovers. A `note` replaces the one they have."""
        ...

    async def drop(self, tokens: Collection[str]) -> None:
        """Forget these: they are deleted, or belong to a provider image."""
        ...

    async def leftovers(self) -> Sequence[Resource]:
        """Returns what no living process holds, oldest first."""
        ...

    async def close(self) -> None:
        """Release the file."""
        ...
