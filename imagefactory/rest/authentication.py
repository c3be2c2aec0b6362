"""Who may change something: two-legged OAuth 1.0, or everybody.

The parameters come in the Authorization header, the query or a form. Form fields are signed. Other bodies (JSON,
multipart forms) are signed only if the client sends `oauth_body_hash`; clients of version 1.0 that do not are still let
in, so without TLS somebody in the middle could change such a body once, within the window.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol
from urllib.parse import urlencode

from twisted.internet.interfaces import IReactorTime

from imagefactory.lib.oauth.memory import Memory, Seen
from imagefactory.lib.oauth.verifier import Limits, Signed, Verifier, refused
from imagefactory.lib.secret import Secret
from imagefactory.rest.call import Call
from imagefactory.rest.v1.fields import form_pairs, is_form

LIMITS = Limits(window=300)


class Authenticator(Protocol):
    """Lets requests in, or not."""

    def admit(self, call: Call) -> None:
        """Raises Unauthorized, Busy."""

    def glance(self, call: Call) -> None:
        """Refuse what needs no look at the fields of a body, which may be large: Unauthorized."""

    def examine(self, call: Call) -> Seen | None:
        """Look at all of it, which takes its time with a large body; may be called in a thread."""

    def accept(self, seen: Seen | None) -> None:
        """What `examine` answered: this is the first time that it is seen."""


class NoAuthentication:
    """Lets everybody in."""

    def admit(self, call: Call) -> None:
        """Nothing is asked."""

    def glance(self, call: Call) -> None:
        """Nothing is asked."""

    def examine(self, call: Call) -> None:
        """Nothing is asked."""

    def accept(self, seen: Seen | None) -> None:
        """Nothing is remembered."""


class OAuthAuthenticator:
    """Lets in what a known client has signed, once."""

    def __init__(self, clients: Mapping[str, Secret], clock: IReactorTime, memory: Memory | None = None) -> None:
        self._verifier = Verifier(clients, clock.seconds, LIMITS, memory)

    def admit(self, call: Call) -> None:
        """Raises InvalidInput, too, for a form that cannot be read."""
        self._verifier.check(_signed(call))

    def glance(self, call: Call) -> None:
        """See `Authenticator`."""
        self._verifier.glance(_signed(call))

    def examine(self, call: Call) -> Seen:
        """See `Authenticator`; also InvalidInput."""
        return self._verifier.examine(_signed(call))

    def accept(self, seen: Seen | None) -> None:
        """See `Authenticator`."""
        if seen is not None:
            self._verifier.accept(seen)


def _signed(call: Call) -> Signed:
    method = call.request.method.decode("latin-1")
    return Signed(method, call.uri, _authorization(call), lambda: (_form(call),), call.body)


def _authorization(call: Call) -> str:
    values = call.request.requestHeaders.getRawHeaders(b"authorization") or [b""]
    if len(values) > 1:
        raise refused("there is more than one Authorization header")
    return str(values[0].decode("latin-1"))


def _form(call: Call) -> str:
    """The fields of a form as we understand them, encoded anew: what is signed is what is used."""
    if not is_form((call.request.getHeader(b"content-type") or b"").decode("latin-1")):
        return ""
    return urlencode(form_pairs(call.body))
