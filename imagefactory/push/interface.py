"""What the job service hands to what pushes, and what it gets back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from imagefactory.model.credentials import Credentials
from imagefactory.model.jobs import Completed
from imagefactory.model.providers import Provider
from imagefactory.model.report import Progress


@dataclass(frozen=True, slots=True)
class PushOrder:
    """One push job: target image `target_image_id` becomes provider image `id`.

    `credentials` live here and nowhere else, until the push ends.
    """

    id: str
    target_image_id: str
    provider: Provider
    credentials: Credentials | None = field(default=None, repr=False)
    account: str | None = None


class Pusher(Protocol):
    """Does push jobs."""

    def account(self, provider: Provider, credentials: Credentials | None) -> str | None:
        """Check provider and credentials as far as that goes without asking the cloud.

        The answer is the `provider_account_identifier`. Raises Unsupported, InvalidInput.
        """
        ...

    def concurrency(self, target: str) -> int | None:
        """Returns how many pushes to that target run at once; None: any number."""
        ...

    async def push(self, order: PushOrder, progress: Progress) -> Completed:
        """Bring the image to the provider and store the provider image."""
        ...
