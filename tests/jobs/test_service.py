"""The job service, with everything around it faked."""

from collections.abc import Coroutine
from dataclasses import replace
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.jobs.interface import BuildRequest, ImportRequest, Owner, PushRequest
from imagefactory.jobs.service import Collaborators, JobService, Limits
from imagefactory.model.credentials import Credentials
from imagefactory.model.errors import (
    BuildFailed,
    Conflict,
    FactoryError,
    InvalidInput,
    NoSpace,
    NotFound,
    TimedOut,
    Unavailable,
    Unsupported,
)
from imagefactory.model.jobs import Completed, Failed, Queued, Running
from imagefactory.model.providers import Provider
from imagefactory.model.secret import Secret
from imagefactory.testing.jobs import (
    ME,
    FakeBuilder,
    FakePusher,
    MemoryJobStore,
    MemoryRecords,
    fetch,
    ids,
    parse,
    template,
)

T = TypeVar("T")
MOCK = Provider("mock-here", "mock-here", "mock")
EC2 = Provider("ec2-us-east-1", "ec2-us-east-1", "ec2")
SOMEBODY = "12345678-1234-4234-8234-123456789abc"


class ServiceCase(SynchronousTestCase):
    """A service with two places, its neighbours fake, its time in our hands."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_000_000)
        self.records = MemoryRecords()
        self.store = MemoryJobStore()
        self.new_id = ids()
        self.living: set[Owner] = set()
        self.jobs = self.service(self.store)
        self.get(self.jobs.start(resume=True))

    def service(self, store: MemoryJobStore, **limits: Any) -> JobService:
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
                alive=self.living.__contains__,
                new_id=self.new_id,
                incident=lambda: "incident-1",
            ),
            Limits(**limits),
        )

    def restart(self) -> None:
        """The process is gone; another begins with the same store."""
        self.store = self.store.at(replace(ME, started=ME.started + 1))
        self.jobs = self.service(self.store)
        self.get(self.jobs.start(resume=True))

    def get(self, work: Coroutine[Any, Any, T]) -> T:
        """The answer that is there at once."""
        return self.successResultOf(Deferred.fromCoroutine(work))

    def refused(self, work: Coroutine[Any, Any, object], kind: type[FactoryError]) -> FactoryError:
        """The error that is there at once."""
        error = self.failureResultOf(Deferred.fromCoroutine(work), kind).value
        assert isinstance(error, kind)
        return error

    def build(self, *targets: str, **options: Any) -> tuple[str, ...]:
        """Ask for a build; the answer are the job ids."""
        accepted = self.get(self.jobs.build(BuildRequest(template(), targets or ("mock",), **options)))
        return tuple(job.id for job in accepted.jobs)

    def states(self) -> list[str]:
        return [job.state.wire for job in self.jobs.jobs()]


class BuildTests(ServiceCase):
    """Builds, from request to result."""

    def test_ids_exist_at_once(self) -> None:
        """The answer has image, build and jobs, whose records are stored and which are new or at work."""
        accepted = self.get(self.jobs.build(BuildRequest(template(), ("mock", "ec2"))))
        self.assertEqual(["mock", "ec2"], [job.target for job in accepted.jobs])
        self.assertEqual([Queued(), Queued()], [job.state for job in accepted.jobs])
        image = self.records.images[accepted.image_id]
        self.assertEqual(b"<image><name>demo</name></image>", image.descriptor)
        self.assertEqual(template().source, self.records.templates[image.template or ""])
        self.assertEqual(accepted.image_id, self.records.all_builds[accepted.build_id].image)

    def test_a_job_runs_to_its_end(self) -> None:
        """BUILDING with its progress, then COMPLETED with its result."""
        (id,) = self.build()
        self.assertEqual("BUILDING", self.jobs.job(id).state.wire)
        end = Deferred.fromCoroutine(self.jobs.finished(id))
        self.builder.running[id].progress.between(10, 30).progress(50)
        self.assertEqual(20, self.jobs.job(id).percent)
        self.assertNoResult(end)
        self.builder.running[id].finish()
        job = self.successResultOf(end)
        self.assertEqual((Completed(size=7), 100), (job.state, job.percent))

    def test_a_failure_says_why(self) -> None:
        """An expected error is the job's failure, with what to do about it, and is in the log."""
        (id,) = self.build()
        self.builder.running[id].fail(BuildFailed("the script failed", where="commands/setup", hint="look at it"))
        state = self.jobs.job(id).state
        assert isinstance(state, Failed)
        self.assertEqual(
            ("commands/setup: the script failed", "look at it"), (state.failure.message, state.failure.hint)
        )
        self.assertIn("commands/setup: the script failed", [line.text for line in self.get(self.jobs.log(id))])

    def test_the_unexpected_has_an_incident(self) -> None:
        """A bug is not shown to clients; its trace is in the log under the incident they are told."""
        (id,) = self.build()
        self.builder.running[id].fail(ZeroDivisionError("secret detail"))
        state = self.jobs.job(id).state
        assert isinstance(state, Failed)
        self.assertEqual("incident-1", state.failure.incident)
        self.assertNotIn("secret", state.failure.message)
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))

    def test_first_come_first_served(self) -> None:
        """Two builds run, the others wait in order and know their place."""
        jobs = self.build("mock", "ec2", "condorcloud") + self.build()
        self.assertEqual([None, None, 1, 2], [self.jobs.queue_position(id) for id in jobs])
        self.builder.running[jobs[1]].finish()
        self.assertEqual(["BUILDING", "COMPLETED", "BUILDING", "NEW"], self.states())

    def test_plan_builds_nothing(self) -> None:
        """The stages are looked up; no job and no record exists afterwards."""
        plan = self.get(self.jobs.plan(BuildRequest(template(), ("mock",))))
        self.assertEqual(["mock"], [target for target, _ in plan])
        self.assertEqual(([], {}), (self.states(), self.records.images))

    def test_listing(self) -> None:
        """By state, after a job, at most so many."""
        a, b, c = self.build("mock", "ec2", "condorcloud")
        self.assertEqual([c], [job.id for job in self.jobs.jobs(status="NEW")])
        self.assertEqual([b], [job.id for job in self.jobs.jobs(after=a, limit=1)])
        with self.assertRaisesRegex(NotFound, "No builder found with uuid x"):
            self.jobs.job("x")


