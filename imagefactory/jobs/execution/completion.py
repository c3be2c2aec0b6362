"""What has to happen when a job ends, before its end is shown."""

from __future__ import annotations

from twisted.logger import Logger

from imagefactory.jobs.execution.latest_build import LatestBuild
from imagefactory.jobs.state.job_log import JobLog
from imagefactory.jobs.store.interface import GroupState
from imagefactory.lib.errors import FactoryError
from imagefactory.model.jobs import Completed, Job, Operation, State


class GroupCompletion:
    """Moves an image's pointers when the last build job of a request, or a push, has ended.

    Before, not after: a client that sees COMPLETED may push the latest build in the next moment. The store knows the
    jobs of a request, so that one of several processes finds its job to be the last.
    """

    _log = Logger()

    def __init__(self, job_log: JobLog, latest: LatestBuild) -> None:
        self._job_log = job_log
        self._latest = latest

    async def ended(self, job: Job, state: State) -> None:
        """`job` is about to be shown in `state`."""
        completed = isinstance(state, Completed)
        if job.operation is Operation.BUILD:
            group = await self._settle(job.id, completed=completed)
            if group is not None and group.ended and group.completed:
                await self._latest.built(job.image_id, job.build_id)
        elif completed and job.operation is Operation.PUSH:
            await self._latest.pushed(job.image_id, job.build_id)

    async def _settle(self, id: str, *, completed: bool) -> GroupState | None:
        """A store that takes nothing holds up no job: then each counts as the last."""
        try:
            return await self._job_log.settle(id, completed=completed)
        except FactoryError as error:
            self._log.error("whether job {id} is the last of its request is not known: {error}", id=id, error=error)
            return GroupState(ended=True, completed=completed)
