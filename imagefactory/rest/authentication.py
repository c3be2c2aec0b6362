"""Who sends a request: schemes that a site knows, tried in order.

A scheme that needs no more than this interface (a session cookie, a bearer token) is added where the site is composed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

from imagefactory.lib.errors import Unauthorized
from imagefactory.rest.call import RestCall

P = TypeVar("P")


class Scheme(Protocol[P]):
    """One kind of credentials; `P` is what a verified request proves.

    `parse`, `verify` and `commit` are called in this order, each once for a request.
    """

    challenge: bytes
    """The scheme in `WWW-Authenticate` (RFC 9110, 11.6.1)."""

    def parse(self, call: RestCall) -> bool:
        """Whether the request carries credentials of this scheme; looks at no field of a body, which may be large.

        Raises:
            Unauthorized: they cannot be good, whatever the body says.
        """
        ...

    def verify(self, call: RestCall) -> P:
        """Check the credentials against the whole request; may run in a thread and take seconds for a large body.

        Raises:
            Unauthorized: they are not good.
            InvalidInput: the body cannot be read.
        """
        ...

    async def commit(self, proof: P) -> None:
        """Record, on the reactor thread, that the credentials were used.

        Raises:
            Unauthorized: they were used meanwhile and are good only once.
            Busy: too much is recorded.
        """
        ...

    def client(self, proof: P) -> str:
        """Returns the name of the client that has proved itself: what it makes is its own."""
        ...

    def missing(self) -> Unauthorized:
        """Returns the error for a request that carries no credentials at all, if this is the first scheme."""
        ...


class Authenticator:
    """Tries schemes in order: the first whose credentials a request carries decides alone.

    Bad credentials of one scheme are never made good by those of another, so that a request means one sender.
    """

    def __init__(self, schemes: Sequence[Scheme[Any]]) -> None:
        if not schemes:
            raise ValueError("a site that authenticates needs at least one scheme")
        self._schemes = tuple(schemes)

    @property
    def challenges(self) -> bytes:
        """The value of `WWW-Authenticate`: all schemes."""
        return b", ".join(scheme.challenge for scheme in self._schemes)

    def parse(self, call: RestCall) -> Scheme[Any]:
        """Returns the scheme that decides; see `Scheme.parse`.

        Raises:
            Unauthorized: the request carries no credentials, or such as cannot be good.
        """
        for scheme in self._schemes:
            if scheme.parse(call):
                return scheme
        raise self._schemes[0].missing()

    async def authenticate(self, call: RestCall) -> None:
        """All steps for a request with a small body.

        Raises:
            Unauthorized, InvalidInput, Busy: see `Scheme`.
        """
        scheme = self.parse(call)
        proof = scheme.verify(call)
        await scheme.commit(proof)
        call.client = scheme.client(proof)