class RefusalTests(ServiceCase):
    """A request that is refused leaves nothing behind."""

    def assert_nothing(self) -> None:
        """No job, no record."""
        records = (self.records.templates, self.records.images, self.records.all_builds)
        self.assertEqual(([], ({}, {}, {}), []), (self.states(), records, self.get(self.store.load())))

    def test_unknown_target(self) -> None:
        """One bad target among good ones refuses all."""
        self.refused(self.jobs.build(BuildRequest(template(), ("mock", "mokc"))), Unsupported)
        self.assert_nothing()

    def test_no_template_no_target(self) -> None:
        """A new image needs both."""
        self.refused(self.jobs.build(BuildRequest(None, ("mock",))), InvalidInput)
        self.refused(self.jobs.build(BuildRequest(template())), InvalidInput)
        self.assert_nothing()

    def test_ids_that_are_none(self) -> None:
        """What is no UUID does not become a key in the warehouse."""
        self.refused(self.jobs.build(BuildRequest(template(), ("mock",), image_id="../x")), InvalidInput)
        self.refused(self.jobs.build(BuildRequest(template(), ("mock",), build_id=SOMEBODY)), NotFound)
        self.assert_nothing()

    def test_a_host_that_cannot(self) -> None:
        """What the engine refuses is refused before anything is stored."""
        self.builder.refusal = Unsupported("no emulator for s390x")
        self.refused(self.jobs.build(BuildRequest(template(), ("mock",))), Unsupported)
        self.assert_nothing()

    def test_a_warehouse_that_fails_half_way(self) -> None:
        """Records that were stored already are removed again."""
        self.records.failure = Unavailable("the warehouse does not answer")
        self.refused(self.jobs.build(BuildRequest(template(), ("mock",))), Unavailable)
        self.assert_nothing()

    def test_a_job_store_that_fails(self) -> None:
        """A job that cannot be remembered is not accepted."""
        self.store.failure = NoSpace("full")
        self.refused(self.jobs.build(BuildRequest(template(), ("mock",))), NoSpace)
        self.assert_nothing()


