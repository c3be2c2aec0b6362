"""Interrupting the command, politely and not, in every stage: nothing is left, and the next run works."""

from __future__ import annotations

import signal

from tests.functional.command import CommandCase, Running
from tests.functional.tinyos import template

TARGET = ("--target", "rhevm", "--boot_check")
STAGES = {
    "indexes": "reading the mirror's indexes",
    "base": "installing packages",
    "packing": "packing for the cache",
    "command": "command first",
    "sealing": "sealing",
    "disk": "making a disk",
    "converting": "converting to qcow2",
    "booting": "booting the image",
}
"""What the command says when it gets there."""


class InterruptCase(CommandCase):
    """A build that takes its time inside of the guest."""

    timeout = 400

    def setUp(self) -> None:
        super().setUp()
        self.tdl = self.file(template(commands=("sleep 1 &amp; sleep 1",), size="96M"))

    def at(self, stage: str) -> tuple[Running, list[str]]:
        """A build that is in this stage, and the names under which its children go."""
        running = self.start("--template", self.tdl, *TARGET)
        running.until(STAGES[stage])
        return running, self.tokens()

    def works(self) -> None:
        """The next run gets to its end, with what the cache has."""
        self.command("--template", self.tdl, "--target", "rhevm")
        self.nothing_left()


class SignalTests(InterruptCase):
    """Ctrl-C and SIGTERM."""

    def interrupted(self, stage: str, *numbers: int) -> None:
        """It ends in ten seconds and leaves nothing."""
        running, tokens = self.at(stage)
        for number in numbers:
            running.signal(number)
        done = running.wait(10)
        self.nothing_left(*tokens)
        self.assertEqual(done.status, 1, stage)
        self.assertIn("cancelling, cleaning up", done.err)
        self.assertIn("cancelled", done.out, stage)
        self.assertNotIn("Traceback", done.err)
        self.assertEqual(self.jobs()[-1]["state"]["is"], "failed")

    def test_interrupts(self) -> None:
        """Ctrl-C in each stage."""
        for stage in STAGES:
            self.interrupted(stage, signal.SIGINT)
        self.works()

    def test_terminations(self) -> None:
        """SIGTERM, a hang-up, and both twice, in the stages with the most to clean up."""
        self.interrupted("base", signal.SIGTERM)
        self.interrupted("command", signal.SIGINT, signal.SIGINT)
        self.interrupted("disk", signal.SIGTERM, signal.SIGTERM)
        self.interrupted("sealing", signal.SIGHUP)
        self.interrupted("booting", signal.SIGTERM, signal.SIGINT)
        self.works()


class KillTests(InterruptCase):
    """kill -9."""

    def test_every_stage(self) -> None:
        """No child survives; the next start removes what was left, and the listing says what became of the job."""
        killed = []
        for stage in STAGES:
            running, tokens = self.at(stage)
            running.kill()
            self.soon(lambda now=tokens: not self.living(now), f"children survive in {stage}")  # type: ignore[misc]
            if stage != "indexes":  # whose job may not be written down as running yet: then it waits for a daemon
                killed.append(self.jobs()[-1]["id"])
            self.command("--plan", "--template", self.tdl, "--target", "rhevm")
            self.nothing_left(*tokens)
        jobs = {job["id"]: job["state"] for job in self.jobs()}
        for id in killed:
            self.assertEqual(jobs[id]["is"], "failed", id)
            self.assertIn("the daemon was stopped", jobs[id]["failure"]["message"])
        self.works()
