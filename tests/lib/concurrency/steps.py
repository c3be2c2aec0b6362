"""Pieces of work for these tests: each writes down what happens to it."""

from twisted.internet.defer import CancelledError, Deferred


class Work:
    """A coroutine that waits for `go`, and whose clean-up waits for `cleaned`."""

    def __init__(self) -> None:
        self.go: Deferred[object] = Deferred()
        self.cleaned: Deferred[None] = Deferred()
        self.cancels = 0
        self.over = False

    async def run(self) -> object:
        try:
            return await self.go
        except CancelledError:
            self.cancels += 1
            try:
                await self.cleaned
            except CancelledError:
                self.cancels += 1
                raise
            raise
        finally:
            self.over = True
