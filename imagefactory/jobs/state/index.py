"""All jobs, in memory, as they are now."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from imagefactory.lib.errors import NotFound
from imagefactory.model.jobs import Job, Operation, is_final

Count = tuple[Operation, str]
"""An operation, and a state as it is spelled on the wire."""


class JobIndex:
    """Jobs by id, in order of creation, by state, by image and by their end.

    What is asked for often looks at no job that it does not return.

    Jobs are numbered as they come; `_order` has the numbers in use, and some of forgotten jobs.
    """

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._numbers: dict[str, int] = {}
        self._order: list[tuple[int, str]] = []
        self._by_state: dict[str, set[str]] = {}
        self._unfinished: dict[str, Job] = {}
        self._by_image: dict[str, set[str]] = {}
        self._ended: list[tuple[float, str]] = []
        self._counts: Counter[Count] = Counter()

    def __contains__(self, id: str) -> bool:
        return id in self._jobs

    def __len__(self) -> int:
        return len(self._jobs)

    def enter(self, job: Job) -> None:
        """Add a job, or put its new state in the place of the old one."""
        before = self._jobs.get(job.id)
        if before is None:
            number = self._order[-1][0] + 1 if self._order else 0
            self._numbers[job.id] = number
            self._order.append((number, job.id))
        else:
            self._remove(before)
        self._jobs[job.id] = job
        self._by_state.setdefault(job.state.wire, set()).add(job.id)
        self._by_image.setdefault(job.image_id, set()).add(job.id)
        self._counts[job.operation, job.state.wire] += 1
        if is_final(job.state):
            insort(self._ended, _end(job))
        else:
            self._unfinished[job.id] = job

    def job(self, id: str) -> Job:
        """Returns the job; NotFound in the words of version 1.0."""
        try:
            return self._jobs[id]
        except KeyError:
            raise NotFound(f"No builder found with uuid {id}") from None

    def find(self, id: str) -> Job | None:
        """Returns the job, or None."""
        return self._jobs.get(id)

    def list(self, status: str | None = None, after: str | None = None, limit: int | None = None) -> Sequence[Job]:
        """Returns jobs with that state on the wire (None: all), those created after `after`, at most `limit`."""
        last = -1 if after is None else self._numbers[self.job(after).id]
        ids = self._after(last) if status is None else self._in_state(status, last)
        return [self._jobs[id] for id in islice(ids, limit)]

    def unfinished(self) -> Sequence[Job]:
        """Returns the jobs that have not ended."""
        return list(self._unfinished.values())

    def of_image(self, image_id: str) -> Sequence[Job]:
        """Returns the jobs of an image, in order of creation."""
        ids = sorted(self._by_image.get(image_id, ()), key=self._numbers.__getitem__)
        return [self._jobs[id] for id in ids]

    def ended_before(self, time: float) -> Sequence[str]:
        """Returns the ids of the jobs that ended before `time` (Unix), the earliest first."""
        return [id for _, id in self._ended[: bisect_left(self._ended, (time, ""))]]

    def counts(self) -> Mapping[Count, int]:
        """Returns how many jobs there are by operation and state."""
        return +self._counts

    def forget(self, id: str) -> None:
        """Remove it; what is not there is no error."""
        job = self._jobs.pop(id, None)
        if job is None:
            return
        self._remove(job)
        del self._numbers[id]
        if len(self._order) > 2 * len(self._jobs) + 100:
            self._order = [entry for entry in self._order if entry[1] in self._numbers]

    def _remove(self, job: Job) -> None:
        """Take it out of all but the order of creation."""
        self._by_state[job.state.wire].discard(job.id)
        self._counts[job.operation, job.state.wire] -= 1
        self._unfinished.pop(job.id, None)
        self._by_image[job.image_id].discard(job.id)
        if not self._by_image[job.image_id]:
            del self._by_image[job.image_id]
        if is_final(job.state):
            del self._ended[bisect_left(self._ended, _end(job))]

    def _after(self, number: int) -> Iterator[str]:
        start = bisect_right(self._order, number, key=lambda entry: entry[0])
        return (id for at, id in islice(self._order, start, None) if self._numbers.get(id) == at)

    def _in_state(self, status: str, number: int) -> Iterable[str]:
        ids = (id for id in self._by_state.get(status, ()) if self._numbers[id] > number)
        return sorted(ids, key=self._numbers.__getitem__)


def _end(job: Job) -> tuple[float, str]:
    """Returns when a final job ended, and its id; records of early versions have the creation only."""
    return job.ended or job.created, job.id
