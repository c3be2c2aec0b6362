"""MemoryGuest keeps the contract of all guests."""

from collections.abc import Awaitable, Callable

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.systems.guests.interface import Guest
from imagefactory.testing.guests import GuestContract, MemoryGuest


class MemoryGuestTests(GuestContract, SynchronousTestCase):
    """In memory."""

    def enter(self, use: Callable[[Guest], Awaitable[None]]) -> Deferred[None]:
        async def inside() -> None:
            async with MemoryGuest() as guest:
                await use(guest)

        self.successResultOf(Deferred.fromCoroutine(inside()))
        return Deferred()

    def arrange(self, guest: Guest, script: str, *lines: str, code: int = 0) -> None:
        assert isinstance(guest, MemoryGuest)
        guest.answer(script, *lines, code=code)

    def test_needs_to_be_entered(self) -> None:
        """A command outside of the block is a mistake that is seen."""
        self.failureResultOf(Deferred.fromCoroutine(MemoryGuest().run("true", title="x")), AssertionError)
