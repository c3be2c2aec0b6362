"""The job service: builds, refusals, cancelling."""

from twisted.internet.defer import Deferred

from imagefactory.build.interface import BuildOrder
from imagefactory.jobs.interface import BuildRequest, PushRequest
from imagefactory.lib.errors import (
    BuildFailed,
    Conflict,
    InvalidInput,
    NoSpace,
    NotFound,
    TimedOut,
    Unavailable,
    Unsupported,
)
from imagefactory.model.jobs import Completed, Failed, Queued
from imagefactory.model.records import BuildRecord
from imagefactory.model.report import Progress, current_report
from imagefactory.testing.jobs import (
    template,
)
from tests.jobs.service_case import MOCK, UNKNOWN_ID, ServiceCase


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
        self.assertEqual("BUILDING", self.job(id).state.wire)
        end = Deferred.fromCoroutine(self.jobs.finished(id))
        self.builder.running[id].progress.between(10, 30).progress(50)
        self.assertEqual(20, self.job(id).percent)
        self.assertNoResult(end)
        self.builder.running[id].finish()
        job = self.successResultOf(end)
        self.assertEqual((Completed(size=7), 100), (job.state, job.percent))

    def test_the_owner_is_noted_in_job_and_records(self) -> None:
        """Also in those that are made after a restart by a retry that another client has asked for."""
        (id,) = self.build(owner="alice")
        self.builder.running[id].fail(BuildFailed("no"))
        self.restart()
        self.get(self.jobs.retry(id))
        self.builder.running[id].finish()
        job = self.job(id)
        self.assertEqual((job.owner, job.state), ("alice", Completed(size=7)))
        owners = [
            self.records.images[job.image_id].owner,
            self.records.all_builds[job.build_id].owner,
            self.get(self.records.target_image(id)).owner,
        ]
        self.assertEqual(owners, ["alice"] * 3)
        push = self.get(self.jobs.push(PushRequest(MOCK, target_image_id=id, owner="root")))
        self.pusher.running[push.id].finish()
        stored = self.get(self.records.provider_image(push.id))
        self.assertEqual((self.job(push.id).owner, stored.owner), ("root", "root"))

    def test_who_shares_a_client_may_speak_for_the_job(self) -> None:
        """What waits for a server deep below a job shows in the activity of that job, and of no other."""
        plain = self.builder.build

        async def build(order: BuildOrder, progress: Progress) -> Completed:
            report = current_report()
            assert report is not None
            report.activity(f"waiting for {order.target}")
            return await plain(order, progress)

        self.patch(self.builder, "build", build)
        ids = self.build("mock", "ec2")
        self.assertEqual(["waiting for mock", "waiting for ec2"], [self.job(id).activity for id in ids])
        self.assertIsNone(current_report())

    def test_a_failure_says_why(self) -> None:
        """An expected error is the job's failure, with what to do about it, and is in the log."""
        (id,) = self.build()
        self.builder.running[id].fail(BuildFailed("the script failed", where="commands/setup", hint="look at it"))
        state = self.job(id).state
        assert isinstance(state, Failed)
        self.assertEqual("commands/setup: the script failed", state.failure.message)
        self.assertEqual("look at it", state.failure.hint)
        self.assertIn("commands/setup: the script failed", [line.text for line in self.get(self.jobs.log(id))])

    def test_the_unexpected_has_an_incident(self) -> None:
        """A bug is not shown to clients; its trace is in the log under the incident they are told."""
        (id,) = self.build()
        self.builder.running[id].fail(ZeroDivisionError("secret detail"))
        state = self.job(id).state
        assert isinstance(state, Failed)
        self.assertEqual("incident-1", state.failure.incident)
        self.assertNotIn("secret", state.failure.message)
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))

    def test_targets_side_by_side(self) -> None:
        """All targets of a build run at once and take one place; the next build but one waits."""
        first, second = self.build("mock", "ec2", "condorcloud"), self.build()
        third = self.build()
        self.assertEqual({*first, *second}, set(self.builder.running))
        self.assertEqual(1, self.position(*third))

    def test_first_come_first_served(self) -> None:
        """Two builds run, the others wait in order and know their place."""
        jobs = self.builds("mock", "ec2", "condorcloud") + self.build()
        self.assertEqual([None, None, 1, 2], [self.position(id) for id in jobs])
        self.builder.running[jobs[1]].finish()
        self.assertEqual(["BUILDING", "COMPLETED", "BUILDING", "NEW"], self.states())

    def test_plan_builds_nothing(self) -> None:
        """The stages are looked up; no job and no record exists afterwards."""
        plan = self.get(self.jobs.plan(BuildRequest(template(), ("mock",))))
        self.assertEqual(["mock"], [target for target, _ in plan])
        self.assertEqual(([], {}), (self.states(), self.records.images))

    def test_listing(self) -> None:
        """By state, after a job, at most so many."""
        a, b, c = self.builds("mock", "ec2", "condorcloud")
        self.assertEqual([c], [job.id for job in self.listed(status="NEW")])
        self.assertEqual([b], [job.id for job in self.listed(after=a, limit=1)])
        error = self.refused(self.jobs.job("x"), NotFound)
        self.assertIn("No builder found with uuid x", str(error))


