"""All jobs, in memory, as they are now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from imagefactory.lib.errors import NotFound
from imagefactory.model.jobs import Job


class JobIndex:
    """Jobs by id, in order of creation."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}

    def __contains__(self, id: str) -> bool:
        return id in self._jobs

    def __len__(self) -> int:
        return len(self._jobs)

    def enter(self, job: Job) -> None:
        """Add a job, or put its new state in the place of the old one."""
        self._jobs[job.id] = job

    def job(self, id: str) -> Job:
        """The job; NotFound in the words of version 1.0."""
        try:
            return self._jobs[id]
        except KeyError:
            raise NotFound(f"No builder found with uuid {id}") from None

    def find(self, id: str) -> Job | None:
        """The job, or None."""
        return self._jobs.get(id)

    def list(self, status: str | None, after: str | None, limit: int | None) -> Sequence[Job]:
        """Jobs with that state on the wire (None: all), those created after `after`, at most `limit`."""
        chosen = (job for job in self._after(after) if status is None or job.state.wire == status)
        return list(islice(chosen, limit))

    def forget(self, id: str) -> None:
        """Remove it; what is not there is no error."""
        self._jobs.pop(id, None)

    def _after(self, id: str | None) -> Iterator[Job]:
        jobs = iter(self._jobs.values())
        if id is None:
            return jobs
        self.job(id)
        for job in jobs:
            if job.id == id:
                break
        return jobs
