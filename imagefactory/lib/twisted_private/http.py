"""Of twisted.web: the state of a server's channel and request, and of a client's request."""

from __future__ import annotations

from typing import Any

from twisted.web._newclient import RequestNotSent
from twisted.web.http import HTTPChannel, Request

__all__ = ["ChannelInternals", "RequestInternals", "RequestNotSent", "abort_request"]
"""`RequestNotSent` is the one failure of a client that `twisted.web.client` does not show."""


class ChannelInternals(HTTPChannel):
    """What a channel that paces its client, or reads its requests' heads early, has to know."""

    @property
    def transport_is_full(self) -> bool:
        """Whether the transport has not yet taken what was written."""
        return bool(self._waitingForTransport)

    @property
    def unread(self) -> bytes:
        """What has come and is no whole line yet."""
        return bytes(self._buffer)

    def pause_reading(self) -> None:
        """Read nothing more from the client."""
        self._networkProducer.pauseProducing()

    def resume_reading(self) -> None:
        """Go on after `pause_reading`."""
        self._networkProducer.resumeProducing()

    @property
    def is_handling(self) -> bool:
        """Whether a request is being answered: what comes meanwhile is put aside."""
        return bool(self._handlingRequest)

    def hold(self, data: bytes) -> None:
        """Put aside `data` and all that comes from now on."""
        self._handlingRequest = True
        self._dataBuffer = [data] if data else []

    def release(self) -> bytes:
        """Returns what was put aside; what comes from now on is read."""
        self._handlingRequest = False
        data, self._dataBuffer = b"".join(self._dataBuffer), []
        return data

    def abort_after(self, seconds: float) -> None:
        """End the connection by force if it is still there then; the first call counts."""
        if self._abortingCall is None:
            self._abortingCall = self.callLater(seconds, self.forceAbortClient)  # type: ignore[no-untyped-call]

    @property
    def head(self) -> tuple[bytes, bytes, bytes]:
        """Method, target and version of the request whose headers are complete, before its body has come."""
        return self._command, self._path, self._version

    @property
    def in_head(self) -> bool:
        """Whether the next line is a header, or the empty line after the headers."""
        return not self._HTTPChannel__first_line  # type: ignore[attr-defined]

    @property
    def headers_so_far(self) -> list[tuple[bytes, bytes]]:
        """Names and values of the lines before this one, the last of which the channel keeps back."""
        kept: bytes = self._HTTPChannel__header  # type: ignore[attr-defined]
        read = self.requests[-1].requestHeaders.getAllRawHeaders()
        pairs = [(name, value) for name, values in read for value in values]
        return [*pairs, tuple(kept.split(b":", 1))] if b":" in kept else pairs  # type: ignore[list-item]

    def bad_request(self) -> None:
        """Called for each thing that cannot be a request; answers 400 and closes."""
        super()._respondToBadRequestAndDisconnect()  # type: ignore[no-untyped-call]

    def _respondToBadRequestAndDisconnect(self) -> None:  # noqa: N802
        self.bad_request()


class RequestInternals(Request):
    """What a request that is answered later has to know."""

    @property
    def disconnected(self) -> bool:
        """Whether its connection is lost: nothing may be written any more."""
        return bool(self._disconnected)


def abort_request(consumer: Any) -> None:
    """Abort the connection that a client's request body is written to.

    `loseConnection` would write first what is buffered, and wait for a server that does not read.
    """
    abort = getattr(getattr(consumer, "_consumer", None), "abortConnection", None)
    if abort is not None:
        abort()
