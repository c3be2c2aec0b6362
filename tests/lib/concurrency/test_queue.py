"""First come, first served."""

from contextlib import AsyncExitStack

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.concurrency.queue import Queue


class Member:
    """A coroutine that wants a place."""

    def __init__(self, queue: Queue, id: str, group: str = "") -> None:
        self.stack = AsyncExitStack()
        self.group = group or id
        self.entered = Deferred.fromCoroutine(self.stack.enter_async_context(queue.place(id, group)))

    @property
    def inside(self) -> bool:
        return bool(self.entered.called)

    def leave(self) -> None:
        Deferred.fromCoroutine(self.stack.aclose())

    def give_up(self) -> None:
        """However far it came: a coroutine that is left to the garbage collector would leave its place there."""
        if self.inside:
            self.leave()
        else:
            self.entered.cancel()
            self.entered.addErrback(lambda failure: failure.trap(CancelledError))


class LaneTests(SynchronousTestCase):
    """Places and those who wait for them."""

    def setUp(self) -> None:
        self.members: list[Member] = []

    def tearDown(self) -> None:
        while self.members:
            self.members.pop().give_up()

    def member(self, queue: Queue, id: str, group: str = "") -> Member:
        """A coroutine that wants a place, and is cancelled when the test is over."""
        self.members.append(Member(queue, id, group))
        return self.members[-1]

    def test_in_order(self) -> None:
        """A place that gets free goes to who waits longest."""
        queue = Queue(1)
        first, second, third = (self.member(queue, id) for id in "abc")
        self.assertEqual([None, 1, 2], [queue.position(id) for id in "abc"])
        first.leave()
        self.assertEqual((True, False), (second.inside, third.inside))
        self.assertEqual(1, queue.position("c"))

    def test_who_leaves_the_queue_takes_no_place(self) -> None:
        """The next one moves up."""
        queue = Queue(1)
        first, second, third = (self.member(queue, id) for id in "abc")
        second.entered.cancel()
        self.failureResultOf(second.entered, CancelledError)
        first.leave()
        self.assertTrue(third.inside)
        third.leave()
        self.assertTrue(self.member(queue, "d").inside)

    def test_without_limit(self) -> None:
        """None waits."""
        queue = Queue(None)
        self.assertTrue(all(self.member(queue, id).inside for id in "abc"))

    def test_a_group_shares_a_place(self) -> None:
        """Its members come in together, and the place is free when the last one has left."""
        queue = Queue(1)
        first, second = self.member(queue, "a", "build"), self.member(queue, "b", "build")
        other = self.member(queue, "c")
        late = self.member(queue, "d", "build")
        self.assertEqual([True, True, False, True], [one.inside for one in (first, second, other, late)])
        first.leave()
        second.leave()
        self.assertFalse(other.inside)
        late.leave()
        self.assertTrue(other.inside)

    def test_a_waiting_group_comes_in_at_once(self) -> None:
        """When its first member gets a place the others follow, past those who stand between them."""
        queue = Queue(1)
        first = self.member(queue, "a")
        second, between, third = (
            self.member(queue, "b", "build"),
            self.member(queue, "c"),
            self.member(queue, "d", "build"),
        )
        first.leave()
        self.assertEqual([True, False, True], [one.inside for one in (second, between, third)])
        self.assertEqual(1, queue.position("c"))

    @given(st.integers(1, 3), st.lists(st.tuples(st.sampled_from(["enter", "leave", "cancel"]), st.integers(0, 3))))
    def test_never_more_parties_than_places(self, places: int, steps: list[tuple[str, int]]) -> None:
        """And none waits beside a free place, whatever comes and goes."""
        self.tearDown()  # of the example before
        queue, members = Queue(places), self.members
        for number, (step, choice) in enumerate(steps):
            if step == "enter":
                self.member(queue, str(number), f"group {choice}")
            elif members:
                member = members.pop(choice % len(members))
                if member.inside:
                    member.leave()
                else:
                    member.entered.cancel()
                    self.failureResultOf(member.entered, CancelledError)
            inside = {member.group for member in members if member.inside}
            self.assertLessEqual(len(inside), places)
            waiting = {member.group for member in members if not member.inside}
            self.assertFalse(waiting and len(inside) < places)
            self.assertFalse(waiting & inside)
