"""Fakes of what the job service works with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count

from twisted.internet.defer import CancelledError, Deferred

from imagefactory.build.interface import BuildOrder
from imagefactory.lib.errors import FactoryError, InvalidInput, Unsupported
from imagefactory.model.credentials import Credentials
from imagefactory.model.jobs import Completed
from imagefactory.model.providers import Provider
from imagefactory.model.records import BuildRecord, ImageRecord, Kind, ProviderImageRecord, TargetImageRecord
from imagefactory.model.report import Progress, StageOutcome
from imagefactory.model.template import Arch, OperatingSystem, Template, UrlInstall
from imagefactory.push.interface import DeleteOrder, PushOrder
from imagefactory.warehouse.codec import Record, kind_of
from imagefactory.warehouse.interface import Changed


def template(name: str = "demo") -> Template:
    """A small template."""
    os = OperatingSystem("Debian", "12", Arch.X86_64, UrlInstall("http://mirror.example/debian"))
    return Template(name, os, source=f"<template><name>{name}</name></template>".encode())


def parse(source: bytes) -> Template:
    """The reverse of `template`."""
    return template(source.decode().split("<name>")[1].split("</name>")[0])


async def fetch(given: Template) -> Template:
    """There is nothing to fetch."""
    return given


def ids(start: int = 1) -> Callable[[], str]:
    """UUIDs that count."""
    numbers: Iterator[int] = count(start)
    return lambda: f"00000000-0000-4000-8000-{next(numbers):012d}"


class MemoryRecords:
    """The job service's `Records` over dictionaries."""

    def __init__(self) -> None:
        self.templates: dict[str, bytes] = {}
        self.images: dict[str, ImageRecord] = {}
        self.all_builds: dict[str, BuildRecord] = {}
        self.all_target_images: dict[str, TargetImageRecord] = {}
        self.all_provider_images: dict[str, ProviderImageRecord] = {}
        self.failure: FactoryError | None = None

    async def template(self, id: str) -> bytes | None:
        return self.templates.get(id)

    async def image(self, id: str) -> ImageRecord | None:
        return self.images.get(id)

    async def build(self, id: str) -> BuildRecord | None:
        return self.all_builds.get(id)

    async def target_image(self, id: str) -> TargetImageRecord | None:
        return self.all_target_images.get(id)

    async def provider_image(self, id: str) -> ProviderImageRecord | None:
        return self.all_provider_images.get(id)

    async def builds(self, image: str) -> Sequence[BuildRecord]:
        return [record for record in self.all_builds.values() if record.image == image]

    async def target_images(self, build: str) -> Sequence[TargetImageRecord]:
        return [record for record in self.all_target_images.values() if record.build == build]

    async def provider_images(self, target_image: str) -> Sequence[ProviderImageRecord]:
        return [record for record in self.all_provider_images.values() if record.target_image == target_image]

    async def store_template(self, id: str, source: bytes) -> None:
        self.templates[id] = source

    async def store_image(self, record: ImageRecord) -> None:
        self.images[record.id] = record

    async def store_build(self, record: BuildRecord) -> None:
        if self.failure is not None:
            raise self.failure
        self.all_builds[record.id] = record

    async def change(self, before: Record, after: Record) -> None:
        kept = self._of(kind_of(before))
        if kept.get(before.id) != before:
            raise Changed("the record has been changed meanwhile", where=before.id)
        kept[before.id] = after

    async def store_target_image(self, record: TargetImageRecord) -> None:
        self.all_target_images[record.id] = record

    async def store_provider_image(self, record: ProviderImageRecord) -> None:
        self.all_provider_images[record.id] = record

    async def delete(self, kind: Kind, id: str) -> bool:
        return self._of(kind).pop(id, None) is not None

    def _of(self, kind: Kind) -> dict[str, object]:
        kinds: dict[Kind, dict[str, object]] = {
            Kind.TEMPLATE: self.templates,  # type: ignore[dict-item]
            Kind.IMAGE: self.images,  # type: ignore[dict-item]
            Kind.BUILD: self.all_builds,  # type: ignore[dict-item]
            Kind.TARGET_IMAGE: self.all_target_images,  # type: ignore[dict-item]
            Kind.PROVIDER_IMAGE: self.all_provider_images,  # type: ignore[dict-item]
        }
        return kinds[kind]


