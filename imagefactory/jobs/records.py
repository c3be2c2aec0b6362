"""What the job service needs of the records in the warehouse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from imagefactory.model.records import BuildRecord, ImageRecord, Kind, ProviderImageRecord, TargetImageRecord


class Records(Protocol):
    """Reads and writes records; an attribute that is None is absent, never text."""

    async def template(self, id: str) -> bytes | None:
        """The XML of a template."""
        ...

    async def image(self, id: str) -> ImageRecord | None: ...

    async def build(self, id: str) -> BuildRecord | None: ...

    async def target_image(self, id: str) -> TargetImageRecord | None: ...

    async def provider_image(self, id: str) -> ProviderImageRecord | None: ...

    async def builds(self, image: str) -> Sequence[BuildRecord]:
        """The builds of an image."""
        ...

    async def target_images(self, build: str) -> Sequence[TargetImageRecord]:
        """The target images of a build."""
        ...

    async def provider_images(self, target_image: str) -> Sequence[ProviderImageRecord]:
        """The provider images of a target image."""
        ...

    async def store_template(self, id: str, source: bytes) -> None: ...

    async def store_image(self, record: ImageRecord) -> None: ...

    async def store_build(self, record: BuildRecord) -> None: ...

    async def store_target_image(self, record: TargetImageRecord) -> None:
        """The attributes; a body is left alone."""
        ...

    async def store_provider_image(self, record: ProviderImageRecord) -> None:
        """The attributes; a body is left alone."""
        ...

    async def delete(self, kind: Kind, id: str) -> bool:
        """Remove one object; False if there was none."""
        ...
