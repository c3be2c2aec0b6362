"""A job service with everything around it faked."""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.jobs.interface import BuildRequest
from imagefactory.jobs.service import Collaborators, JobService, Limits
from imagefactory.jobs.store.interface import JobNode, JobStore
from imagefactory.lib.errors import (
    FactoryError,
)
from imagefactory.model.jobs import Job
from imagefactory.model.providers import Provider
from imagefactory.testing.job_store import MemoryJobStore
from imagefactory.testing.jobs import (
    FakeBuilder,
    FakePusher,
    MemoryRecords,
    fetch,
    ids,
    parse,
    template,
)
from imagefactory.testing.threads import ImmediateThreads

T = TypeVar("T")
MOCK = Provider("mock-here", "mock")
EC2 = Provider("ec2-us-east-1", "ec2")
UNKNOWN_ID = "12345678-1234-4234-8234-123456789abc"


class ServiceCase(SynchronousTestCase):
    """A service with two places, what it works with is fake, and tests advance its clock."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_000_000)
        self.records = MemoryRecords()
        self.store = MemoryJobStore()
        self.new_id = ids()
        self.starts = 1
        self.living: set[str] = set()
        self.alive: Callable[[str], bool] = self.living.__contains__
        self.jobs = self.service(self.store)
        self.get(self.jobs.start(resume=True))

    def service(self, store: JobStore, **limits: Any) -> JobService:
        """A service of another start, over the same records."""
        self.builder = FakeBuilder(self.records)
        self.pusher = FakePusher(self.records)
        return JobService(
            Collaborators(
                store=store,
                records=self.records,
                builder=self.builder,
                pusher=self.pusher,
                parse=parse,
                fetch=fetch,
                clock=self.clock,
                threads=ImmediateThreads(),
                alive=self.alive,
                new_id=self.new_id,
                incident=lambda: "incident-1",
            ),
            Limits(**limits),
        )

    def restart(self, *, resume: bool = True) -> None:
        """The process is gone; another begins with the same store."""
        self.get(self.jobs.abandon())
        self.starts += 1
        self.store = self.store.at(JobNode(f"start-{self.starts}"))
        self.jobs = self.service(self.store)
        self.get(self.jobs.start(resume=resume))

    def get(self, work: Coroutine[Any, Any, T]) -> T:
        """The answer that is there at once."""
        return self.successResultOf(Deferred.fromCoroutine(work))

    def job(self, id: str) -> Job:
        """The job as it is now."""
        return self.get(self.jobs.job(id))

    def listed(self, **more: Any) -> Sequence[Job]:
        """Jobs as they are now."""
        return self.get(self.jobs.jobs(**more))

    def position(self, id: str) -> int | None:
        """The place in the queue."""
        return self.get(self.jobs.queue_position(id))

    def refused(self, work: Coroutine[Any, Any, object], kind: type[FactoryError]) -> FactoryError:
        """The error that is there at once."""
        error = self.failureResultOf(Deferred.fromCoroutine(work), kind).value
        assert isinstance(error, kind)
        return error

    def build(self, *targets: str, **options: Any) -> tuple[str, ...]:
        """Ask for a build; returns the job ids."""
        accepted = self.get(self.jobs.build(BuildRequest(template(), targets or ("mock",), **options)))
        return tuple(job.id for job in accepted.jobs)

    def builds(self, *targets: str) -> tuple[str, ...]:
        """Ask for a build of its own for each target, because those of one build share a place."""
        return tuple(id for target in targets for id in self.build(target))

    def states(self) -> list[str]:
        return [job.state.wire for job in self.listed()]