async def _nothing() -> None:
    pass


@dataclass(slots=True)
class ManualWork:
    """Work that a test ends by hand."""

    id: str
    progress: Progress
    end: Deferred[None] = field(default_factory=Deferred)

    def finish(self) -> None:
        """Done, well."""
        self.end.callback(None)

    def fail(self, error: Exception) -> None:
        """Done, badly."""
        self.end.errback(error)


class FakeBuilder:
    """A `Builder` whose jobs end when the test says so; finished ones have their record."""

    TARGETS = ("mock", "condorcloud", "ec2")

    def __init__(self, records: MemoryRecords) -> None:
        self._records = records
        self.running: dict[str, ManualWork] = {}
        self.cancelled: list[str] = []
        self.forgotten: list[str] = []
        self.orders: list[BuildOrder] = []
        self.refusal: FactoryError | None = None
        self.clean_up: Callable[[], Awaitable[None]] = _nothing
        """What a cancelled job does before it ends."""

    def known(self, target: str) -> None:
        if target not in self.TARGETS:
            raise Unsupported(f"unknown target {target}")

    async def check(self, template: Template, targets: Sequence[str]) -> None:
        if self.refusal is not None:
            raise self.refusal

    async def plan(self, template: Template, target: str) -> tuple[StageOutcome, ...]:
        return (StageOutcome("base", "aa", hit=False),)

    async def build(self, order: BuildOrder, progress: Progress) -> Completed:
        self.orders.append(order)
        await self._work(order.id, progress)
        await self._records.store_target_image(
            TargetImageRecord(order.id, order.build_id, order.target, order.template_id, size=7, owner=order.owner)
        )
        return Completed(size=7)

    async def forget(self, id: str) -> None:
        self.forgotten.append(id)
        if self.refusal is not None:
            raise self.refusal

    async def _work(self, id: str, progress: Progress) -> None:
        work = self.running[id] = ManualWork(id, progress)
        try:
            await work.end
        except CancelledError:
            self.cancelled.append(id)
            await self.clean_up()
            raise
        finally:
            del self.running[id]


class FakePusher:
    """A `Pusher` whose jobs end when the test says so."""

    def __init__(self, records: MemoryRecords) -> None:
        self._records = records
        self.running: dict[str, ManualWork] = {}
        self.orders: list[PushOrder] = []
        self.deletions: list[DeleteOrder] = []

    def account(self, provider: Provider, credentials: Credentials | None) -> str | None:
        if provider.target == "ec2" and credentials is None:
            raise InvalidInput("ec2 needs credentials")
        return f"account of {provider.name}"

    def concurrency(self, target: str) -> int | None:
        return 2 if target == "ec2" else None

    async def push(self, order: PushOrder, progress: Progress) -> Completed:
        self.orders.append(order)
        work = self.running[order.id] = ManualWork(order.id, progress)
        try:
            await work.end
        finally:
            del self.running[order.id]
        await self._records.store_provider_image(
            ProviderImageRecord(
                order.id, order.target_image_id, order.provider.name, f"ami-{order.id[-4:]}", owner=order.owner
            )
        )
        return Completed(identifier=f"ami-{order.id[-4:]}")

    async def delete(self, order: DeleteOrder, progress: Progress) -> Completed:
        self.deletions.append(order)
        work = self.running[order.id] = ManualWork(order.id, progress)
        try:
            await work.end
        finally:
            del self.running[order.id]
        await self._records.delete(Kind.PROVIDER_IMAGE, order.provider_image_id)
        return Completed(identifier=order.identifier)
