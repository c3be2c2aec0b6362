"""What a killed push left is known, listed and deleted; what was handed over never is."""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import Conflict, Unavailable
from imagefactory.push.leftovers import START_SECONDS
from tests.push.world import OPEN, PROVIDER, Process, World


class KilledTests(SynchronousTestCase):
    """One push in a process that is killed."""

    def setUp(self) -> None:
        self.world = World(gated=True)
        self.process = self.world.start()

    def killed_at(self, step: str) -> Process:
        """A push that came as far as this step for its disk, and the next process."""
        self.process.push()
        self.process.step_to("reply")  # of the key
        self.process.step()
        self.process.step_to(step)
        self.world.gated = False
        return self.process.kill()

    def leftovers(self, process: Process) -> list[tuple[str, str]]:
        """What a process lists: tokens and states."""
        found = self.successResultOf(process.begin(process.leftovers.find()))
        return [(each.token, each.state.value) for each in found]

    def test_before_it_is_made(self) -> None:
        """The intent is listed: the call may have been sent already."""
        after = self.killed_at("make")
        self.assertEqual([("p/key", "created"), ("p/disk", "intended")], self.leftovers(after))
        self.assertEqual(["p/key"], list(self.world.objects))

    def test_before_its_identifier_is_known(self) -> None:
        """It is there, and listed as intended."""
        after = self.killed_at("reply")
        self.assertEqual([("p/key", "created"), ("p/disk", "intended")], self.leftovers(after))
        self.assertEqual(["p/key", "p/disk"], list(self.world.objects))

    def test_before_it_is_handed_over(self) -> None:
        """All is there, the record is not: all is listed; what was for the push alone is gone."""
        after = self.killed_at("store")
        self.assertEqual([("p/disk", "kept"), ("p/image", "kept")], self.leftovers(after))

    def test_after_the_record_was_stored(self) -> None:
        """It belongs to the provider image: it is neither listed nor swept, though the ledger still has it."""
        self.process.push()
        self.process.step_to("store")
        self.process.step()
        self.assertEqual(["drop"], [name for name, _ in self.process.waiting])
        after = self.process.kill()
        self.world.gated = False
        self.assertEqual([], self.leftovers(after))
        self.successResultOf(after.push("q"))
        self.assertEqual({"p/disk", "p/image", "q/disk", "q/image"}, set(self.world.objects))
        self.assertEqual({}, self.world.file.rows)

    def test_the_next_push_sweeps(self) -> None:
        """One with the same account deletes what is left, newest first, and leaves its own."""
        after = self.killed_at("reply")
        self.successResultOf(after.push("q"))
        self.assertEqual({"q/disk", "q/image"}, set(self.world.objects))
        self.assertEqual([], self.leftovers(after))

    def test_a_push_that_runs_is_left_alone(self) -> None:
        """Another process that lives keeps what it makes."""
        self.process.push()
        self.process.step_to("finish")
        other = self.world.start()
        self.assertEqual([], self.leftovers(other))
        self.world.gated = False
        self.successResultOf(other.push("q"))
        self.assertEqual(4, len(self.world.objects))

    def test_the_same_push_goes_on(self) -> None:
        """It gets what it made, makes the rest, and is one image at the end."""
        after = self.killed_at("store")
        self.assertEqual("id of p/image", self.successResultOf(after.push()).identifier)
        self.assertEqual(["p/key"], after.cloud.made)
        self.assertEqual({"p/disk", "p/image"}, set(self.world.objects))
        self.assertEqual([], self.leftovers(after))

    def test_the_same_push_after_its_record(self) -> None:
        """Nothing is made again."""
        self.process.push()
        self.process.step_to("store")
        self.process.step()
        after = self.process.kill()
        self.world.gated = False
        self.assertEqual("id of p/image", self.successResultOf(after.push()).identifier)
        self.assertEqual(([], {}), (after.cloud.made, self.world.file.rows))

    def test_a_cancellation_after_the_record(self) -> None:
        """It comes too late for the run that finds the record: the image is there, and the ledger is cleared."""
        self.process.push()
        self.process.step_to("store")
        self.process.step()
        after = self.process.kill()
        push = after.push()
        push.cancel()
        while after.waiting:
            after.step()
        self.assertEqual("id of p/image", self.successResultOf(push).identifier)
        self.assertEqual(({"p/disk", "p/image"}, {}), (set(self.world.objects), self.world.file.rows))

    def test_what_the_same_push_has_no_use_for(self) -> None:
        """It is deleted before the push is done."""
        after = self.killed_at("make")
        row, holder = self.world.file.rows["p/disk"]
        self.world.file.rows["p/old"] = replace(row, token="p/old"), holder
        self.world.objects["p/old"] = "id of p/old"
        self.successResultOf(after.push())
        self.assertEqual({"p/disk", "p/image"}, set(self.world.objects))

    def test_what_was_being_deleted(self) -> None:
        """A push does not go on with it, whether it is still there or not: it makes a new one."""
        self.process.push()
        self.process.step_to("store")
        other = self.process.kill()
        other.begin(other.leftovers.reap(PROVIDER, None))
        other.step_to("sweep")
        other.step()
        self.assertEqual(["p/disk"], list(self.world.objects))
        self.world.gated = False
        after = other.kill()
        self.successResultOf(after.push())
        self.assertEqual(["p/key", "p/disk", "p/image"], after.cloud.made)
        self.assertEqual(({"p/disk", "p/image"}, {}), (set(self.world.objects), self.world.file.rows))

    def test_what_cannot_be_deleted(self) -> None:
        """The push that it is of cannot run until it is: nothing could tell the new one from it."""
        after = self.killed_at("store")
        after.cloud.failing["sweep"] = Unavailable("the cloud is closed")
        self.reap(after)
        self.failureResultOf(after.push(), Conflict)
        after.cloud.failing.clear()
        self.successResultOf(after.push())

    def test_reaped(self) -> None:
        """By command, with credentials: each is named, and a second time there is nothing."""
        after = self.killed_at("store")
        reaped = self.reap(after)
        self.assertEqual([("p/image", ""), ("p/disk", "")], reaped)
        self.assertEqual(({}, []), (self.world.objects, self.reap(after)))

    def test_without_credentials(self) -> None:
        """What is at a cloud that needs none is deleted by the next process; what is at another stays."""
        self.process.push("p")
        self.process.step_to("store")
        self.process.push("q", OPEN)
        while self.process.waiting[-1][0] != "store":
            self.process.step(len(self.process.waiting) - 1)
        self.world.gated = False
        after = self.process.kill()
        self.successResultOf(after.begin(after.leftovers.reap_without_credentials()))
        self.assertEqual({"p/disk", "p/image"}, set(self.world.objects))
        self.assertEqual(["p/disk", "p/image"], [token for token, _ in self.leftovers(after)])

    def test_a_start_that_is_held_up(self) -> None:
        """A warehouse or a cloud that does not answer delays it for a moment only; what is left stays known."""
        self.process.push("q", OPEN)
        self.process.step_to("store")
        after = self.process.kill()
        self.world.gated = False
        after.records.failure = Unavailable("the warehouse is down")
        self.successResultOf(after.begin(after.leftovers.reap_without_credentials()))
        after.records.failure = None
        after.cloud.hanging.add("sweep")
        start = after.begin(after.leftovers.reap_without_credentials())
        self.assertNoResult(start)
        after.clock.advance(START_SECONDS)
        self.successResultOf(start)
        self.assertEqual(["q/disk", "q/image"], [token for token, _ in self.leftovers(after)])

    def test_what_cannot_be_reaped(self) -> None:
        """It stays a leftover, with the reason; the others are deleted all the same."""
        after = self.killed_at("store")
        after.cloud.failing["sweep"] = Unavailable("the cloud is closed")
        self.assertEqual(["the cloud is closed"] * 2, [problem for _, problem in self.reap(after)])
        found = self.successResultOf(after.begin(after.leftovers.find()))
        self.assertEqual(["the cloud is closed"] * 2, [each.note for each in found])

    def reap(self, process: Process) -> list[tuple[str, str]]:
        """Tokens and problems."""
        found = self.successResultOf(process.begin(process.leftovers.reap(PROVIDER, None)))
        return [(each.resource.token, each.problem) for each in found]
