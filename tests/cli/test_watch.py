"""What a run shows while it goes on."""

from dataclasses import replace
from io import StringIO

from rich.console import Console
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.cli.bars import ProgressBars
from imagefactory.cli.watch import PlainProgress, stage_text
from imagefactory.jobs.interface import JobEvent
from imagefactory.model.jobs import Job, Operation
from imagefactory.model.report import StageOutcome

JOB = Job("id-1", Operation.BUILD, "rhevm", "image", "build", 0.0)
HIT = StageOutcome("base", "5f0c6a1b9d2e77", True)
MISS = StageOutcome("customise", "0b7d1f3a55c877", False, ("packages", "commands"))


class StageTextTests(SynchronousTestCase):
    """A stage in one line."""

    def test_a_hit(self) -> None:
        """A hit needs no reason."""
        self.assertEqual(stage_text(HIT), "base 5f0c6a1b9d2e HIT")

    def test_a_miss_says_what_changed(self) -> None:
        """A miss names the inputs that differ."""
        self.assertEqual(stage_text(MISS), "customise 0b7d1f3a55c8 MISS (changed: packages, commands)")

    def test_a_first_miss(self) -> None:
        """With nothing to compare, that is the reason."""
        self.assertEqual(stage_text(replace(MISS, changed=())), "customise 0b7d1f3a55c8 MISS (nothing cached)")


class LinesTests(SynchronousTestCase):
    """Plain progress tells each thing once."""

    def test_only_news_are_told(self) -> None:
        """A stage and an activity are told when they are new, whatever else changed in the job."""
        out = StringIO()
        watcher = PlainProgress(out)
        watcher.start([JOB])
        job = replace(JOB, activity="bootstrapping", stages=(MISS,))
        for percent in (10, 20, 30):
            watcher.event(JobEvent(percent, 0.0, replace(job, percent=percent)))
        watcher.event(JobEvent(40, 0.0, replace(job, activity="packing")))
        watcher.stop()
        self.assertEqual(
            out.getvalue().splitlines(),
            [f"rhevm: {stage_text(MISS)}", "rhevm: bootstrapping", "rhevm: packing"],
        )

    def test_everything(self) -> None:
        """With -v each line of the job's log is shown, what would act on the terminal as text."""
        out = StringIO()
        watcher = PlainProgress(out, full=True)
        watcher.event(JobEvent(1, 0.0, replace(JOB, activity="bootstrapping", stages=(MISS,))))
        watcher.line(JOB, "bootstrapping")
        watcher.line(JOB, "Setting\tup \x1b[2Jpackages\u202e")
        shown = f"rhevm: {stage_text(MISS)}\nrhevm: bootstrapping\nrhevm: Setting\tup \\x1b[2Jpackages\\u202e\n"
        self.assertEqual(out.getvalue(), shown)

    def test_not_everything(self) -> None:
        """Otherwise only what is going on."""
        out = StringIO()
        PlainProgress(out).line(JOB, "Setting up packages")
        self.assertEqual(out.getvalue(), "")

    def test_what_was_going_on_comes_before_what_came_of_it(self) -> None:
        """A stage is told at once, an activity perhaps late."""
        out = StringIO()
        PlainProgress(out).event(JobEvent(1, 0.0, replace(JOB, activity="reading", stages=(HIT,)), "stage"))
        self.assertEqual(out.getvalue().splitlines(), ["rhevm: reading", f"rhevm: {stage_text(HIT)}"])


class BarsTests(SynchronousTestCase):
    """Progress on a terminal."""

    def test_a_bar_per_job_with_its_activity(self) -> None:
        """The bar shows name, percent and activity; events of other jobs are not ours."""
        out = StringIO()
        watcher = ProgressBars(Console(file=out, force_terminal=True, width=120))
        watcher.start([JOB, replace(JOB, id="id-2", provider="a[/b]c")])
        watcher.event(JobEvent(1, 0.0, replace(JOB, id="other", activity="elsewhere")))
        watcher.event(JobEvent(2, 0.0, replace(JOB, percent=30, activity="installing [packages]", stages=(HIT,))))
        watcher.stop()
        shown = out.getvalue()
        for text in ("rhevm", "30%", "installing [packages]", "a[/b]c", stage_text(HIT)):
            self.assertIn(text, shown)
        self.assertNotIn("elsewhere", shown)
