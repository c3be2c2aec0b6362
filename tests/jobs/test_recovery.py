"""The end of a process, and the next start."""

from dataclasses import replace

from twisted.internet.defer import Deferred

from imagefactory.jobs.interface import BuildRequest
from imagefactory.jobs.store.interface import Batch, JobNode, NewJobs
from imagefactory.lib.errors import (
    BuildFailed,
    Conflict,
    TimedOut,
    Unavailable,
)
from imagefactory.model.jobs import Completed, Failed, Job, Queued
from imagefactory.testing.job_store import ME, MemoryJobStore
from imagefactory.testing.job_store import job as running
from imagefactory.testing.jobs import (
    template,
)
from tests.jobs.service_case import UNKNOWN_ID, ServiceCase


class StopTests(ServiceCase):
    """The end of the daemon, and the next start."""

    def test_stop_and_start(self) -> None:
        """Running jobs are FAILED and can be retried, queued ones go on, new ones are refused."""
        a, _, _ = self.builds("mock", "ec2", "condorcloud")
        self.get(self.jobs.stop())
        self.assertEqual(["FAILED", "FAILED", "NEW"], self.states())
        self.refused(self.jobs.build(BuildRequest(template(), ("mock",))), Unavailable)
        self.restart()
        self.assertEqual(["FAILED", "FAILED", "BUILDING"], self.states())
        self.get(self.jobs.retry(a))
        self.builder.running[a].finish()
        self.assertEqual(["COMPLETED", "FAILED", "BUILDING"], self.states())

    def test_the_log_of_a_retry_that_had_to_wait(self) -> None:
        """Goes on after the restart; what was said before stays."""
        (id,) = self.build()
        self.builder.running[id].progress.line("the first time")
        self.builder.running[id].fail(BuildFailed("no"))
        self.builds("ec2", "condorcloud")
        self.get(self.jobs.retry(id))
        self.clock.advance(1)
        self.restart()
        self.clock.advance(1)
        self.builder.running[id].progress.line("the second time")
        self.clock.advance(1)
        lines = [line.text for line in self.get(self.jobs.log(id))]
        self.assertEqual(["the first time", "no", "the second time"], lines)

    def test_killed(self) -> None:
        """After kill -9 the same."""
        self.builds("mock", "ec2", "condorcloud")
        self.clock.advance(1)
        self.restart()
        self.assertEqual(["FAILED", "FAILED", "BUILDING"], self.states())
        state = self.listed()[0].state
        assert isinstance(state, Failed)
        self.assertEqual("the daemon was stopped", state.failure.message)

    def test_a_job_that_does_not_end(self) -> None:
        """Stopping is bounded; the job is FAILED in the store all the same."""
        self.build()
        self.builder.clean_up = Deferred
        end = Deferred.fromCoroutine(self.jobs.stop())
        self.clock.advance(31)
        self.successResultOf(end)
        self.assertIsInstance(self.get(self.store.load())[1][0].state, Failed)

    def test_others_jobs(self) -> None:
        """The job of another living process is shown, and not taken."""
        self.build()
        self.clock.advance(1)
        self.living.add(ME.id)
        self.restart()
        self.clock.advance(2)
        self.assertEqual((["BUILDING"], []), (self.states(), self.builder.forgotten))

    def test_late_reports_after_a_stop(self) -> None:
        """A job that does not end in time is FAILED, and what it says later reaches neither store nor listeners."""
        forever: Deferred[None] = Deferred()

        async def clean_up() -> None:
            await forever

        self.builder.clean_up = clean_up
        (id,) = self.build()
        work = self.builder.running[id]
        stopping = Deferred.fromCoroutine(self.jobs.stop())
        self.clock.pump([31])
        self.successResultOf(stopping)
        self.assertEqual("FAILED", self.job(id).state.wire)
        before = [self.get(self.store.log(id, after=0, limit=99)), self.get(self.store.load())]
        self.store.failure = AssertionError("the store is closed")  # type: ignore[assignment]
        work.progress.line("late")
        work.progress.progress(99)
        forever.callback(None)
        self.clock.pump([1] * 5)
        self.store.failure = None
        self.assertEqual([self.get(self.store.log(id, after=0, limit=99)), self.get(self.store.load())], before)
        self.assertNotIn("the store is closed", str(self.flushLoggedErrors()))

    def test_another_process_is_asked_to_cancel(self) -> None:
        """It learns that at its next turn, and ends its job; the one that asked sees the end."""
        (id,) = self.build()
        first = self.jobs
        self.living.add(ME.id)
        self.jobs = self.service(self.store.at(JobNode("other")))
        self.get(self.jobs.start(resume=True))
        cancelled = Deferred.fromCoroutine(self.jobs.cancel(id))
        self.assertEqual("BUILDING", self.get(first.job(id)).state.wire)
        self.clock.pump([2, 2])
        state = self.successResultOf(cancelled).state
        assert isinstance(state, Failed)
        self.assertTrue(state.failure.cancelled)
        self.get(first.stop())

    def test_another_process_that_does_not_answer(self) -> None:
        """Waiting for it to cancel is bounded."""
        self.living.add("other")
        self.get(self.store.at(JobNode("other")).create(NewJobs([replace(running(), id=UNKNOWN_ID)])))
        self.clock.advance(2)
        cancelled = Deferred.fromCoroutine(self.jobs.cancel(UNKNOWN_ID))
        self.clock.pump([2] * 16)
        self.failureResultOf(cancelled, TimedOut)

    def test_a_job_that_was_given_to_another(self) -> None:
        """It ends here and writes nothing any more; what the other says of it counts."""
        (id,) = self.build()
        self.clock.advance(1)
        other = self.store.at(JobNode("other"))
        self.living.add("other")
        (taken,) = self.get(other.release(ME))
        self.clock.advance(2)
        self.assertEqual(({}, ["BUILDING"]), (self.builder.running, self.states()))
        self.get(other.write(Batch([replace(taken.job, state=Completed(size=7))]), {id: taken.attempt}))
        self.clock.advance(2)
        self.assertEqual(Completed(size=7), self.job(id).state)

    def test_another_process_goes_on(self) -> None:
        """Its jobs are followed: new ones, progress, the end; when it dies they are FAILED."""
        command, other = JobNode("other"), self.store.at(JobNode("other"))
        self.living.add(command.id)
        job = replace(running(), id=UNKNOWN_ID)
        self.get(other.create(NewJobs([job, replace(job, id="second")])))
        self.clock.advance(2)
        self.assertEqual(["BUILDING", "BUILDING"], self.states())
        end = Deferred.fromCoroutine(self.jobs.finished(UNKNOWN_ID))
        self.get(other.write(Batch([replace(job, state=Completed(size=1))]), {UNKNOWN_ID: 1}))
        self.clock.advance(2)
        self.assertEqual(Completed(size=1), self.successResultOf(end).state)
        self.living.remove(command.id)
        self.clock.advance(2)
        self.assertEqual(["COMPLETED", "FAILED"], self.states())

    def test_what_a_command_queued_ends_with_it(self) -> None:
        """It is not built later by the daemon; what it left is swept, or else said."""
        for resume in (True, False):
            command = JobNode(f"command {resume}", daemon=False)
            job = replace(running(), id=f"{UNKNOWN_ID[:-1]}{int(resume)}", state=Queued(), started=None)
            self.get(self.store.at(command).create(NewJobs([job])))
            self.builder.refusal = None if resume else Unavailable("no warehouse")
            self.restart(resume=resume)
            state = self.job(job.id).state
            assert isinstance(state, Failed)
            self.assertEqual("the command was killed", state.failure.message)
            self.assertIn(job.id, self.builder.forgotten)

    def test_a_last_write_of_an_ended_process(self) -> None:
        """A process that completed its job in its last moment has completed it."""
        other = self.store.at(JobNode("other"))
        self.get(other.create(NewJobs([running()])))
        found = self.get(self.store.load())

        async def stale(_: MemoryJobStore) -> tuple[str, list[Job]]:
            await other.write(Batch([replace(running(), state=Completed(size=1))]), {running().id: 1})
            return found

        self.patch(MemoryJobStore, "load", stale)
        self.restart()
        self.assertEqual(["COMPLETED"], self.states())

    def test_a_request_that_ends_with_its_process(self) -> None:
        """The targets that were built before count: the image's pointers are moved."""
        a, _ = self.build("mock", "ec2")
        self.builder.running[a].finish()
        (image,) = self.records.images.values()
        self.assertIsNone(image.latest_unpushed)
        self.restart()
        (image,) = self.records.images.values()
        self.assertEqual(self.job(a).build_id, image.latest_unpushed)

    def test_a_command_leaves_the_queue_alone(self) -> None:
        """It takes nothing of the daemon's queue, and cancels its own when it stops."""
        self.builds("mock", "ec2", "condorcloud")
        self.clock.advance(1)
        self.store = self.store.at(JobNode("other"))
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

    def test_a_deleted_image_or_build(self) -> None:
        """Its job is not run again: the result would belong to nothing."""
        (id,) = self.build()
        self.builder.running[id].fail(BuildFailed("no"))
        for records in (self.records.all_builds, self.records.images):
            (only,) = records.items()  # type: ignore[attr-defined]
            records.clear()
            self.assertIn("was deleted", self.refused(self.jobs.retry(id), Conflict).message)
            self.assertEqual((["FAILED"], {}), (self.states(), self.builder.running))
            records.update([only])
        self.get(self.jobs.retry(id))

    def test_a_build_that_is_deleted_in_the_moment_of_the_retry(self) -> None:
        """After the first look, before the job can keep it from being removed."""
        (id,) = self.build()
        self.builder.running[id].fail(BuildFailed("no"))
        reopen = self.store.reopen

        async def slowly(job: Job) -> int:
            attempt = await reopen(job)
            self.records.all_builds.clear()
            return attempt

        self.patch(self.store, "reopen", slowly)
        self.assertIn("was deleted", self.refused(self.jobs.retry(id), Conflict).message)
        self.assertEqual((["FAILED"], {}), (self.states(), self.builder.running))

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
        self.assertEqual([b], [job.id for job in self.listed()])
        self.assertEqual([b], [job.id for job in self.get(self.store.load())[1]])
