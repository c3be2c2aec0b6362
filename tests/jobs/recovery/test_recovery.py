"""The end of a process, and the next start."""

from dataclasses import replace

from twisted.internet.defer import Deferred

from imagefactory.jobs.interface import BuildRequest
from imagefactory.jobs.store.interface import Batch, Owner, Remembered
from imagefactory.lib.errors import (
    BuildFailed,
    Conflict,
    Unavailable,
)
from imagefactory.model.jobs import Completed, Failed, Queued
from imagefactory.testing.job_store import ME, MemoryJobStore
from imagefactory.testing.job_store import job as running
from imagefactory.testing.jobs import (
    template,
)
from tests.jobs.service_case import SOMEBODY, ServiceCase


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
        state = self.jobs.jobs()[0].state
        assert isinstance(state, Failed)
        self.assertEqual("the daemon was stopped", state.failure.message)

    def test_a_job_that_does_not_end(self) -> None:
        """Stopping is bounded; the job is FAILED in the store all the same."""
        self.build()
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

    def test_another_process_goes_on(self) -> None:
        """Its jobs are followed: new ones, progress, the end; when it dies they are FAILED."""
        command, other = Owner(7, 7), self.store.at(Owner(7, 7))
        self.living.add(command)
        job = replace(running(), id=SOMEBODY)
        self.get(other.write(Batch([job, replace(job, id="second")])))
        self.clock.advance(2)
        self.assertEqual(["BUILDING", "BUILDING"], self.states())
        end = Deferred.fromCoroutine(self.jobs.finished(SOMEBODY))
        self.get(other.write(Batch([replace(job, state=Completed(size=1))])))
        self.clock.advance(2)
        self.assertEqual(Completed(size=1), self.successResultOf(end).state)
        self.living.remove(command)
        self.clock.advance(2)
        self.assertEqual(["COMPLETED", "FAILED"], self.states())

    def test_what_a_command_queued_ends_with_it(self) -> None:
        """Whoever killed it does not want it built later by somebody else; what it left is swept, or else said."""
        for resume in (True, False):
            command = Owner(7, 7, daemon=False)
            job = replace(running(), id=f"{SOMEBODY[:-1]}{int(resume)}", state=Queued(), started=None)
            self.get(self.store.at(command).write(Batch([job])))
            self.builder.refusal = None if resume else Unavailable("no warehouse")
            self.restart(resume=resume)
            state = self.jobs.job(job.id).state
            assert isinstance(state, Failed)
            self.assertEqual("the command was killed", state.failure.message)
            self.assertIn(job.id, self.builder.forgotten)

    def test_the_last_word_of_the_dead(self) -> None:
        """A process that completed its job in its last moment has completed it."""
        other = self.store.at(Owner(7, 7))
        self.get(other.write(Batch([running()])))
        found = self.get(self.store.load())

        async def stale() -> list[Remembered]:
            self.get(other.write(Batch([replace(running(), state=Completed(size=1))])))
            return found

        self.patch(MemoryJobStore, "load", lambda _: stale())
        self.restart()
        self.assertEqual(["COMPLETED"], self.states())

    def test_a_command_leaves_the_queue_alone(self) -> None:
        """It takes nothing of the daemon's queue, and cancels its own when it stops."""
        self.builds("mock", "ec2", "condorcloud")
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
        write = self.store.write

        async def slowly(batch: Batch) -> None:
            await write(batch)
            self.records.all_builds.clear()

        self.patch(self.store, "write", slowly)
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
        self.assertEqual([b], [job.id for job in self.jobs.jobs()])
        self.assertEqual([b], [one.job.id for one in self.get(self.store.load())])
