"""A cloud account, a ledger and a warehouse that outlive the processes which push."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from imagefactory.model.credentials import Credentials
from imagefactory.model.jobs import Completed
from imagefactory.model.providers import Provider
from imagefactory.model.records import ProviderImageRecord, TargetImageRecord
from imagefactory.push.interface import PushOrder
from imagefactory.push.leftovers import Leftovers
from imagefactory.push.pusher import CloudPusher
from imagefactory.targets.descriptor import CredentialsForm, TargetDescriptor
from imagefactory.targets.interface import PushContext, Pushed, Ready
from imagefactory.targets.resources import Creation, Resource, ResourceState
from imagefactory.testing.build import ReportNotes
from imagefactory.testing.jobs import parse
from imagefactory.testing.ledger import LedgerFile, MemoryLedger
from imagefactory.testing.targets import installed
from imagefactory.testing.threads import ImmediateThreads

PROVIDER = Provider("cloud-1", "cloud")
OPEN = Provider("open-1", "open")
#: Never collected: a collected coroutine runs its clean-up, which a killed process does not.
KILLED: list[Process] = []


@dataclass
class World:
    """What is there whatever happens to processes; `objects` are at the cloud, by token.

    With `gated`, each thing that a process does outside itself waits until `step` lets it.
    """

    gated: bool = False
    objects: dict[str, str] = field(default_factory=dict)
    file: LedgerFile = field(default_factory=LedgerFile)
    stored: dict[str, ProviderImageRecord] = field(default_factory=dict)
    processes: int = 0

    def start(self) -> Process:
        """A new process."""
        self.processes += 1
        return Process(self, f"process {self.processes}")


class GatedLedger(MemoryLedger):
    """A ledger whose writes wait at a gate."""

    def __init__(self, process: Process) -> None:
        super().__init__(process.name, process.world.file)
        self._process = process

    async def intend(self, resource: Resource) -> Resource:
        await self._process.gate("intend")
        return await super().intend(resource)

    async def created(self, token: str, identifier: str) -> None:
        await self._process.gate("created")
        await super().created(token, identifier)

    async def take(self, *, push: str) -> Sequence[Resource]:
        await self._process.gate("take")
        return await super().take(push=push)

    async def take_account(self, target: str, provider: str, account: str) -> Sequence[Resource]:
        await self._process.gate("take account")
        return await super().take_account(target, provider, account)

    async def mark(self, tokens: Collection[str], state: ResourceState) -> None:
        await self._process.gate(f"mark {state.value}")
        await super().mark(tokens, state)

    async def drop(self, tokens: Collection[str]) -> None:
        await self._process.gate("drop")
        await super().drop(tokens)

    async def release(self, tokens: Collection[str], note: str = "") -> None:
        await self._process.gate("release")
        await super().release(tokens, note)


class Process:
    """One process: its pusher, and the calls that wait at a gate, by name in the order in which they came."""

    def __init__(self, world: World, name: str) -> None:
        self.world, self.name = world, name
        self.waiting: list[tuple[str, Deferred[None]]] = []
        self.clock = Clock()
        self.cloud = FakeCloud(self)
        self.records = FakeRecords(self)
        self.ledger = GatedLedger(self)
        form = CredentialsForm("cloud_credentials", ("key",))
        targets = installed(
            TargetDescriptor("cloud", "for this test", lambda _: self.cloud, credentials=form),  # type: ignore[arg-type,return-value]
            TargetDescriptor("open", "needs no credentials", lambda _: self.cloud),  # type: ignore[arg-type,return-value]
        )
        records: Any = self.records
        workspaces: Any = self
        self.leftovers = Leftovers(self.ledger, records, targets, self.clock)
        self.pusher = CloudPusher(
            records, targets, self.leftovers, parse=parse, workspaces=workspaces, threads=ImmediateThreads()
        )

    async def gate(self, name: str) -> None:
        """Wait for `step`."""
        if self.world.gated:
            arrived: Deferred[None] = Deferred()
            self.waiting.append((name, arrived))
            try:
                await arrived
            finally:
                self.waiting.remove((name, arrived))

    def step(self, index: int = 0) -> str:
        """Let one waiting call go on. Returns its name."""
        name, arrived = self.waiting[index % len(self.waiting)]
        arrived.callback(None)
        return name

    def step_to(self, name: str) -> None:
        """Let calls go on until the oldest is of that name."""
        while self.waiting[0][0] != name:
            self.step()

    def push(self, id: str = "p", provider: Provider = PROVIDER) -> Deferred[Completed]:
        """A push under way."""
        order = PushOrder(id, "t", provider, account="me")
        return Deferred.fromCoroutine(self.pusher.push(order, ReportNotes()))

    def begin(self, work: Coroutine[Any, Any, Any]) -> Deferred[Any]:
        """Something else under way."""
        return Deferred.fromCoroutine(work)

    def kill(self) -> Process:
        """End this process without a word. Returns the next."""
        self.world.file.living.discard(self.name)
        KILLED.append(self)
        return self.world.start()

    @asynccontextmanager
    async def open(self, _id: str) -> AsyncIterator[Path]:
        """See `Workspaces`."""
        yield Path("/nowhere")


class FakeCloud:
    """A target and its push side: a key that is there during the push, a disk, and an image made of the disk.

    `failing` are the names of calls that fail, with their errors; `hanging` those that never end.
    """

    def __init__(self, process: Process) -> None:
        self.pushing: FakeCloud | None = self
        self.images: list[Ready] = []
        self.made: list[str] = []
        self.failing: dict[str, Exception] = {}
        self.hanging: set[str] = set()
        self._process = process

    def account(self, credentials: Credentials | None, provider: Provider) -> str:
        return "me"

    async def push(self, image: Ready, context: PushContext) -> Pushed:
        self.images.append(image)
        async with context.resources.creating("key", f"{context.id}/key", temporary=True) as key:
            await self._make(key)
            for kind in ("disk", "image"):
                async with context.resources.creating(kind, f"{context.id}/{kind}", note=f"the {kind}") as resource:
                    await self._make(resource)
        await self._do("finish")
        return Pushed(resource.identifier, "me")

    async def sweep(self, resource: Resource, *_: object) -> None:
        await self._do("sweep")
        self._process.world.objects.pop(resource.token, None)

    async def _make(self, creation: Creation) -> None:
        if not creation.identifier:
            await self._do("make")
            self._process.world.objects[creation.token] = f"id of {creation.token}"
            self.made.append(creation.token)
            await self._do("reply")
            await creation.created(f"id of {creation.token}")

    async def _do(self, name: str) -> None:
        await self._process.gate(name)
        if name in self.hanging:
            await Deferred()
        if name in self.failing:
            raise self.failing[name]


class FakeRecords:
    """The warehouse's records: target image `t`, and provider images as they are stored."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self.failure: Exception | None = None

    async def target_image(self, id: str) -> TargetImageRecord:
        return TargetImageRecord(id, "b", "cloud", size=4)

    async def target_image_file(self, _id: str, _workspace: Path) -> Path:
        return Path(__file__)

    async def provider_image(self, id: str) -> ProviderImageRecord | None:
        if self.failure is not None:
            raise self.failure
        return self._process.world.stored.get(id)

    async def store_provider_image(self, record: ProviderImageRecord, _body: object) -> None:
        await self._process.gate("store")
        if self.failure is not None:
            raise self.failure
        self._process.world.stored[record.id] = record