class RebuildTests(ServiceCase):
    """Building an image again, and adding to a build."""

    def test_the_last_build_is_repeated(self) -> None:
        """Without template and targets those of the last build are used."""
        a, b = self.build("mock", "ec2")
        image = self.jobs.job(a).image_id
        for id in (a, b):
            self.builder.running[id].finish()
        again = self.get(self.jobs.build(BuildRequest(None, image_id=image)))
        self.assertEqual((image, ["mock", "ec2"]), (again.image_id, [job.target for job in again.jobs]))
        self.assertEqual(1, len(self.records.templates))

    def test_an_image_never_seen(self) -> None:
        """Clients bring ids of their own for new images."""
        (id,) = self.build(image_id=SOMEBODY)
        self.assertEqual(SOMEBODY, self.jobs.job(id).image_id)
        self.assertIn(SOMEBODY, self.records.images)

    def test_targets_are_added(self) -> None:
        """With a build id, the new target belongs to that build."""
        (a,) = self.build()
        (b,) = self.build("ec2", build_id=self.jobs.job(a).build_id)
        self.assertEqual(self.jobs.job(a).build_id, self.jobs.job(b).build_id)
        self.assertEqual(1, len(self.records.all_builds))

    def test_another_images_build(self) -> None:
        """A build of another image is refused."""
        (a,) = self.build()
        build = self.jobs.job(a).build_id
        wrong = BuildRequest(template(), ("ec2",), image_id=SOMEBODY, build_id=build)
        self.refused(self.jobs.build(wrong), InvalidInput)


class LineageTests(ServiceCase):
    """Which build an image's pointers name."""

    def image(self, job: str) -> tuple[str | None, str | None]:
        image = self.records.images[self.jobs.job(job).image_id]
        return image.latest_build, image.latest_unpushed

    def test_one_target_of_two_fails(self) -> None:
        """The build counts as soon as all have ended, for the sake of the one that completed."""
        a, b = self.build("mock", "ec2")
        self.builder.running[a].finish()
        self.assertEqual((None, None), self.image(a))
        self.builder.running[b].fail(BuildFailed("no"))
        self.assertEqual((None, self.jobs.job(a).build_id), self.image(a))

    def test_all_fail(self) -> None:
        """A build without any image is not the latest."""
        (a,) = self.build()
        self.builder.running[a].fail(BuildFailed("no"))
        self.assertEqual((None, None), self.image(a))

    def test_parents(self) -> None:
        """The next build's parent is the one before it, or nothing: never a text None."""
        (a,) = self.build()
        self.builder.running[a].finish()
        (b,) = self.build(image_id=self.jobs.job(a).image_id)
        self.builder.running[b].finish()
        first, second = self.jobs.job(a).build_id, self.jobs.job(b).build_id
        self.assertIsNone(self.records.all_builds[first].parent)
        self.assertEqual(first, self.records.all_builds[second].parent)

    def test_a_late_retry_is_not_the_latest(self) -> None:
        """A retry of an older build leaves the newer one in its place."""
        (a,) = self.build()
        self.builder.running[a].fail(BuildFailed("no"))
        self.clock.advance(10)
        (b,) = self.build(image_id=self.jobs.job(a).image_id)
        self.builder.running[b].finish()
        self.get(self.jobs.retry(a))
        self.builder.running[a].finish()
        self.assertEqual((None, self.jobs.job(b).build_id), self.image(a))

    def test_a_push_makes_it_the_latest_build(self) -> None:
        """After a push the build is `latest_build`, and nothing is unpushed."""
        (a,) = self.build()
        self.builder.running[a].finish()
        job = self.get(self.jobs.push(PushRequest(MOCK, image_id=self.jobs.job(a).image_id)))
        self.pusher.running[job.id].finish()
        self.assertEqual((self.jobs.job(a).build_id, None), self.image(a))


