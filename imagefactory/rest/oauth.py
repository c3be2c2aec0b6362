"""Two-legged OAuth 1.0 (RFC 5849): who may change something.

HMAC-SHA1 and HMAC-SHA256; the parameters come in the Authorization header, the query or a form. Form fields are
signed. Other bodies (JSON) are signed only if the client sends `oauth_body_hash`; clients of version 1.0 that do not
are still let in, so without TLS somebody in the middle could change such a body once, within the window.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from typing import Protocol
from urllib.parse import urlencode

from oauthlib.oauth1 import RequestValidator, SignatureOnlyEndpoint
from twisted.internet.interfaces import IReactorTime

from imagefactory.model.errors import Unauthorized
from imagefactory.model.secret import Secret
from imagefactory.rest.call import Call
from imagefactory.rest.fields import FORM, form_pairs, media_type
from imagefactory.rest.nonces import Nonces

WINDOW_SECONDS = 300
LONGEST = 255
METHODS = ("HMAC-SHA1", "HMAC-SHA256")


class Gate(Protocol):
    """Lets requests in, or not."""

    def admit(self, call: Call) -> None:
        """Raises Unauthorized."""


class OpenGate:
    """Lets everybody in."""

    def admit(self, call: Call) -> None:
        """Nothing is asked."""


class OAuthGate:
    """Lets in what a known client has signed, once."""

    def __init__(self, clients: Mapping[str, Secret], clock: IReactorTime) -> None:
        self._rules = _Rules(clients, clock)
        self._endpoint = SignatureOnlyEndpoint(self._rules)

    def admit(self, call: Call) -> None:
        """Check the signature, then note the nonce: nobody else can fill the store."""
        self._rules.refusal = "oauth parameters are missing, malformed, repeated, or in more than one place"
        try:
            valid, signed = self._endpoint.validate_request(call.uri, _method(call), _signed_body(call), _headers(call))
        except (ValueError, TypeError):
            valid, signed = False, None
        if not valid or signed is None:
            raise _unauthorized(self._rules.refusal)
        _check_body(call.body, signed.oauth_params.get("oauth_body_hash"))
        self._rules.nonces.add(signed.client_key, int(signed.timestamp), signed.nonce)


class _Rules(RequestValidator):
    """What oauthlib asks us; `refusal` is the reason for people, which oauthlib does not tell."""

    enforce_ssl = False  # TLS is ours, or that of a trusted proxy
    allowed_signature_methods = METHODS
    timestamp_lifetime = 1 << 40  # oauthlib asks the wall clock: the window is checked below, on ours
    dummy_client = "-"

    def __init__(self, clients: Mapping[str, Secret], clock: IReactorTime) -> None:
        super().__init__()
        self._clients = clients
        self._clock = clock
        self._dummy_secret = secrets.token_hex(16)
        self.nonces = Nonces(clock.seconds, WINDOW_SECONDS)
        self.refusal = ""

    def check_client_key(self, client_key: str) -> bool:
        return len(client_key) <= LONGEST

    def check_nonce(self, nonce: str) -> bool:
        return len(nonce) <= LONGEST

    def validate_timestamp_and_nonce(
        self, client_key: str, timestamp: str, nonce: str, request: object, *tokens: object
    ) -> bool:
        """Only looks: the nonce is noted after the signature proved good."""
        skew = self._clock.seconds() - int(timestamp)
        if abs(skew) > WINDOW_SECONDS:
            side = "old" if skew > 0 else "in the future"
            self.refusal = f"oauth_timestamp is {abs(skew):.0f} s {side}, {WINDOW_SECONDS} are allowed"
            return False
        if self.nonces.known(client_key, int(timestamp), nonce):
            self.refusal = "oauth_nonce was used before"
            return False
        self.refusal = "unknown client or wrong signature"
        return True

    def validate_client_key(self, client_key: str, request: object) -> bool:
        return client_key in self._clients

    def get_client_secret(self, client_key: str, request: object) -> str:
        """An unknown client costs the same time as a known one."""
        known = self._clients.get(client_key)
        return self._dummy_secret if known is None else known.reveal()

    def get_access_token_secret(self, client_key: str, token: str, request: object) -> str:
        """There are no tokens: the second half of the key is empty."""
        return ""


def _method(call: Call) -> str:
    return str(call.request.method.decode("latin-1"))


def _signed_body(call: Call) -> str:
    """The fields of a form as we understand them, encoded anew: what is signed is what is used."""
    if media_type((call.request.getHeader(b"content-type") or b"").decode("latin-1")) != FORM:
        return ""
    return urlencode(form_pairs(call.body))


def _headers(call: Call) -> dict[str, str]:
    headers = call.request.requestHeaders
    authorizations = headers.getRawHeaders(b"authorization") or []
    if len(authorizations) > 1:
        raise _unauthorized("there is more than one Authorization header")
    content_type = media_type((call.request.getHeader(b"content-type") or b"").decode("latin-1"))
    named = {"Content-Type": content_type} if content_type else {}
    return {**named, "Authorization": authorizations[0].decode("latin-1")} if authorizations else named


def _check_body(body: bytes, announced: str | None) -> None:
    """Compare the body's hash (OAuth Request Body Hash extension) if the client sent one."""
    if announced is None:
        return
    digests = (hashlib.sha1(body, usedforsecurity=False), hashlib.sha256(body))
    expected = [base64.b64encode(digest.digest()) for digest in digests]
    if not any(hmac.compare_digest(each, announced.encode()) for each in expected):
        raise _unauthorized("the body is not the one that oauth_body_hash was made of")


def _unauthorized(reason: str) -> Unauthorized:
    return Unauthorized(
        f"OAuth: {reason}", hint="sign the request with OAuth 1.0, a client's key and secret, and no token"
    )
