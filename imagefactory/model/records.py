"""The objects that the factory keeps in the warehouse, with the bucket and attribute names of version 1.0."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """The value of the attribute `object_type`."""

    TEMPLATE = "template"
    ICICLE = "icicle"
    IMAGE = "image"
    BUILD = "build"
    TARGET_IMAGE = "target_image"
    PROVIDER_IMAGE = "provider_image"


@dataclass(frozen=True, slots=True)
class Buckets:
    """Which bucket holds which kind."""

    image: str = "images"
    build: str = "builds"
    target_image: str = "target_images"
    template: str = "templates"
    icicle: str = "icicles"
    provider_image: str = "provider_images"

    def of(self, kind: Kind) -> str:
        """Returns the bucket of `kind`."""
        return str(getattr(self, kind.value))


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """An image: what all builds from one template (or one import) have in common.

    Absent ids are None, never text. `owner`, here and below, is the key of the client that asked for it (None:
    everybody's).
    """

    id: str
    descriptor: bytes
    template: str | None = None
    latest_build: str | None = None
    latest_unpushed: str | None = None
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class BuildRecord:
    """One build of an image; `timestamp` is Unix time in seconds."""

    id: str
    image: str
    timestamp: float
    parent: str | None = None
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class TargetImageRecord:
    """The image file of one target."""

    id: str
    build: str
    target: str
    template: str | None = None
    icicle: str | None = None
    target_parameters: str | None = None
    size: int | None = None
    owner: str | None = None

    @property
    def imported(self) -> bool:
        """Whether it is at a provider only, and has no image file here."""
        return self.size == 0 or (self.size is None and self.template is None)


@dataclass(frozen=True, slots=True)
class ProviderImageRecord:
    """A target image as one provider knows it under `target_identifier`."""

    id: str
    target_image: str
    provider: str
    target_identifier: str | None = None
    icicle: str | None = None
    provider_account_identifier: str | None = None
    owner: str | None = None