class PushTests(ServiceCase):
    """Pushes."""

    def setUp(self) -> None:
        super().setUp()
        self.mock, self.ec2 = self.build("mock", "ec2")
        for id in (self.mock, self.ec2):
            self.builder.running[id].finish()
        self.image, self.built = self.jobs.job(self.mock).image_id, self.jobs.job(self.mock).build_id

    def test_that_very_image(self) -> None:
        """A target image id is honoured."""
        (other,) = self.build("mock", build_id=self.built)
        self.builder.running[other].finish()
        job = self.get(self.jobs.push(PushRequest(MOCK, target_image_id=self.mock)))
        self.assertEqual((self.mock, self.mock), (job.target_image_id, self.pusher.orders[0].target_image_id))

    def test_the_image_of_a_build(self) -> None:
        """Build and provider decide; the account is known before the work begins."""
        job = self.get(self.jobs.push(PushRequest(MOCK, build_id=self.built)))
        self.assertEqual((self.mock, "mock-here"), (job.target_image_id, job.provider))
        self.assertEqual("account of mock-here", job.provider_account_identifier)
        self.assertEqual("PUSHING", self.jobs.job(job.id).state.wire)

    def test_again_after_the_push(self) -> None:
        """An image without unpushed build pushes its latest one again."""
        for _ in range(2):
            job = self.get(self.jobs.push(PushRequest(MOCK, image_id=self.image)))
            self.pusher.running[job.id].finish()
            self.assertEqual(self.built, job.build_id)

    def test_wrong_target(self) -> None:
        """A mock image is not pushed to ec2."""
        credentials = Credentials("ec2_credentials", {})
        self.refused(self.jobs.push(PushRequest(EC2, credentials, target_image_id=self.mock)), InvalidInput)

    def test_bad_credentials(self) -> None:
        """They are judged at once."""
        self.refused(self.jobs.push(PushRequest(EC2, image_id=self.image)), InvalidInput)

    def test_nothing_to_push(self) -> None:
        """Unknown images and builds are said to be so."""
        self.refused(self.jobs.push(PushRequest(MOCK, image_id=SOMEBODY)), NotFound)
        self.refused(self.jobs.push(PushRequest(MOCK, build_id=SOMEBODY)), NotFound)
        self.refused(self.jobs.push(PushRequest(MOCK, target_image_id=SOMEBODY)), NotFound)
        self.refused(self.jobs.push(PushRequest(MOCK)), InvalidInput)

    def test_an_unfinished_build(self) -> None:
        """An image that is still being built is a conflict, not unknown."""
        (busy,) = self.build()
        self.refused(self.jobs.push(PushRequest(MOCK, target_image_id=busy)), Conflict)
        self.refused(self.jobs.push(PushRequest(MOCK, build_id=self.jobs.job(busy).build_id)), Conflict)

    def test_ec2_pushes_wait(self) -> None:
        """They have a queue of their own; others do not wait."""
        credentials = Credentials("ec2_credentials", {"secret": Secret("hush")})
        request = PushRequest(EC2, credentials, target_image_id=self.ec2)
        jobs = [self.get(self.jobs.push(request)) for _ in range(3)]
        self.assertEqual([None, None, 1], [self.jobs.queue_position(job.id) for job in jobs])
        other = self.get(self.jobs.push(PushRequest(MOCK, image_id=self.image)))
        self.assertIsNone(self.jobs.queue_position(other.id))

    def test_credentials_are_not_kept(self) -> None:
        """Nothing secret is in the store, and an interrupted push is FAILED and cannot be retried."""
        credentials = Credentials("ec2_credentials", {"secret": Secret("hush")})
        job = self.get(self.jobs.push(PushRequest(EC2, credentials, target_image_id=self.ec2)))
        self.restart()
        state = self.jobs.job(job.id).state
        assert isinstance(state, Failed)
        self.assertIn("the daemon was stopped", state.failure.message)
        self.assertIn("credentials", self.refused(self.jobs.retry(job.id), Conflict).hint)
        self.assertEqual("", self.get(self.store.request(job.id)))


