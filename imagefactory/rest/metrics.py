"""Numbers for Prometheus, in its text exposition format 0.0.4."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from imagefactory.jobs.interface import Jobs
from imagefactory.model.jobs import Queued, is_final


class RestMetrics:
    """Counts answers, and asks the others for what they know when somebody looks."""

    def __init__(self, jobs: Jobs, streams: Callable[[], int], connections: Callable[[], int]) -> None:
        self._jobs = jobs
        self._streams = streams
        self._connections = connections
        self._answers: Counter[tuple[str, int]] = Counter()

    def count(self, route: str, status: int) -> None:
        """One request was answered."""
        self._answers[route, status] += 1

    def text(self) -> bytes:
        """All numbers."""
        lines = [*self._of_jobs(), *self._of_the_door(), *self._of_answers()]
        return "\n".join([*lines, ""]).encode()

    def _of_jobs(self) -> Iterator[str]:
        jobs = self._jobs.jobs()
        states = Counter((job.operation.value, job.state.wire) for job in jobs)
        samples = ((f'operation="{what}",status="{state}"', number) for (what, state), number in sorted(states.items()))
        yield from _family("imagefactory_jobs", "gauge", "Remembered jobs by operation and status.", samples)
        waiting = sum(isinstance(job.state, Queued) for job in jobs)
        running = sum(not is_final(job.state) for job in jobs) - waiting
        yield from _family("imagefactory_jobs_waiting", "gauge", "Jobs in the queue.", [("", waiting)])
        yield from _family("imagefactory_jobs_running", "gauge", "Jobs at work.", [("", running)])

    def _of_the_door(self) -> Iterator[str]:
        yield from _family("imagefactory_http_connections", "gauge", "Open connections.", [("", self._connections())])
        yield from _family("imagefactory_http_streams", "gauge", "Open event and log streams.", [("", self._streams())])

    def _of_answers(self) -> Iterator[str]:
        counts = sorted(self._answers.items())
        samples = ((f'route="{route}",status="{code}"', number) for (route, code), number in counts)
        yield from _family("imagefactory_http_requests_total", "counter", "Answered requests by route.", samples)


def _family(name: str, kind: str, help: str, samples: Iterable[tuple[str, int]]) -> Iterator[str]:
    yield f"# HELP {name} {help}"
    yield f"# TYPE {name} {kind}"
    for labels, value in samples:
        yield f"{name}{{{labels}}} {value}" if labels else f"{name} {value}"
