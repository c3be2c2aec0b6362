"""Jobs at providers: pushes and deletions, which need credentials that are kept nowhere."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import DeferredLock

from imagefactory.jobs.admission.deletions import DeletionAdmission
from imagefactory.jobs.admission.pushes import PushAdmission
from imagefactory.jobs.execution.runner import Runner
from imagefactory.jobs.interface import DeleteRequest, RetryAccess
from imagefactory.jobs.state.job_log import JobLog
from imagefactory.lib.concurrency.queue import Queue
from imagefactory.lib.concurrency.shield import shield
from imagefactory.lib.errors import Conflict, InvalidInput
from imagefactory.model.jobs import Completed, Job, Operation
from imagefactory.model.report import Progress
from imagefactory.push.interface import DeleteOrder, Pusher, PushOrder


class ProviderJobs:
    """Accepts, runs and retries them, as many at once for each target as that allows."""

    def __init__(
        self, pushes: PushAdmission, deletions: DeletionAdmission, pusher: Pusher, job_log: JobLog, runner: Runner
    ) -> None:
        self._pushes = pushes
        self._deletions = deletions
        self._pusher = pusher
        self._job_log = job_log
        self._runner = runner
        self._deleting = DeferredLock()  # between the look for other deletions and the new job there are waits
        self._queues: dict[str, Queue] = {}

    async def push(self, accepted: Sequence[tuple[PushOrder, Job]]) -> list[Job]:
        """Store and begin pushes that were checked; all or none."""
        jobs = [job for _, job in accepted]
        await self._job_log.create(jobs, {})
        for order, job in accepted:
            self._run(order, job)
        return jobs

    async def delete(self, request: DeleteRequest) -> Job:
        """Check, store and begin a deletion. Raises what `DeletionAdmission.accept` raises."""
        async with self._deleting:
            order, job = await self._deletions.accept(request)
            await self._job_log.create([job], {})
            self._run(order, job)
            return job

    async def retry(self, job: Job, access: RetryAccess | None) -> Job:
        """Run a failed push or deletion again under its id.

        Raises:
            Conflict: no credentials were given, or what it was about was deleted, or it runs again already.
            InvalidInput: provider or account are others.
        """
        if access is None:
            hint = "retry it, or ask for it anew, with the credentials"
            raise Conflict(f"job {job.id} is a {job.operation.value}", hint=hint)
        if (access.provider.name, access.provider.target) != (job.provider, job.target):
            raise InvalidInput(f"job {job.id} is about {job.provider} ({job.target}), not {access.provider.name}")
        if job.operation is Operation.PUSH:
            push = await self._pushes.again(job, access)
            return await shield(self._reopen(job, push))
        return await shield(self._retry_deletion(job, access))

    async def _retry_deletion(self, job: Job, access: RetryAccess) -> Job:
        async with self._deleting:
            order = await self._deletions.again(job, access)
            return await self._reopen(job, order)

    async def _reopen(self, job: Job, order: PushOrder | DeleteOrder) -> Job:
        fresh = await self._job_log.reopen(job.id)
        self._run(order, job)
        return fresh

    def _run(self, order: PushOrder | DeleteOrder, job: Job) -> None:
        if job.target not in self._queues:
            self._queues[job.target] = Queue(self._pusher.concurrency(job.target))
        self._runner.start(job.id, self._queues[job.target], job.id, lambda progress: self._work(order, progress))

    async def _work(self, order: PushOrder | DeleteOrder, progress: Progress) -> Completed:
        if isinstance(order, DeleteOrder):
            return await self._pusher.delete(order, progress)
        return await self._pusher.push(order, progress)
