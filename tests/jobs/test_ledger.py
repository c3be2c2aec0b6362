"""What listeners and the store hear."""

from imagefactory.model.errors import (
    NoSpace,
)
from imagefactory.model.jobs import Running
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
