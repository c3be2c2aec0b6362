"""The resources that a push makes at a provider, as a target sees them.

Each is written down before it is made, then handed over to the provider image or deleted. After a crash the credentials
are gone, so that nothing can be deleted at once: the ledger keeps what is there for a later push with the same account,
or for a command with credentials.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from imagefactory.model.times import timestamp


class ResourceState(Enum):
    """What is known of a resource.

    It may exist in every state: an intended one if the reply to its creation was lost, one that is being deleted if
    the process was killed before.
    """

    INTENDED = "intended"
    CREATED = "created"
    #: It belongs to the provider image as soon as the record of that is stored.
    KEPT = "kept"
    #: No push goes on with it.
    DELETING = "deleting"


@dataclass(frozen=True, slots=True)
class Resource:
    """One thing at a provider. Nothing in it is secret.

    Args:
        token: its unique name, known before it is made; a provider that takes client tokens or tags is given it.
        push: the id of the push, which is that of its provider image.
        target: the cloud.
        provider: the name of the provider.
        account: the `provider_account_identifier`; empty for a provider without accounts.
        kind: what it is, in the target's own words: "snapshot".
        created: when it was written down, in seconds since 1970.
        state: see `ResourceState`.
        identifier: the provider's name for it; empty as long as it is not known.
        note: for people: what it is for, or why it could not be deleted.
    """

    token: str
    push: str
    target: str
    provider: str
    account: str
    kind: str
    created: float
    state: ResourceState = ResourceState.INTENDED
    identifier: str = ""
    note: str = ""

    def document(self) -> dict[str, object]:
        """Returns it for programs, as the command and REST show it."""
        return {
            "token": self.token,
            "provider_image_id": self.push,
            "target": self.target,
            "provider": self.provider,
            "account": self.account or None,
            "kind": self.kind,
            "identifier": self.identifier or None,
            "state": self.state.value,
            "created": timestamp(self.created),
            "note": self.note,
        }


class Creation(Protocol):
    """A resource that is being made."""

    @property
    def token(self) -> str:
        """See `Resource`."""
        ...

    @property
    def identifier(self) -> str:
        """Empty, unless an interrupted run of the same push made it: then the push goes on with it."""
        ...

    async def created(self, identifier: str) -> None:
        """Write down what the provider calls it; it is on the disk when this returns."""
        ...


class PushResources(Protocol):
    """The resources of one push."""

    def creating(
        self, kind: str, token: str, *, note: str = "", temporary: bool = False
    ) -> AbstractAsyncContextManager[Creation]:
        """Make a resource inside this context.

        The intent is on the disk when the block begins, so the call that creates belongs inside. A block that fails,
        or ends without calling `created`, deletes the resource by the target's `sweep`. What is there at the end of
        the push is handed over to the provider image when its record is stored, and deleted if the push fails.

        Args:
            kind: see `Resource`.
            token: see `Resource`. The same push uses the same token when it runs again.
            note: see `Resource`.
            temporary: the resource is deleted at the end of the block in any case.

        Raises NoSpace, Unavailable: it cannot be written down, so it must not be made.
        """
        ...
