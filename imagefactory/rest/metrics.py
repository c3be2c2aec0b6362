"""Metrics for Prometheus, in its text exposition format 0.0.4."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

from imagefactory.jobs.interface import Jobs
from imagefactory.model.jobs import Completed, Failed, Operation, Queued


class RestMetrics:
    """Counts replies; the other numbers are read when the text is made.

    Args:
        streams, connections: return how many are open.
    """

    def __init__(self, jobs: Jobs, streams: Callable[[], int], connections: Callable[[], int]) -> None:
        self._jobs = jobs
        self._streams = streams
        self._connections = connections
        self._replies: Counter[tuple[str, int]] = Counter()

    def count(self, route: str, status: int) -> None:
        """Count a reply of the route (its method and path)."""
        self._replies[route, status] += 1

    async def text(self) -> bytes:
        """Returns all metrics."""
        lines = [*_of_jobs(await self._jobs.counts()), *self._of_connections(), *self._of_replies()]
        return "\n".join([*lines, ""]).encode()

    def _of_connections(self) -> Iterator[str]:
        yield from _family("imagefactory_http_connections", "gauge", "Open connections.", [("", self._connections())])
        yield from _family("imagefactory_http_streams", "gauge", "Open event and log streams.", [("", self._streams())])

    def _of_replies(self) -> Iterator[str]:
        counts = sorted(self._replies.items())
        samples = ((f'route="{route}",status="{code}"', number) for (route, code), number in counts)
        yield from _family("imagefactory_http_requests_total", "counter", "Answered requests by route.", samples)


def _of_jobs(counts: Mapping[tuple[Operation, str], int]) -> Iterator[str]:
    samples = ((f'operation="{what}",status="{state}"', number) for (what, state), number in sorted(counts.items()))
    yield from _family("imagefactory_jobs", "gauge", "Remembered jobs by operation and status.", samples)
    waiting = sum(number for (_, state), number in counts.items() if state == Queued.wire)
    ended = sum(number for (_, state), number in counts.items() if state in {Completed.wire, Failed.wire})
    running = sum(counts.values()) - waiting - ended
    yield from _family("imagefactory_jobs_waiting", "gauge", "Jobs in the queue.", [("", waiting)])
    yield from _family("imagefactory_jobs_running", "gauge", "Jobs at work.", [("", running)])


def _family(name: str, kind: str, help: str, samples: Iterable[tuple[str, int]]) -> Iterator[str]:
    yield f"# HELP {name} {help}"
    yield f"# TYPE {name} {kind}"
    for labels, value in samples:
        yield f"{name}{{{labels}}} {value}" if labels else f"{name} {value}"
