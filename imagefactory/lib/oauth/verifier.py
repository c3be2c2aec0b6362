"""Verifies OAuth 1.0 signatures: HMAC-SHA1 and HMAC-SHA256, a window of time, each nonce once, the body's hash if any.

What oauthlib leaves open is decided here. It reads the system's clock; the window is checked on the injected one. It
asks for the nonce before it knows the signature to be good; here the nonce is recorded afterwards, so that only known
clients fill the memory.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

from oauthlib.oauth1 import RequestValidator, SignatureOnlyEndpoint
from oauthlib.oauth1.rfc5849.utils import parse_authorization_header

from imagefactory.lib.errors import Unauthorized
from imagefactory.lib.oauth.memory import Forgetful, Memory, Seen
from imagefactory.lib.oauth.nonces import Nonces
from imagefactory.lib.secret import Secret

FORM = "application/x-www-form-urlencoded"
_IDENTITY = ("oauth_consumer_key", "oauth_timestamp", "oauth_nonce")
_NUMBER = re.compile("[0-9]{1,15}")
LARGE = 64 << 10
"""Bytes of a body that is not looked at for a client that is not known. With a smaller one such a client is refused
after the same time as a wrong signature, so that the time does not tell which keys there are."""
WRONG = "unknown client or wrong signature"
METHODS = ("HMAC-SHA1", "HMAC-SHA256")


@dataclass(frozen=True, slots=True)
class SignatureLimits:
    """What a site accepts: seconds of difference between the clocks, both ways; shortest and longest nonce and key."""

    window: int
    nonce: tuple[int, int] = (1, 255)
    key: tuple[int, int] = (1, 255)


@dataclass(frozen=True, slots=True)
class Signed:
    """The parts of a request that a signature covers.

    Attributes:
        forms: returns the form fields (urlencoded) that may be part of what was signed: any will do, "" is none.
        body: what `oauth_body_hash` is compared with; None for one that is streamed, which is not checked.
    """

    method: str
    url: str
    authorization: str = field(default="", repr=False)
    forms: Callable[[], tuple[str, ...]] = lambda: ("",)
    body: bytes | None = field(default=None, repr=False)


class Verifier:
    """Verifies requests of clients (secrets by key); `now` is the Unix time, `memory` keeps nonces over restarts."""

    def __init__(
        self,
        clients: Mapping[str, Secret],
        now: Callable[[], float],
        limits: SignatureLimits,
        memory: Memory | None = None,
    ) -> None:
        self._nonces = Nonces(now, limits.window, memory=memory or Forgetful())
        self._knowledge = (clients, now, limits, self._nonces, secrets.token_hex(16))

    async def authenticate(self, request: Signed) -> None:
        """Raises Unauthorized unless a known client has signed it, now, and for the first time; Busy."""
        await self.commit(self.verify(request))

    def parse(self, request: Signed) -> None:
        """Refuse what needs no look at the body's fields: costs next to nothing, whatever the body.

        Raises Unauthorized.
        """
        rules = self._rules()
        announced = _announced(request, rules)
        if not announced and b"oauth_signature" not in (request.body or b""):
            raise rules.refusal
        if announced:
            rules.judge(announced)
            if len(request.body or b"") > LARGE and announced["oauth_consumer_key"] not in self._knowledge[0]:
                raise refused(WRONG)

    def verify(self, request: Signed) -> Seen:
        """As `authenticate`, except that the nonce is not noted: `commit` has to.

        With a large form it takes its time, and may be called in a thread.
        """
        self.parse(request)
        parameters = self._parameters(request)
        if request.body is not None:
            _check_body(request.body, parameters.get("oauth_body_hash"))
        client, timestamp, nonce = (parameters[name] for name in _IDENTITY)
        return client, int(timestamp), nonce

    async def commit(self, seen: Seen) -> None:
        """Record what `verify` returned, over a restart when this returns; nothing may be done before for the request.

        Raises:
            Unauthorized: it was recorded meanwhile, or it is too old by now to be refused the next time.
            Busy
        """
        if self._nonces.known(*seen):
            raise _used()
        if not self._nonces.lives(seen):
            raise refused("oauth_timestamp is old by the time that the body has come", hint="sign each request anew")
        await self._nonces.add(*seen)

    def _parameters(self, request: Signed) -> dict[str, str]:
        """The `oauth_` parameters, once the signature proved good."""
        rules = self._rules()
        endpoint = SignatureOnlyEndpoint(rules)
        headers = {"Content-Type": FORM}
        if request.authorization:
            headers["Authorization"] = request.authorization
        for form in request.forms():
            try:
                good, seen = endpoint.validate_request(request.url, request.method, form, headers)
            except (ValueError, TypeError):
                continue
            if good:
                return dict(seen.oauth_params)
        raise rules.refusal

    def _rules(self) -> _Rules:
        """New ones for each request: they keep the reason of a refusal, and several may be verified at once."""
        return _Rules(*self._knowledge)


def _announced(request: Signed, rules: _Rules) -> dict[str, str]:
    """The `oauth_` parameters of header and query; Unauthorized if they cannot be read."""
    try:
        pairs = parse_authorization_header(request.authorization) if request.authorization else []
        found = [(name, unquote(value)) for name, value in pairs]
        found += parse_qsl(urlsplit(request.url).query, keep_blank_values=True, max_num_fields=1000)
    except ValueError:
        raise rules.refusal from None
    return {name: value for name, value in found if name.startswith("oauth_")}


class _Rules(RequestValidator):
    """What oauthlib asks for; `refusal` is the reason for people, which oauthlib does not give."""

    enforce_ssl = False  # TLS is the listener's, or that of a trusted proxy
    allowed_signature_methods = METHODS
    timestamp_lifetime = 1 << 40
    dummy_client = "-"

    def __init__(
        self,
        clients: Mapping[str, Secret],
        now: Callable[[], float],
        limits: SignatureLimits,
        nonces: Nonces,
        dummy_secret: str,
    ) -> None:
        super().__init__()
        self._clients = clients
        self._now = now
        self._limits = limits
        self._nonces = nonces
        self._dummy_secret = dummy_secret
        self.refusal = refused("oauth parameters are missing, malformed, repeated, or in more than one place")

    def judge(self, parameters: Mapping[str, str]) -> None:
        """Raises Unauthorized for what cannot become a good signature, without showing which keys exist."""
        client, timestamp, nonce = (parameters.get(name, "") for name in _IDENTITY)
        if not (self.check_client_key(client) and self.check_nonce(nonce) and _NUMBER.fullmatch(timestamp)):
            raise self.refusal
        if not self.validate_timestamp_and_nonce(client, timestamp, nonce, None):
            raise self.refusal

    def check_client_key(self, client_key: str) -> bool:
        shortest, longest = self._limits.key
        return shortest <= len(client_key) <= longest

    def check_nonce(self, nonce: str) -> bool:
        shortest, longest = self._limits.nonce
        return shortest <= len(nonce) <= longest

    def validate_timestamp_and_nonce(
        self, client_key: str, timestamp: str, nonce: str, request: object, *tokens: object
    ) -> bool:
        """Records nothing."""
        skew = self._now() - int(timestamp)
        if abs(skew) > self._limits.window:
            side = "old" if skew > 0 else "in the future"
            self.refusal = refused(
                f"oauth_timestamp is {abs(skew):.0f} s {side}, {self._limits.window} are allowed",
                hint="set the clock of the client, or of this host",
            )
            return False
        if self._nonces.known(client_key, int(timestamp), nonce):
            self.refusal = _used()
            return False
        self.refusal = refused(WRONG)
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


def _used() -> Unauthorized:
    return refused("oauth_nonce was used before", hint="sign each request anew")


def refused(
    reason: str, *, hint: str = "sign the request with OAuth 1.0, a client's key and secret, and no token"
) -> Unauthorized:
    """Returns the error for a request that is refused."""
    return Unauthorized(f"OAuth: {reason}", hint=hint)


class BodyHash:
    """Compares the hash that a client announced (OAuth Request Body Hash extension) with the body that came.

    The extension has SHA-1 only; clients that sign with SHA-256 hash with it, too.
    """

    def __init__(self, announced: str) -> None:
        self._announced = announced.encode()
        self._hashes = (hashlib.sha1(usedforsecurity=False), hashlib.sha256())

    def update(self, data: bytes) -> None:
        """Add a part of the body."""
        for each in self._hashes:
            each.update(data)

    def check(self) -> None:
        """Raises Unauthorized unless all that came is the body that was announced."""
        expected = [base64.b64encode(each.digest()) for each in self._hashes]
        if not any(hmac.compare_digest(each, self._announced) for each in expected):
            raise refused("the body is not the one that oauth_body_hash was made of")


def _check_body(body: bytes, announced: str | None) -> None:
    if announced is not None:
        seen = BodyHash(announced)
        seen.update(body)
        seen.check()
