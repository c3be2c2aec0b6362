"""The job service: accepts, runs, cancels and lists jobs, which go on when their client has disconnected."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from imagefactory.build.interface import Builder, BuildOrder
from imagefactory.jobs.admission.builds import BuildAdmission, CheckedBuild, Fetch
from imagefactory.jobs.admission.deletions import DeletionAdmission
from imagefactory.jobs.admission.imports import ImportAdmission
from imagefactory.jobs.admission.pushes import PushAdmission
from imagefactory.jobs.admission.request_codec import decode_order, encode_order
from imagefactory.jobs.execution.completion import GroupCompletion, LatestBuild
from imagefactory.jobs.execution.reporter import LogBounds
from imagefactory.jobs.execution.runner import Runner
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
from imagefactory.jobs.provider_jobs import ProviderJobs
from imagefactory.jobs.recovery import Recovery, RecoverySteps
from imagefactory.jobs.retention import Retention
from imagefactory.jobs.state.job_log import JobLog
from imagefactory.jobs.store.interface import JobStore
from imagefactory.lib.concurrency.clock import Clock
from imagefactory.lib.concurrency.queue import Queue
from imagefactory.lib.concurrency.shield import shield
from imagefactory.lib.concurrency.threads import Threads
from imagefactory.lib.errors import Conflict, FactoryError, Unavailable
from imagefactory.model.jobs import Completed, Failed, Job, Operation, is_final
from imagefactory.model.report import Progress, StageOutcome
from imagefactory.model.template import Parse
from imagefactory.push.interface import Pusher
from imagefactory.warehouse.records import Records


@dataclass(frozen=True, slots=True)
class Limits:
    """How many at once, how long.

    `builds` is how many run at once; `ending` is how long, in seconds, a cancelled job may take to end; finished
    jobs are forgotten after `retention_days` (0: never); `log` is how much of what tools print is kept.
    """

    builds: int = 2
    ending: float = 30
    retention_days: int = 90
    log: LogBounds = field(default_factory=LogBounds)


@dataclass(frozen=True, slots=True)
class Collaborators:
    """Those the service works with.

    `parse` makes a template from its source, `fetch` puts in what it refers to by URL, `alive` tells whether a
    process still runs, `new_id` draws a UUID, `incident` a short id for the log.
    """

    store: JobStore
    records: Records
    builder: Builder
    pusher: Pusher
    parse: Parse
    fetch: Fetch
    clock: Clock
    threads: Threads
    alive: Callable[[str], bool]
    new_id: Callable[[], str]
    incident: Callable[[], str]


class JobService:
    """`Jobs`, run in this process, between `start()` and `stop()`."""

    def __init__(self, with_: Collaborators, limits: Limits) -> None:
        self._limits = limits
        self._store = with_.store
        self._builder = with_.builder
        self._parse = with_.parse
        self._threads = with_.threads
        self._find = with_.records.template
        self._open = False
        self._keeps_queue = False
        self._job_log = JobLog(with_.store, with_.clock)
        latest = LatestBuild(with_.records)
        completion = GroupCompletion(self._job_log, latest)
        self._runner = Runner(self._job_log, with_.clock, completion.ended, with_.incident, limits.log)
        self._builds = BuildAdmission(
            with_.records,
            with_.builder,
            self._job_log.index,
            parse=with_.parse,
            fetch=with_.fetch,
            clock=with_.clock,
            new_id=with_.new_id,
        )
        self._pushes = PushAdmission(with_.records, with_.pusher, self._job_log.index, with_.clock, with_.new_id)
        deletions = DeletionAdmission(with_.records, with_.pusher, self._job_log.index, with_.clock, with_.new_id)
        self._at_providers = ProviderJobs(self._pushes, deletions, with_.pusher, self._job_log, self._runner)
        self._imports = ImportAdmission(with_.records, with_.builder, latest, with_.clock, with_.new_id)
        steps = RecoverySteps(with_.alive, with_.builder.forget, completion.ended, self._resume)
        self._recovery = Recovery(
            with_.store, self._job_log, self._runner, steps, clock=with_.clock, threads=with_.threads
        )
        self._retention = Retention(self._job_log, with_.clock, limits.retention_days)
        self._local = Queue(limits.builds)

    async def start(self, *, resume: bool) -> None:
        """Load the jobs of the store; those of processes that have ended become FAILED.

        With `resume` (the daemon) queued builds go on, and are left queued by `stop`. A command leaves queued jobs to
        the daemon and cancels its own when it stops.
        """
        self._keeps_queue = resume
        await self._job_log.open()
        await self._recovery.load()
        self._open = True
        await self._recovery.start(resume=resume)
        await self._retention.start()

    async def stop(self) -> None:
        """Refuse new jobs, end running ones (bounded), write everything down."""
        self._open = False
        await self._retention.stop()
        await self._recovery.stop()
        await self._runner.stop(self._limits.ending, keep_queued=self._keeps_queue)
        await self._job_log.close()

    async def abandon(self) -> None:
        """Leave everything as a killed process does: running jobs are not ended, and nothing more is written."""
        self._open = False
        self._job_log.abandon()
        await self._retention.stop()
        await self._recovery.stop()

    async def build(self, request: BuildRequest) -> Accepted:
        self._must_be_open()
        checked = await self._builds.check(request)
        self._must_be_open()
        return await shield(self._accept(checked))

    async def plan(self, request: BuildRequest) -> tuple[tuple[str, tuple[StageOutcome, ...]], ...]:
        checked = await self._builds.check(request)
        return tuple([(target, await self._builder.plan(checked.template, target)) for target in checked.targets])

    async def push(self, request: PushRequest) -> Job:
        return (await self.push_all([request]))[0]

    async def push_all(self, requests: Sequence[PushRequest]) -> list[Job]:
        """Several pushes: none begins unless all can."""
        self._must_be_open()
        accepted = [await self._pushes.accept(request) for request in requests]
        self._must_be_open()
        return await shield(self._at_providers.push(accepted))

    async def delete(self, request: DeleteRequest) -> Job:
        self._must_be_open()
        return await shield(self._at_providers.delete(request))

    async def import_image(self, request: ImportRequest) -> Imported:
        self._must_be_open()
        return await shield(self._imports.store(self._imports.check(request)))

    async def cancel(self, id: str) -> Job:
        job = self._job_log.index.job(id)
        if is_final(job.state):
            raise Conflict(f"job {id} has ended already: {job.state.wire}")
        return await self._runner.cancel(id, self._limits.ending)

    async def retry(self, id: str, access: RetryAccess | None = None) -> Job:
        self._must_be_open()
        job = self._job_log.index.job(id)
        if not isinstance(job.state, Failed):
            raise Conflict(f"job {id} is {job.state.wire}; only a FAILED one can be retried")
        if job.operation is Operation.BUILD:
            return await self._retry_build(job)
        return await self._at_providers.retry(job, access)

    async def _retry_build(self, job: Job) -> Job:
        order = await self._order(job)
        await self._builds.must_be_there(order)
        await self._builder.check(order.template, [order.target])
        return await shield(self._begin_again(order))

    @property
    def open(self) -> bool:
        return self._open

    async def probe(self) -> None:
        await self._store.last_event()

    async def job(self, id: str) -> Job:
        return self._job_log.index.job(id)

    async def jobs(
        self, *, status: str | None = None, after: str | None = None, limit: int | None = None
    ) -> Sequence[Job]:
        return self._job_log.index.list(status, after, limit)

    async def unfinished(self) -> Sequence[Job]:
        return self._job_log.index.unfinished()

    async def counts(self) -> Mapping[tuple[Operation, str], int]:
        return self._job_log.index.counts()

    async def queue_position(self, id: str) -> int | None:
        return self._runner.position(id)

    async def queue_positions(self) -> Mapping[str, int]:
        return self._runner.positions()

    async def finished(self, id: str) -> Job:
        return await self._job_log.finished(id)

    async def log(self, id: str, *, after: int = 0, limit: int = 10_000) -> list[LogLine]:
        return await self._job_log.log(id, after, limit)

    async def events(self, *, after: int, id: str | None = None, limit: int = 1000) -> list[JobEvent]:
        return await self._job_log.events(after, id, limit)

    async def last_event(self) -> int:
        return self._job_log.last_event()

    def on_event(self, listener: Callable[[JobEvent], None]) -> Unsubscribe:
        return self._job_log.on_event(listener)

    def on_line(self, id: str, listener: Callable[[LogLine], None]) -> Unsubscribe:
        return self._job_log.on_line(id, listener)

    def _must_be_open(self) -> None:
        if not self._open:
            raise Unavailable("the daemon is stopping and takes no new jobs", hint="ask again when it is back")

    async def _accept(self, checked: CheckedBuild) -> Accepted:
        stored = await self._builds.store(checked)
        orders = stored.orders
        jobs = self._builds.jobs(orders)
        ids = [job.id for job in jobs]
        try:
            request = await self._threads.run(encode_order, orders[0], self._parse)  # they differ in targets only
            await self._job_log.create(jobs, dict.fromkeys(ids, request))
        except BaseException:
            await self._builds.undo(stored)
            raise
        for order in orders:
            self._run_build(order)
        return Accepted(jobs[0].image_id, jobs[0].build_id, jobs)

    async def _begin_again(self, order: BuildOrder) -> Job:
        job = await self._job_log.reopen(order.id)
        try:
            await self._builds.must_be_there(order)  # once more: from here on a removal sees the job and is refused
        except FactoryError as error:
            await self._recovery.give_up(job, error)
            raise
        self._run_build(order)
        return job

    async def _order(self, job: Job) -> BuildOrder:
        return await decode_order(await self._store.request(job.id), job, self._parse, self._find)

    async def _resume(self, job: Job) -> None:
        try:
            order = await self._order(job)
        except FactoryError as error:
            reason = FactoryError(f"the daemon was stopped; {error}", hint="ask for it again")
            await self._recovery.give_up(job, reason)
            return
        self._run_build(order)

    def _run_build(self, order: BuildOrder) -> None:
        self._runner.start(order.id, self._local, order.build_id, lambda progress: self._do_build(order, progress))

    async def _do_build(self, order: BuildOrder, progress: Progress) -> Completed:
        if order.unrecorded:
            await self._builds.record(order)
        return await self._builder.build(order, progress)
