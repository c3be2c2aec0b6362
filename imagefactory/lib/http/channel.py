"""A connection that sends no faster than its client reads, and reads no head that servers understand differently."""

from __future__ import annotations

from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from imagefactory.lib.twisted_private.http import ChannelInternals

GOODBYE_SECONDS = 1.0
"""Seconds that an idle connection has to close in good order."""


class PacedChannel(ChannelInternals):
    """At most one response waits in memory for a client to read it.

    twisted.web begins a pipelined request as soon as the one before it is answered, whether or not anything of that
    answer has gone out, and goes on reading meanwhile: a client that sends and never reads would fill the memory. Here
    the next request begins when the transport has taken the answer before it, and in a turn of its own, so that other
    connections have theirs in between.
    """

    _held = False  # a request has ended, the next one has not begun
    _turn: IDelayedCall | None = None

    def lineReceived(self, line: bytes) -> None:
        """A line of the head: refuses what proxies and servers are known to take for different requests.

        That is a header over several lines (RFC 9112, 5.2), HTTP/1.1 without Host, and more than one Host (3.2).
        """
        if line[:1] in {b" ", b"\t"} or (not line and self.in_head and not self._host_is_clear()):
            self.bad_request()
            return
        super().lineReceived(line)

    def _host_is_clear(self) -> bool:
        hosts = sum(name.lower() == b"host" for name, _ in self.headers_so_far)
        return hosts == 1 or (hosts == 0 and self.head[2] == b"HTTP/1.0")

    def setLineMode(self, extra: bytes = b"") -> None:  # noqa: N802 - Twisted's name
        """A request has ended; `extra` is what has come of the next ones."""
        if not (extra or self.unread or self.transport_is_full):
            super().setLineMode()
            return
        self._held = True
        self.hold(extra)
        self.pause_reading()
        self._take_turn()

    def rawDataReceived(self, data: bytes) -> None:
        """A part of a body, or of what comes after the request that is being answered."""
        super().rawDataReceived(data)
        if self.is_handling and self.transport_is_full:
            self.pause_reading()

    def resumeProducing(self) -> None:
        """The transport has taken what was written: the client is slow, not gone."""
        super().resumeProducing()
        self.resetTimeout()
        if self._held:
            self._take_turn()

    def timeoutConnection(self) -> None:  # noqa: N802
        """Abort a client that reads nothing, without a TLS goodbye, which it would not read either."""
        if self.transport_is_full:
            self.forceAbortClient()
            return
        self.abort_after(GOODBYE_SECONDS)
        self.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Drop the request that has not begun."""
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        super().connectionLost(reason)

    def _take_turn(self) -> None:
        if self._turn is None and not self.transport_is_full:
            self._turn = self.callLater(0, self._go_on)

    def _go_on(self) -> None:
        self._turn = None
        if self.transport_is_full:
            return
        self._held = False
        data = self.release()
        self.resume_reading()
        super().setLineMode(data)
