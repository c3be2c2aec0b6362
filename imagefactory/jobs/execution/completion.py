"""What has to happen when a job ends, before anybody is told that it has ended."""

from __future__ import annotations

from collections.abc import Sequence

from imagefactory.jobs.execution.latest_build import LatestBuild
from imagefactory.jobs.state.index import JobIndex
from imagefactory.model.jobs import Completed, Failed, Failure, Job, Operation, State, is_final


class GroupCompletion:
    """Moves an image's pointers when the last build job of a request, or a push, has ended.

    Before, not after: a client that sees COMPLETED may push the latest build in the next moment.
    """

    def __init__(self, book: JobIndex, latest: LatestBuild) -> None:
        self._book = book
        self._latest = latest
        self._siblings: dict[str, tuple[str, ...]] = {}
        self._ending: dict[str, State] = {}

    def together(self, ids: Sequence[str]) -> None:
        """These build jobs are one request."""
        for id in ids:
            self._siblings[id] = tuple(ids)

    def again(self, id: str, siblings: Sequence[str]) -> None:
        """This one job of an earlier request runs (again)."""
        self._siblings[id] = tuple(siblings) or (id,)

    async def ended(self, job: Job, state: State) -> None:
        """`job` is about to be shown in `state`."""
        if job.operation is Operation.PUSH:
            if isinstance(state, Completed):
                await self._latest.pushed(job.image_id, job.build_id)
            return
        self._ending[job.id] = state  # two that end together must not wait for each other
        states = [self._state(id) for id in self._siblings.pop(job.id, (job.id,))]
        try:
            if all(map(is_final, states)) and any(isinstance(state, Completed) for state in states):
                await self._latest.built(job.image_id, job.build_id)
        finally:
            self._ending.pop(job.id, None)

    def _state(self, id: str) -> State:
        """The state as it is or will be in a moment; a forgotten job was final."""
        job = self._book.find(id)
        return self._ending.get(id) or (job.state if job else _FORGOTTEN)


_FORGOTTEN: State = Failed(Failure("forgotten"))
