"""How fast the other side of a connection takes what is sent to it."""

from __future__ import annotations

from twisted.internet.defer import Deferred


class Paced:
    """The words of an `IPushProducer`; who sends waits for `_paused` (if there is one) before it writes, and ends once
    it is `_stopped`."""

    def __init__(self) -> None:
        self._paused: Deferred[None] | None = None
        self._stopped = False

    def pauseProducing(self) -> None:
        """The other side takes no more for now."""
        if self._paused is None:
            self._paused = Deferred()

    def resumeProducing(self) -> None:
        """It takes more."""
        paused, self._paused = self._paused, None
        if paused is not None:
            paused.callback(None)

    def stopProducing(self) -> None:
        """It will take nothing more."""
        self._stopped = True
        self.resumeProducing()
