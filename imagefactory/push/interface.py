"""The interface between the job service and the pusher."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from imagefactory.model.credentials import Credentials
from imagefactory.model.jobs import Completed
from imagefactory.model.providers import Provider
from imagefactory.model.report import Progress


@dataclass(frozen=True, slots=True)
class PushOrder:
    """One push job.

    Args:
        id: of the job, and of the provider image that it makes.
        target_image_id: what is pushed.
        provider: where to.
        credentials: they are nowhere else, and gone when the push ends.
        account: the `provider_account_identifier`, if the credentials have one.
        owner: the client that asked for it (None: everybody's).
    """

    id: str
    target_image_id: str
    provider: Provider
    credentials: Credentials | None = field(default=None, repr=False)
    account: str | None = None
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class DeleteOrder:
    """One job that deletes an image at its provider.

    Args:
        id: of the job.
        provider_image_id: of the record, which goes when the image is gone.
        identifier: the provider's name of the image.
        provider: where it is.
        credentials: they are nowhere else.
    """

    id: str
    provider_image_id: str
    identifier: str
    provider: Provider
    credentials: Credentials | None = field(default=None, repr=False)


class Pusher(Protocol):
    """Does push jobs."""

    def account(self, provider: Provider, credentials: Credentials | None) -> str | None:
        """Check provider and credentials as far as that goes without asking the cloud.

        Returns the `provider_account_identifier`.

        Raises Unsupported, InvalidInput.
        """
        ...

    def concurrency(self, target: str) -> int | None:
        """Returns how many pushes to that target run at once; None: any number."""
        ...

    async def push(self, order: PushOrder, progress: Progress) -> Completed:
        """Bring the image to the provider and store the provider image.

        An order that ran before, in this process or another, goes on with what it made at the provider.
        """
        ...

    async def delete(self, order: DeleteOrder, progress: Progress) -> Completed:
        """Delete the image at its provider, then the record; an image that is gone already is no error."""
        ...
