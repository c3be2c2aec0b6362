"""Fakes of what the REST API works with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Any, TypeVar
from xml.etree import ElementTree

from twisted.internet.defer import Deferred

from imagefactory.jobs.interface import (
    Accepted,
    BuildRequest,
    DeleteRequest,
    Imported,
    ImportRequest,
    JobEvent,
    LogLine,
    PushRequest,
    RetryAccess,
    Unsubscribe,
)
from imagefactory.lib.errors import Conflict, InvalidInput, NotFound, Unsupported
from imagefactory.lib.secret import Secret
from imagefactory.model.credentials import Credentials
from imagefactory.model.jobs import Failed, Job, Operation, Queued, is_final
from imagefactory.model.jobs import Failure as Reason
from imagefactory.model.providers import Provider
from imagefactory.model.report import StageOutcome
from imagefactory.model.template import Arch, OperatingSystem, Template, UrlInstall
from imagefactory.targets.resources import Resource
from imagefactory.templates.resolve import Resolved

T = TypeVar("T")


class FakeJobs:
    """A job service that records requests; a test changes the jobs."""

    def __init__(self, targets: Sequence[str] = ("mock", "ec2")) -> None:
        self.requests: list[BuildRequest | PushRequest | ImportRequest | DeleteRequest] = []
        self.cancelled: list[str] = []
        self.retried: list[tuple[str, RetryAccess | None]] = []
        self.slow: Deferred[None] | None = None
        self.broken: Exception | None = None
        self.open = True
        self._targets = targets
        self._jobs: dict[str, Job] = {}
        self._ids = count(1)
        self._events: list[JobEvent] = []
        self._lines: dict[str, list[LogLine]] = {}
        self._event_listeners: list[Callable[[JobEvent], None]] = []
        self._line_listeners: list[tuple[str, Callable[[LogLine], None]]] = []
        self._waiting: dict[str, list[Deferred[Job]]] = {}

    def new_id(self) -> str:
        """Returns the next id, in the form of a UUID."""
        return f"00000000-0000-4000-8000-{next(self._ids):012d}"

    def add(self, job: Job) -> Job:
        """Store a job and publish its event."""
        self._jobs[job.id] = job
        event = JobEvent(len(self._events) + 1, job.created, job)
        self._events.append(event)
        for notify in list(self._event_listeners):
            notify(event)
        if is_final(job.state):
            for waiter in self._waiting.pop(job.id, []):
                waiter.callback(job)
        return job

    def __len__(self) -> int:
        return len(self._jobs)

    def change(self, id: str, **fields: Any) -> Job:
        """Change fields of a job."""
        return self.add(replace(self._jobs[id], **fields))

    def log_line(self, id: str, text: str) -> None:
        """Add a line to a job's log."""
        lines = self._lines.setdefault(id, [])
        line = LogLine(id, len(lines) + 1, 0.0, text)
        lines.append(line)
        for job, notify in list(self._line_listeners):
            if job == id:
                notify(line)

    @property
    def listeners(self) -> int:
        """How many listeners there are."""
        return len(self._event_listeners) + len(self._line_listeners)

    async def build(self, request: BuildRequest) -> Accepted:
        if self.slow is not None:
            await self.slow
        unknown = [name for name in request.targets if name not in self._targets]
        if unknown:
            raise Unsupported(f"unknown target {unknown[0]}", hint="known: " + ", ".join(self._targets))
        self.requests.append(request)
        image, build = request.image_id or self.new_id(), request.build_id or self.new_id()
        jobs = [
            self.add(Job(self.new_id(), Operation.BUILD, target, image, build, 1000.0, owner=request.owner))
            for target in request.targets
        ]
        return Accepted(image, build, tuple(jobs))

    async def plan(self, request: BuildRequest) -> tuple[tuple[str, tuple[StageOutcome, ...]], ...]:
        return ()

    async def push(self, request: PushRequest) -> Job:
        self.requests.append(request)
        image = request.target_image_id or self.new_id()
        return self.add(
            Job(
                self.new_id(),
                Operation.PUSH,
                request.provider.target,
                request.image_id or self.new_id(),
                request.build_id or self.new_id(),
                1000.0,
                target_image_id=image,
                provider=request.provider.name,
                owner=request.owner,
            )
        )

    async def import_image(self, request: ImportRequest) -> Imported:
        self.requests.append(request)
        return Imported(
            request.image_id or self.new_id(), request.build_id or self.new_id(), self.new_id(), self.new_id()
        )

    async def probe(self) -> None:
        if self.broken is not None:
            raise self.broken
        if self.slow is not None:
            await self.slow

    async def cancel(self, id: str) -> Job:
        self.cancelled.append(id)
        return self.change(id, state=Failed(Reason("cancelled by a user", cancelled=True)))

    async def delete(self, request: DeleteRequest) -> Job:
        self.requests.append(request)
        provider = request.provider
        return self.add(
            Job(
                self.new_id(),
                Operation.DELETE,
                provider.target,
                self.new_id(),
                self.new_id(),
                1000.0,
                provider=provider.name,
                provider_image_id=request.provider_image_id,
            )
        )

    async def retry(self, id: str, access: RetryAccess | None = None) -> Job:
        job = self.known(id)
        if not isinstance(job.state, Failed):
            raise Conflict("only a failed job can be retried", where=id)
        if job.operation is not Operation.BUILD and access is None:
            raise InvalidInput("a retry needs credentials", where=id)
        self.retried.append((id, access))
        return self.change(id, state=Queued(), percent=0)

    def known(self, id: str) -> Job:
        """Returns the job as it is now."""
        if id not in self._jobs:
            raise NotFound(f"no builder found with uuid {id}")
        return self._jobs[id]

    async def job(self, id: str) -> Job:
        return self.known(id)

    async def jobs(
        self, *, status: str | None = None, after: str | None = None, limit: int | None = None
    ) -> Sequence[Job]:
        known = list(self._jobs.values())
        if after is not None:
            self.known(after)
            known = known[list(self._jobs).index(after) + 1 :]
        return [job for job in known if status in {None, job.state.wire}][:limit]

    async def unfinished(self) -> Sequence[Job]:
        return [job for job in self._jobs.values() if not is_final(job.state)]

    async def counts(self) -> Mapping[tuple[Operation, str], int]:
        return Counter((job.operation, job.state.wire) for job in self._jobs.values())

    async def queue_position(self, id: str) -> int | None:
        return (await self.queue_positions()).get(id)

    async def queue_positions(self) -> Mapping[str, int]:
        waiting = [job.id for job in self._jobs.values() if isinstance(job.state, Queued)]
        return {id: place for place, id in enumerate(waiting, 1)}

    async def finished(self, id: str) -> Job:
        if is_final(self.known(id).state):
            return self.known(id)
        waiters = self._waiting.setdefault(id, [])
        waiter: Deferred[Job] = Deferred(waiters.remove)
        waiters.append(waiter)
        return await waiter

    async def log(self, id: str, *, after: int = 0, limit: int = 10_000) -> list[LogLine]:
        return self._lines.get(id, [])[after : after + limit]

    async def events(self, *, after: int, id: str | None = None, limit: int = 1000) -> list[JobEvent]:
        found = [event for event in self._events if event.id > after and id in {None, event.job.id}]
        return found[:limit]

    async def last_event(self) -> int:
        return len(self._events)

    def on_event(self, listener: Callable[[JobEvent], None]) -> Unsubscribe:
        self._event_listeners.append(listener)
        return lambda: self._event_listeners.remove(listener)

    def on_line(self, id: str, listener: Callable[[LogLine], None]) -> Unsubscribe:
        self._line_listeners.append((id, listener))
        return lambda: self._line_listeners.remove((id, listener))


