"""Interrupting the command, politely and not, in every stage: nothing is left, and the next run works."""

from __future__ import annotations

import signal

from twisted.internet.defer import Deferred

from imagefactory.model.records import Kind
from imagefactory.warehouse.records import Records
from tests.functional.command import CommandCase, Running
from tests.functional.test_cli_push import CREDENTIALS
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
OTHER = ("--target", "vsphere")
"""For this target the customised system of `works` is unpacked."""


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

    def longer(self) -> str:
        """Another template on the same base, whose customisation takes a moment."""
        return self.file(template(commands=("true", "sleep 1 &amp; sleep 5"), size="96M"), "longer.tdl")

    def two_of_one_build(self) -> tuple[Running, Running]:
        """A command that waits for another process, and the one that it waits for."""
        running = self.start("--template", self.longer(), *TARGET)
        running.until("command second")
        waiting = self.start("--template", self.longer(), *TARGET)
        waiting.until("waiting for another process")
        return waiting, running

    def no_orphans(self) -> Deferred[None]:
        """Each ICICLE belongs to a target image."""

        async def check(records: Records) -> None:
            images = [await records.target_image(id) for id in await records.ids(Kind.TARGET_IMAGE)]
            known = {image.icicle for image in images if image is not None}
            self.assertEqual(set(await records.ids(Kind.ICICLE)) - known, set())

        return self.records(check)

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

    def test_where_it_does_not_stay_long(self) -> Deferred[None]:
        """While it unpacks, stores, or waits for another process."""
        self.works()
        for one in self.two_of_one_build():
            one.signal(signal.SIGINT)
            self.assertEqual(one.wait(10).status, 1)
        for place in ("unpack", "storing"):
            held = self.held(place, "--template", self.tdl, *OTHER)
            held.signal(signal.SIGINT)
            done = held.wait(10)
            self.nothing_left()
            self.assertEqual((done.status, self.jobs()[-1]["state"]["is"]), (1, "failed"), place)
        return self.no_orphans()


class KillTests(InterruptCase):
    """kill -9."""

    def test_every_stage(self) -> None:
        """No child survives; the next start removes what was left, and the listing says what became of the job."""
        killed = []
        for stage in STAGES:
            running, tokens = self.at(stage)
            running.kill()
            self.soon(lambda now=tokens: not self.living(now), f"children survive in {stage}")  # type: ignore[misc]
            killed.append(self.jobs()[-1]["id"])
            self.command("--plan", "--template", self.tdl, "--target", "rhevm")
            self.nothing_left(*tokens)
        jobs = {job["id"]: job["state"] for job in self.jobs()}
        for id in killed:
            self.assertEqual(jobs[id]["is"], "failed", id)
            self.assertIn("the command was killed", jobs[id]["failure"]["message"])
        self.works()

    def test_where_it_does_not_stay_long(self) -> Deferred[None]:
        """While it unpacks, stores, or waits for another process: no record is left that belongs to nothing."""
        self.works()
        for one in self.two_of_one_build():
            one.kill()
        self.swept()
        for place in ("unpack", "storing"):
            self.held(place, "--template", self.tdl, *OTHER).kill()
            self.swept()
        return self.no_orphans()

    def swept(self) -> None:
        """The next start finds and removes what was left."""
        self.command("--plan", "--template", self.tdl, "--target", "rhevm")
        self.nothing_left()
        self.assertEqual({job["state"]["is"] for job in self.jobs()}, {"completed", "failed"})


class PushTests(CommandCase):
    """A push, stopped when a part of the image is at the provider."""

    def setUp(self) -> None:
        super().setUp()
        self.storage = self.directory / "condor"
        (self.storage / "staging").mkdir(parents=True)
        self.configure(condorcloud_path=str(self.storage))

    def image(self, target: str) -> str:
        """The id of a new image."""
        words = ("--template", self.file(template(size="96M")), "--target", target, "--json")
        return str(self.command(*words).document["image"])

    def there(self) -> list[str]:
        """The files at both providers."""
        return [path.name for place in (self.storage, self.imgdir) for path in place.rglob("*") if path.is_file()]

    def test_condorcloud(self) -> None:
        """Interrupted it takes the files away itself, killed the next start does."""
        words = ("--image", self.image("condorcloud"), "--provider", "condorcloud")
        held = self.held("condorcloud", *words)
        self.assertEqual(len([name for name in self.there() if name.startswith("condorimage")]), 1)
        held.signal(signal.SIGINT)
        self.assertEqual((held.wait(10).status, self.there()), (1, []))
        self.nothing_left()
        self.held("condorcloud", *words).kill()
        self.assertEqual(len([name for name in self.there() if name.startswith("condorimage")]), 1)
        self.command("--plan", "--template", self.file(template()), "--target", "mock")
        self.assertEqual(self.there(), [])
        self.nothing_left()
        self.assertIn("push again", self.jobs()[-1]["state"]["failure"]["hint"])

    def test_mock(self) -> None:
        """Killed: what it left is listed, and deleted with credentials, by command or by the next push."""
        there = ("--provider", "mock-1", "--credentials", CREDENTIALS)
        words = ("--image", self.image("mock"), *there)
        for again in (("--reap", *there), words):
            self.held("mock", *words).kill()
            self.assertEqual(len([name for name in self.there() if name.endswith(".new")]), 1)
            (left,) = self.command("--leftovers", "--json").document["leftovers"]
            push = self.jobs()[-1]["id"]
            known = (push, "mock-1", "somebody", "intended")
            self.assertEqual(known, tuple(left[key] for key in ("provider_image_id", "provider", "account", "state")))
            self.command(*again)
            self.assertEqual([name for name in self.there() if name.endswith(".new")], [])
            self.assertEqual(self.command("--leftovers").out, "Nothing is left over.\n")