class RefusalTests(ServiceCase):
    """A request that is refused leaves nothing behind."""

    def assert_nothing(self) -> None:
        """No job, no record."""
        records = (self.records.templates, self.records.images, self.records.all_builds)
        self.assertEqual(([], ({}, {}, {}), []), (self.states(), records, self.get(self.store.load())[1]))

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
        self.refused(self.jobs.build(BuildRequest(template(), ("mock",), build_id=UNKNOWN_ID)), NotFound)
        self.assert_nothing()

    def test_a_host_that_cannot(self) -> None:
        """What the engine refuses is refused before anything is stored."""
        self.builder.refusal = Unsupported("no emulator for s390x")
        self.refused(self.jobs.build(BuildRequest(template(), ("mock",))), Unsupported)
        self.assert_nothing()

    def test_a_warehouse_that_fails_half_way(self) -> None:
        """Records that were stored already are removed again."""
        self.records.failure = NoSpace("the warehouse is full")
        self.refused(self.jobs.build(BuildRequest(template(), ("mock",))), NoSpace)
        self.assert_nothing()

    def test_a_warehouse_that_does_not_answer(self) -> None:
        """The build is accepted all the same; the job stores what belongs to it first, and waits for that."""
        self.records.failure = Unavailable("the warehouse does not answer")
        back: Deferred[None] = Deferred()
        true_store = self.records.store_build

        async def store(record: BuildRecord) -> None:
            if current_report():
                self.records.failure = await back
            await true_store(record)

        self.patch(self.records, "store_build", store)
        accepted = self.get(self.jobs.build(BuildRequest(template(), ("mock", "ec2"))))
        self.assertEqual(["BUILDING", "BUILDING"], self.states())
        self.assertEqual({}, self.builder.running)
        back.callback(None)
        self.assertEqual({job.id for job in accepted.jobs}, set(self.builder.running))
        self.assertEqual([accepted.image_id], [record.image for record in self.records.all_builds.values()])
        self.assertEqual([accepted.build_id], list(self.records.all_builds))

    def test_a_warehouse_that_never_answers(self) -> None:
        """The job fails with what the warehouse's client says; a retry stores what is missing, also after a restart."""
        self.records.failure = Unavailable("the warehouse does not answer")
        (id,) = self.build()
        state = self.job(id).state
        assert isinstance(state, Failed)
        self.assertEqual("the warehouse does not answer", state.failure.message)
        self.records.failure = None
        self.restart()
        job = self.get(self.jobs.retry(id))
        self.assertEqual([id], list(self.builder.running))
        self.assertEqual([job.build_id], list(self.records.all_builds))

    def test_a_job_store_that_fails(self) -> None:
        """A job that cannot be remembered is not accepted."""
        self.store.failure = NoSpace("full")
        for image in (None, UNKNOWN_ID):
            self.refused(self.jobs.build(BuildRequest(template(), ("mock",), image_id=image)), NoSpace)
            self.assert_nothing()


class CancelTests(ServiceCase):
    """Cancelling."""

    def assert_cancelled(self, id: str) -> None:
        state = self.job(id).state
        assert isinstance(state, Failed)
        self.assertEqual(("cancelled", True), (state.failure.message, state.failure.cancelled))

    def test_running(self) -> None:
        """The work is cancelled once, however often it is asked for, and the place is free."""
        first, _, third = self.builds("mock", "ec2", "condorcloud")
        self.get(self.jobs.cancel(first))
        self.assert_cancelled(first)
        self.assertEqual([first], self.builder.cancelled)
        self.assertIn(third, self.builder.running)
        self.refused(self.jobs.cancel(first), Conflict)

    def test_queued(self) -> None:
        """It leaves the queue without having run."""
        jobs = self.builds("mock", "ec2", "condorcloud")
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
