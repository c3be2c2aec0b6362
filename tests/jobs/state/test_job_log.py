"""What listeners and the store hear."""

from collections.abc import Mapping

from twisted.internet.defer import Deferred

from imagefactory.jobs.execution.reporter import LogBounds
from imagefactory.jobs.interface import JobEvent
from imagefactory.jobs.store import batch_writer as writer
from imagefactory.jobs.store.interface import Batch, JobNode, NewJobs
from imagefactory.lib.errors import NoSpace
from imagefactory.model.jobs import Completed, Running
from imagefactory.model.report import StageOutcome
from imagefactory.testing.job_store import job
from tests.jobs.service_case import ServiceCase


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
        """Over a restart, with ids above all that were given."""
        (id,) = self.build()
        self.clock.advance(1)
        last = self.get(self.jobs.events(after=0))[-1].id
        self.restart()
        new = self.get(self.jobs.events(after=last, id=id))
        self.assertEqual(["FAILED"], [event.job.state.wire for event in new])

    def test_ids_are_not_given_again(self) -> None:
        """Not even those of events that were told and never written, because the process was killed."""
        heard: list[int] = []
        self.build()
        self.jobs.on_event(lambda event: heard.append(event.id))
        self.build()  # told, and waits to be written
        self.restart()
        self.jobs.on_event(lambda event: heard.append(event.id))
        (id,) = self.build()
        self.assertEqual(len(heard), len(set(heard)))
        self.assertEqual(sorted(heard), heard)
        self.assertEqual(heard[-1], self.get(self.jobs.events(after=0, id=id))[-1].id)

    def test_a_thousand_events(self) -> None:
        """Further ids are reserved in time; while that cannot be, they go on all the same."""
        heard: list[int] = []
        self.jobs.on_event(lambda event: heard.append(event.id))
        (id,) = self.build()
        for number in range(3000):
            self.store.failure = NoSpace("full") if number > 2000 else None
            self.builder.running[id].progress.stage(StageOutcome("base", str(number), hit=True))
        self.assertEqual(list(range(1, 3003)), heard)

    def test_another_process_is_ahead(self) -> None:
        """What is told after its events were shown has higher ids than they have."""
        theirs = self.store.at(JobNode("other"))
        first = self.get(theirs.reserve_events(1000))
        self.get(theirs.create(NewJobs([job("other")])))
        self.get(theirs.write(Batch(events=[JobEvent(first + 5, 1.0, job("other"))]), {"other": 1}))
        self.assertEqual(first + 5, self.get(self.jobs.events(after=0))[-1].id)
        heard: list[int] = []
        self.jobs.on_event(lambda event: heard.append(event.id))
        self.build()
        self.assertGreater(heard[0], first + 5)

    def test_the_end_is_written_before_it_is_told(self) -> None:
        """A client that sees COMPLETED sees it after a kill, too; what happens meanwhile is told in its order."""
        (id,) = self.build()
        told: list[tuple[str, str]] = []
        self.jobs.on_event(lambda event: told.append((event.job.id, event.job.state.wire)))
        store, write, gate = self.store, self.store.write, Deferred[None]()

        async def slow(batch: Batch, held: Mapping[str, int]) -> frozenset[str]:
            await gate
            return await write(batch, held)

        store.write = slow  # type: ignore[method-assign]
        running = self.builder.running[id]
        running.finish()
        waiting = Deferred.fromCoroutine(self.jobs.finished(id))
        running.progress.line("late")
        running.progress.progress(99)
        self.assertEqual(("BUILDING", []), (self.job(id).state.wire, told))
        self.assertNoResult(waiting)
        gate.callback(None)
        self.assertEqual([(id, "COMPLETED")], told)
        self.assertEqual("COMPLETED", self.successResultOf(waiting).state.wire)
        stored = {job.id: job.state.wire for job in self.get(store.load())[1]}
        self.assertEqual("COMPLETED", stored[id])
        self.assertEqual([], self.get(store.log(id, after=0, limit=9)))

    def test_an_end_that_cannot_be_written(self) -> None:
        """It is told nevertheless, and written when the store takes it."""
        (id,) = self.build()
        self.store.failure = NoSpace("full")
        self.builder.running[id].finish()
        self.assertEqual("COMPLETED", self.job(id).state.wire)
        self.store.failure = None
        self.clock.advance(0.25)
        self.assertIsInstance(self.get(self.store.load())[1][0].state, Completed)

    def test_lines(self) -> None:
        """A job's lines, while there is a listener."""
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
        self.assertEqual("BUILDING", self.job(id).state.wire)
        self.store.failure = None
        self.clock.advance(0.25)
        self.assertEqual(["one"], [line.text for line in self.get(self.store.log(id, after=0, limit=9))])
        self.assertIsInstance(self.get(self.store.load())[1][0].state, Running)


class LogTests(ServiceCase):
    """What of a log is kept."""

    def lines(self, id: str) -> list[str]:
        """As stored."""
        return [line.text for line in self.get(self.jobs.log(id))]

    def test_a_program_that_prints_without_end(self) -> None:
        """Its lines are kept up to a number and a size; then one line says so, and why it failed is there, too."""
        for bounds, kept in ((LogBounds(3, 1000), 3), (LogBounds(1000, 35), 3)):
            self.jobs = self.service(self.store.at(JobNode(f"first {kept} {bounds.lines}")), log=bounds)
            self.get(self.jobs.start(resume=True))
            (id,) = self.build()
            for _ in range(50):
                self.builder.running[id].progress.line("0123456789")
            self.builder.running[id].fail(NoSpace("the disk is full"))
            *lines, cut, reason = self.lines(id)
            self.assertEqual((["0123456789"] * kept, "the disk is full"), (lines, reason))
            self.assertIn("the log is cut here", cut)
            self.get(self.jobs.stop())

    def test_a_job_that_is_retried_without_end(self) -> None:
        """What is kept is counted over all its runs; each adds but that it was cut, and why it failed."""
        for start, bounds in ((1, LogBounds(3, 1000)), (2, LogBounds(1000, 35))):
            self.jobs = self.service(self.store.at(JobNode(f"second {start}")), log=bounds)
            self.get(self.jobs.start(resume=True))
            (id,) = self.build()
            for run in range(4):
                for _ in range(2):
                    self.builder.running[id].progress.line("0123456789")
                self.builder.running[id].fail(NoSpace("the disk is full"))
                if run < 3:
                    self.get(self.jobs.retry(id))
            lines = self.lines(id)
            self.assertLessEqual(lines.count("0123456789"), 3)
            self.assertEqual((lines[:2], lines.count("the disk is full")), (["0123456789"] * 2, 4))
            self.assertLess(len(lines), 12)
            self.get(self.jobs.stop())

    def test_lines_that_the_store_did_not_take(self) -> None:
        """How many are missing is said where they are missing."""
        self.patch(writer, "WAITING", 10)
        (id,) = self.build()
        self.store.failure = NoSpace("full")
        for number in range(15):
            self.builder.running[id].progress.line(str(number))
        self.clock.advance(0.25)
        self.builder.running[id].progress.line("15")
        self.store.failure = None
        missing, *rest = self.lines(id)
        self.assertIn("[6 lines are missing here", missing)
        self.assertEqual([str(number) for number in range(6, 16)], rest)