class FakeArguments:
    """Understands `<template>...`, provider names that begin with mock, any well-formed credentials."""

    async def template(self, text: str, targets: Sequence[str]) -> Resolved:
        if not text.startswith("<template"):
            raise InvalidInput("the template is not XML, not a URL, not a UUID")
        name = _xml(text).findtext("name") or "unnamed"
        os = OperatingSystem("Debian", "12", Arch.X86_64, UrlInstall("http://mirror.example/debian"))
        return Resolved(Template(name, os, source=text.encode()))

    async def provider(self, text: str) -> Provider:
        if not text.startswith("mock"):
            raise Unsupported("unknown provider", hint="known: mock, mock1")
        return Provider(text, "mock")

    def credentials(self, text: str) -> Credentials:
        root = _xml(text)
        return Credentials(root.tag, {each.tag: Secret(each.text or "") for each in root.iter()})


def _xml(text: str) -> ElementTree.Element:
    try:
        return ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise InvalidInput("not well-formed XML", where=f"line {error.position[0]}") from None


async def one_leftover() -> Sequence[Resource]:
    """Returns what an interrupted push to mock left."""
    return [Resource("mock/p", "p", "mock", "mock1", "me", "image", 1000.0, note="the disk")]


class FakeTargetCatalog:
    """Two targets."""

    def targets(self) -> Sequence[str]:
        return ("ec2", "mock")

    async def provider(self, text: str) -> Provider:
        if text.startswith("mock"):
            return Provider(text, "mock")
        if text.startswith("ec2-"):
            return Provider(text, "ec2")
        raise Unsupported("unknown provider")

    def forms(self, target: str) -> Sequence[str]:
        return ("mock...",) if target == "mock" else ("ec2-REGION",)

    async def providers(self, target: str) -> Sequence[str]:
        return ("mock1", "mock2") if target == "mock" else ("ec2-us-east-1",)
