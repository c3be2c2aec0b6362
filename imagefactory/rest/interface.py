"""What the REST API needs beside the job service (`imagefactory.jobs.interface.Jobs`)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from imagefactory.jobs.interface import Removal
from imagefactory.model.credentials import Credentials
from imagefactory.model.providers import Provider
from imagefactory.model.records import BuildRecord, ImageRecord, ProviderImageRecord, TargetImageRecord
from imagefactory.targets.resources import Resource
from imagefactory.templates.resolve import Resolved

ListLeftovers = Callable[[], Awaitable[Sequence[Resource]]]
"""Lists what interrupted pushes left at providers, oldest first."""


class ImageInventory(Protocol):
    """The stored images with their builds.

    Each lookup and each removal raises NotFound for an unknown id; each removal raises Conflict while a job uses what
    it would remove.
    """

    async def probe(self) -> None:
        """Ask the warehouse for something small; raises its error if it does not work."""
        ...

    async def images(self, *, after: str = "", limit: int | None = None) -> Sequence[ImageRecord]:
        """Returns those with an id above `after`, in order of their ids, at most `limit`."""
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
        """Remove an image with its builds and all below."""
        ...

    async def delete_build(self, id: str) -> None:
        """Remove a build with its target images and all below."""
        ...

    async def delete_target_image(self, id: str) -> None:
        """Remove a target image with its provider images."""
        ...

    async def delete_provider_image(self, id: str, removal: Removal) -> None:
        """Remove a provider image, first at its provider unless `removal` keeps it there."""
        ...


class Arguments(Protocol):
    """Parses the texts in requests; each method raises InvalidInput or Unsupported."""

    async def template(self, text: str, targets: Sequence[str]) -> Resolved:
        """Returns the template that `text` is or names: XML, a URL under the rules for remote templates, or a UUID.

        It is never a path. `targets` are those it is for, on which it depends what a template has to have.
        """
        ...

    async def provider(self, text: str) -> Provider:
        """Returns the provider of a name, or of a definition as JSON or XML."""
        ...

    def credentials(self, text: str) -> Credentials:
        """Returns the credentials in XML with a `provider_credentials` element anywhere."""
        ...


class TargetCatalog(Protocol):
    """The targets, and the providers that are known by name."""

    def targets(self) -> Sequence[str]: ...

    async def providers(self, target: str) -> Sequence[str]:
        """Returns the names of a target's providers; not their definitions, which may hold passwords."""
        ...

    def forms(self, target: str) -> Sequence[str]:
        """Returns the forms, for people, of names that belong to the target without a definition."""
        ...

    async def provider(self, text: str) -> Provider:
        """Returns the provider of a name or a definition; raises InvalidInput, Unsupported."""
        ...
