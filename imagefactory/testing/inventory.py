"""What stands in for the catalogue of stored records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from imagefactory.jobs.interface import Removal
from imagefactory.lib.errors import Conflict, NotFound
from imagefactory.model.records import BuildRecord, ImageRecord, ProviderImageRecord, TargetImageRecord

T = TypeVar("T")


@dataclass
class FakeInventory:
    """Records in memory, found by id; a removal takes what is below with it."""

    images_: dict[str, ImageRecord] = field(default_factory=dict)
    builds_: dict[str, BuildRecord] = field(default_factory=dict)
    target_images_: dict[str, TargetImageRecord] = field(default_factory=dict)
    provider_images_: dict[str, ProviderImageRecord] = field(default_factory=dict)
    in_use: set[str] = field(default_factory=set)
    removals: list[tuple[str, Removal]] = field(default_factory=list)

    @classmethod
    def of_one(cls) -> FakeInventory:
        """One of each kind."""
        return cls(
            {"i1": ImageRecord("i1", b"<image><name>demo</name></image>", "t1", "b1")},
            {"b1": BuildRecord("b1", "i1", 1000.0)},
            {"ti1": TargetImageRecord("ti1", "b1", "mock", "t1", size=7)},
            {"pi1": ProviderImageRecord("pi1", "ti1", "mock1", "Mock_1")},
        )

    async def probe(self) -> None:
        pass

    async def images(self, *, after: str = "", limit: int | None = None) -> Sequence[ImageRecord]:
        return _page(self.images_, after, limit)

    async def image(self, id: str) -> ImageRecord:
        return _found(self.images_, id)

    async def builds(self, image_id: str) -> Sequence[BuildRecord]:
        return [record for record in self.builds_.values() if record.image == image_id]

    async def build(self, id: str) -> BuildRecord:
        return _found(self.builds_, id)

    async def target_images(self, build_id: str) -> Sequence[TargetImageRecord]:
        return [record for record in self.target_images_.values() if record.build == build_id]

    async def target_image(self, id: str) -> TargetImageRecord:
        return _found(self.target_images_, id)

    async def provider_images(self, target_image_id: str) -> Sequence[ProviderImageRecord]:
        return [record for record in self.provider_images_.values() if record.target_image == target_image_id]

    async def every_provider_image(self, *, after: str = "", limit: int | None = None) -> Sequence[ProviderImageRecord]:
        return _page(self.provider_images_, after, limit)

    async def provider_image(self, id: str) -> ProviderImageRecord:
        return _found(self.provider_images_, id)

    async def delete_image(self, id: str) -> None:
        self._remove(self.images_, id)

    async def delete_build(self, id: str) -> None:
        self._remove(self.builds_, id)

    async def delete_target_image(self, id: str) -> None:
        self._remove(self.target_images_, id)

    async def delete_provider_image(self, id: str, removal: Removal) -> None:
        self._remove(self.provider_images_, id)
        self.removals.append((id, removal))

    def _remove(self, records: dict[str, T], id: str) -> None:
        _found(records, id)
        if id in self.in_use:
            raise Conflict("a job uses it", where=id)
        del records[id]


def _page(records: Mapping[str, T], after: str, limit: int | None) -> list[T]:
    return [records[id] for id in sorted(records) if id > after][:limit]


def _found(records: Mapping[str, T], id: str) -> T:
    if id not in records:
        raise NotFound(f"nothing with id {id}")
    return records[id]