class ImportTests(ServiceCase):
    """Imports."""

    REQUEST = ImportRequest("ec2", "ec2-us-east-1", "ami-123", b"<image><name>x</name></image>")

    def test_records_and_ids(self) -> None:
        """All four ids are real, and the import is the image's latest build."""
        imported = self.get(self.jobs.import_image(self.REQUEST))
        self.assertEqual(imported.build_id, self.records.images[imported.image_id].latest_build)
        self.assertEqual("ami-123", self.records.all_provider_images[imported.provider_image_id].target_identifier)

    def test_again(self) -> None:
        """The same provider image imported again keeps its ids and gets the new identifier."""
        first = self.get(self.jobs.import_image(self.REQUEST))
        request = replace(self.REQUEST, image_id=first.image_id, build_id=first.build_id, target_identifier="ami-456")
        self.assertEqual(first, self.get(self.jobs.import_image(request)))
        self.assertEqual("ami-456", self.records.all_provider_images[first.provider_image_id].target_identifier)
        self.assertIsNone(self.records.all_builds[first.build_id].parent)

    def test_bad_requests(self) -> None:
        """Unknown target, bad descriptor, empty identifier: refused, nothing stored."""
        for wrong in (
            replace(self.REQUEST, target="ec3"),
            replace(self.REQUEST, descriptor=b"<image>"),
            replace(self.REQUEST, descriptor=b"<image/>"),
            replace(self.REQUEST, descriptor=b"<!DOCTYPE image><image><name>x</name></image>"),
            replace(self.REQUEST, target_identifier=""),
            replace(self.REQUEST, image_id="x"),
        ):
            self.refused(self.jobs.import_image(wrong), InvalidInput)
        self.assertEqual({}, self.records.images)


class CancelTests(ServiceCase):
    """Cancelling."""

    def assert_cancelled(self, id: str) -> None:
        state = self.jobs.job(id).state
        assert isinstance(state, Failed)
        self.assertEqual(("cancelled", True), (state.failure.message, state.failure.cancelled))

    def test_running(self) -> None:
        """The work is cancelled once, however often it is asked for, and the place is free."""
        first, second, third = self.build("mock", "ec2", "condorcloud")
        self.get(self.jobs.cancel(first))
        self.assert_cancelled(first)
        self.assertEqual([first], self.builder.cancelled)
        self.assertIn(third, self.builder.running)
        self.refused(self.jobs.cancel(first), Conflict)

    def test_queued(self) -> None:
        """It leaves the queue without having run."""
        jobs = self.build("mock", "ec2", "condorcloud")
        self.get(self.jobs.cancel(jobs[2]))
        self.assert_cancelled(jobs[2])
        self.assertNotIn(jobs[2], [order.id for order in self.builder.orders])

    def test_a_job_that_does_not_end(self) -> None:
        """The caller hears of it after some time; the job ends when it ends."""
        (id,) = self.build()
        rest: Deferred[None] = Deferred()
        self.builder.clean_up = lambda: rest
        end = Deferred.fromCoroutine(self.jobs.cancel(id))
        both = Deferred.fromCoroutine(self.jobs.cancel(id))
        self.clock.advance(31)
        self.failureResultOf(end, TimedOut)
        self.failureResultOf(both, TimedOut)
        rest.callback(None)
        self.assert_cancelled(id)


class StopTests(ServiceCase):
    """The end of the daemon, and the next start."""

    def test_stop_and_start(self) -> None:
        """Running jobs are FAILED and can be retried, queued ones go on, new ones are refused."""
        a, b, c = self.build("mock", "ec2", "condorcloud")
        self.get(self.jobs.stop())
        self.assertEqual(["FAILED", "FAILED", "NEW"], self.states())
        self.refused(self.jobs.build(BuildRequest(template(), ("mock",))), Unavailable)
        self.restart()
        self.assertEqual(["FAILED", "FAILED", "BUILDING"], self.states())
        self.get(self.jobs.retry(a))
        self.builder.running[a].finish()
        self.assertEqual(["COMPLETED", "FAILED", "BUILDING"], self.states())

    def test_killed(self) -> None:
        """After kill -9 the same."""
        self.build("mock", "ec2", "condorcloud")
        self.clock.advance(1)
        self.restart()
        self.assertEqual(["FAILED", "FAILED", "BUILDING"], self.states())
        state = self.jobs.jobs()[0].state
        assert isinstance(state, Failed)
        self.assertEqual("the daemon was stopped", state.failure.message)

    def test_a_job_that_does_not_end(self) -> None:
        """Stopping is bounded; the job is FAILED in the store all the same."""
        (id,) = self.build()
        self.builder.clean_up = Deferred
        end = Deferred.fromCoroutine(self.jobs.stop())
        self.clock.advance(31)
        self.successResultOf(end)
        self.assertIsInstance(self.get(self.store.load())[0].job.state, Failed)

    def test_others_jobs(self) -> None:
        """The job of another living process is shown, and can be neither cancelled nor taken."""
        (id,) = self.build()
        self.clock.advance(1)
        self.living.add(ME)
        self.restart()
        self.assertEqual(["BUILDING"], self.states())
        self.refused(self.jobs.cancel(id), Conflict)

    def test_a_command_leaves_the_queue_alone(self) -> None:
        """It takes nothing of the daemon's queue, and cancels its own when it stops."""
        self.build("mock", "ec2", "condorcloud")
        self.clock.advance(1)
        self.store = self.store.at(Owner(7, 7))
        self.jobs = self.service(self.store, builds=1)
        self.get(self.jobs.start(resume=False))
        self.assertEqual(["FAILED", "FAILED", "NEW"], self.states())
        self.build("mock", "ec2")
        self.get(self.jobs.stop())
        self.assertEqual(["FAILED", "FAILED", "NEW", "FAILED", "FAILED"], self.states())

    def test_the_log_goes_on(self) -> None:
        """A retried job's lines follow those of its first run."""
        (id,) = self.build()
        self.builder.running[id].progress.line("one")
        self.builder.running[id].fail(BuildFailed("two"))
        self.restart()
        self.get(self.jobs.retry(id))
        self.builder.running[id].progress.line("three")
        lines = self.get(self.jobs.log(id))
        self.assertEqual([(1, "one"), (2, "two"), (3, "three")], [(line.number, line.text) for line in lines])

    def test_what_cannot_be_retried(self) -> None:
        """Only a failed build."""
        (id,) = self.build()
        self.refused(self.jobs.retry(id), Conflict)
        self.builder.running[id].finish()
        self.refused(self.jobs.retry(id), Conflict)

    def test_retention(self) -> None:
        """Finished jobs are forgotten after their time; running ones never."""
        a, b = self.build("mock", "ec2")
        self.builder.running[a].finish()
        self.clock.pump([3600] * 24 * 91)
        self.assertEqual([b], [job.id for job in self.jobs.jobs()])
        self.assertEqual([b], [one.job.id for one in self.get(self.store.load())])


