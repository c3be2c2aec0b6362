"""Two-legged OAuth 1.0 (RFC 5849) as a scheme.

The parameters come in the Authorization header, the query or a form. Form fields are signed. Other bodies (JSON,
multipart forms) are signed only if the client sends `oauth_body_hash`; clients of version 1.0 that do not are still let
in, so without TLS an attacker on the path could change such a body once, within the window.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from twisted.internet.interfaces import IReactorTime

from imagefactory.lib.errors import TooLarge, Unauthorized
from imagefactory.lib.oauth.memory import Memory, Seen
from imagefactory.lib.oauth.verifier import SignatureLimits, Signed, Verifier, refused
from imagefactory.lib.secret import Secret
from imagefactory.rest.call import RestCall

LARGEST_FORM = 1 << 20
"""Bytes of a form whose fields are signed: to sort them takes seconds, and many times their memory."""
LIMITS = SignatureLimits(window=300)


class OAuthScheme:
    """Accepts what a known client has signed, once.

    Args:
        clients: secrets by key.
        memory: remembers used nonces over restarts (None: in this process only).
    """

    challenge = b'OAuth realm="imagefactory"'

    def __init__(self, clients: Mapping[str, Secret], clock: IReactorTime, memory: Memory | None = None) -> None:
        self._verifier = Verifier(clients, clock.seconds, LIMITS, memory)

    def parse(self, call: RestCall) -> bool:
        """See `Scheme`."""
        signed = _signed(call)
        if not _carries_oauth(signed):
            return False
        self._verifier.parse(signed)
        if len(call.body) > LARGEST_FORM and call.may_be_form:
            raise TooLarge(f"a signed form has at most {LARGEST_FORM} bytes", hint="send the fields as JSON")
        return True

    def verify(self, call: RestCall) -> Seen:
        """See `Scheme`."""
        return self._verifier.verify(_signed(call))

    async def commit(self, proof: Seen) -> None:
        """See `Scheme`."""
        await self._verifier.commit(proof)

    def client(self, proof: Seen) -> str:
        """See `Scheme`."""
        return proof[0]

    def missing(self) -> Unauthorized:
        """See `Scheme`."""
        return refused("oauth parameters are missing, malformed, repeated, or in more than one place")


def _carries_oauth(signed: Signed) -> bool:
    """Whether there is anything of OAuth in the header, the query or the body."""
    in_header = signed.authorization.lower().startswith("oauth")
    return in_header or "oauth_" in signed.url or b"oauth_signature" in (signed.body or b"")


def _signed(call: RestCall) -> Signed:
    method = call.request.method.decode("latin-1")
    return Signed(method, call.uri, _authorization(call), lambda: (urlencode(call.form),), call.body)


def _authorization(call: RestCall) -> str:
    values = call.request.requestHeaders.getRawHeaders(b"authorization") or [b""]
    if len(values) > 1:
        raise refused("there is more than one Authorization header")
    return str(values[0].decode("latin-1"))
