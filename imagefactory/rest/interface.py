"""What REST wants of its neighbours, beside the job service (`imagefactory.jobs.interface.Jobs`)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from imagefactory.jobs.interface import Removal
from imagefactory.model.credentials import Credentials
from imagefactory.model.providers import Provider
from imagefactory.model.records import BuildRecord, ImageRecord, ProviderImageRecord, TargetImageRecord
from imagefactory.model.template import Template
from imagefactory.targets.resources import Resource

ListLeftovers = Callable[[], Awaitable[Sequence[Resource]]]
"""Lists what interrupted pushes left at providers, oldest first."""


class ImageInventory(Protocol):
    """What is stored; each lookup and each removal of an unknown id raises NotFound."""

    async def probe(self) -> None:
        """Ask the warehouse for something small; raises what it raises."""
        ...

    async def images(self, *, after: str = "", limit: int | None = None) -> Sequence[ImageRecord]:
        """In order of their ids; those with an id above `after`, at most `limit`."""
        ...

    async def image(self, id: str) -> ImageRecord: ...

    async def builds(self, image_id: str) -> Sequence[BuildRecord]: ...

    async def build(self, id: str) -> BuildRecord: ...

    async def target_images(self, build_id: str) -> Sequence[TargetImageRecord]: ...

    async def target_image(self, id: str) -> TargetImageRecord: ...

    async def provider_images(self, target_image_id: str) -> Sequence[ProviderImageRecord]: ...

    async def every_provider_image(self, *, after: str = "", limit: int | None = None) -> Sequence[ProviderImageRecord]:
        """As `images`."""
        ...

    async def provider_image(self, id: str) -> ProviderImageRecord: ...

    async def delete_image(self, id: str) -> None:
        """With its builds and their children.

        Conflict while a job uses them.
        """
        ...

    async def delete_build(self, id: str) -> None:
        """With its target images and their provider images; Conflict as above."""
        ...

    async def delete_target_image(self, id: str) -> None:
        """With its provider images; Conflict as above."""
        ...

    async def delete_provider_image(self, id: str, removal: Removal) -> None:
        """At the provider first, unless it shall stay there; Conflict as above."""
        ...


@dataclass(frozen=True, slots=True)
class ReadTemplate:
    """A template argument understood; `id` if it came from the warehouse."""

    template: Template | None
    id: str | None = None


class Arguments(Protocol):
    """Understands the texts that come in requests; all raise InvalidInput or Unsupported."""

    async def template(self, text: str, targets: Sequence[str]) -> ReadTemplate:
        """XML, a URL under the rules for remote templates, or a UUID; never a path.

        What makes a good template depends on the targets it is for.
        """
        ...

    async def provider(self, text: str) -> Provider:
        """A name, or a definition as JSON or XML."""
        ...

    def credentials(self, text: str) -> Credentials:
        """XML with a `provider_credentials` element anywhere."""
        ...


class TargetCatalog(Protocol):
    """Which targets there are, and the providers that are known by name."""

    def targets(self) -> Sequence[str]: ...

    async def providers(self, target: str) -> Sequence[str]:
        """Names only: definitions may hold passwords."""
        ...

    def forms(self, target: str) -> Sequence[str]:
        """How names look, for people, that belong to the target without a definition."""
        ...

    async def provider(self, text: str) -> Provider:
        """Raises InvalidInput, Unsupported."""
        ...