class EventTests(ServiceCase):
    """What listeners hear."""

    def test_a_failing_listener(self) -> None:
        """It harms neither the job nor the others."""
        heard: list[str] = []
        self.jobs.on_event(lambda event: 1 / 0)
        self.jobs.on_event(lambda event: heard.append(event.job.state.wire))
        (id,) = self.build()
        self.builder.running[id].finish()
        self.assertEqual(["NEW", "BUILDING", "COMPLETED"], heard)
        self.assertEqual(3, len(self.flushLoggedErrors(ZeroDivisionError)))

    def test_progress_is_paced(self) -> None:
        """A thousand steps are a few events; the last word is told."""
        heard: list[int] = []
        (id,) = self.build()
        leave = self.jobs.on_event(lambda event: heard.append(event.job.percent))
        for step in range(1000):
            self.builder.running[id].progress.progress(step / 10)
        self.clock.advance(0.2)
        self.assertEqual([1, 99], heard)
        leave()
        self.builder.running[id].finish()
        self.assertEqual([1, 99], heard)

    def test_events_are_remembered(self) -> None:
        """Over a restart, with ids that go on."""
        (id,) = self.build()
        self.clock.advance(1)
        last = self.get(self.jobs.events(after=0))[-1].id
        self.restart()
        new = self.get(self.jobs.events(after=last, id=id))
        self.assertEqual([(last + 1, "FAILED")], [(event.id, event.job.state.wire) for event in new])

    def test_lines(self) -> None:
        """A job's lines, while somebody listens."""
        heard: list[str] = []
        a, b = self.build("mock", "ec2")
        leave = self.jobs.on_line(a, lambda line: heard.append(line.text))
        self.builder.running[a].progress.line("mine")
        self.builder.running[b].progress.line("other")
        leave()
        self.builder.running[a].progress.line("late")
        self.assertEqual(["mine"], heard)

    def test_a_store_that_fails_for_a_while(self) -> None:
        """The job goes on, and what happened is stored later."""
        (id,) = self.build()
        self.store.failure = NoSpace("full")
        self.builder.running[id].progress.line("one")
        self.clock.advance(0.25)
        self.assertEqual("BUILDING", self.jobs.job(id).state.wire)
        self.store.failure = None
        self.clock.advance(0.25)
        self.assertEqual(["one"], [line.text for line in self.get(self.store.log(id, after=0, limit=9))])
        self.assertIsInstance(self.get(self.store.load())[0].job.state, Running)
