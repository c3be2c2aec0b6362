"""The ledger in which the resources of pushes are remembered."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from imagefactory.targets.resources import Resource, ResourceState


class ResourceLedger(Protocol):
    """The resources at providers that belong to no provider image yet; several processes share one.

    A process holds the resources of the pushes that it runs. What no living process holds is a leftover. Every change
    is on the disk when the call returns. Raises NoSpace, Unavailable.
    """

    async def intend(self, resource: Resource) -> Resource:
        """Write down a resource that is about to be made, and hold it.

        Returns it, or what is known of it if it is a leftover of the same push. Raises Conflict if the token is in use
        by another push, or held, or its resource is being deleted.
        """
        ...

    async def created(self, token: str, identifier: str) -> None:
        """Write down that it is there, and what the provider calls it."""
        ...

    async def mark(self, tokens: Collection[str], state: ResourceState) -> None:
        """Write down the state of these."""
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
