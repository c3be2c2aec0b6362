"""Who may use the warehouse: two-legged OAuth 1.0 (RFC 5849), as iwhd had it and as its clients sign.

Clients differ in what they sign: the factory's 1.0 signed method and URL only, Ruby's library also form fields, others
add a hash of the body. All are accepted; a body hash, if given, must be right.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from secrets import token_hex
from urllib.parse import unquote

from oauthlib.oauth1 import RequestValidator, SignatureOnlyEndpoint
from oauthlib.oauth1.rfc5849.utils import parse_authorization_header

from imagefactory.model.errors import InvalidInput, Problem, Unauthorized
from imagefactory.model.secret import Secret
from imagefactory.warehouse.server.call import Call

LIFETIME = 600
_REMEMBERED = 100_000
_FORM = "application/x-www-form-urlencoded"


def load_users(path: Path) -> dict[str, Secret]:
    """Keys and secrets from a JSON file `[{"name": KEY, "secret": SECRET}]`; blocks.

    InvalidInput, also if others than its owner may read the file.
    """
    try:
        mode = path.stat().st_mode
        entries = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise InvalidInput(
            "the file of users cannot be read", where=str(path), problems=[Problem("", str(error))]
        ) from None
    if mode & 0o077:
        raise InvalidInput("others may read the file of users", where=str(path), hint=f"chmod 600 {path}")
    try:
        return {str(entry["name"]): Secret(str(entry["secret"])) for entry in entries}
    except (TypeError, KeyError):
        raise InvalidInput('[{"name": KEY, "secret": SECRET}] is expected', where=str(path)) from None


class Users:
    """Checks signatures; remembers nonces, so that a call that was overheard cannot be repeated."""

    def __init__(self, secrets: Mapping[str, Secret], now: Callable[[], float]) -> None:
        self._validator = _Validator(secrets, now)
        self._endpoint = SignatureOnlyEndpoint(self._validator)

    def check(self, call: Call) -> None:
        """Unauthorized unless the call is signed by a user we know; a streamed body is not looked at."""
        parameters = _oauth_parameters(call)
        _check_body_hash(parameters.get("oauth_body_hash"), call)
        self._validator.check_fresh(parameters)
        url = call.root + call.uri if call.uri.startswith("/") else call.uri
        headers = {"Authorization": call.header("authorization") or ""}
        for body, more in _signed_bodies(call):
            if self._endpoint.validate_request(url, call.method, body, headers | more)[0]:
                self._validator.remember(parameters)
                return
        raise Unauthorized("the signature is wrong, or the key unknown")


def _oauth_parameters(call: Call) -> dict[str, str]:
    header = call.header("authorization") or ""
    try:
        found = dict(parse_authorization_header(header)) if header[:6].lower() == "oauth " else {}
    except ValueError:
        found = {}
    if "oauth_signature" not in found:
        raise Unauthorized("the call is not signed (OAuth 1.0)")
    return {name: unquote(value) for name, value in found.items()}


def _signed_bodies(call: Call) -> Iterator[tuple[str | None, dict[str, str]]]:
    yield None, {}
    if call.body and call.content_type == _FORM:
        yield call.body.decode("latin-1"), {"Content-Type": _FORM}


def _check_body_hash(given: str | None, call: Call) -> None:
    if given is None or not call.body:
        return
    digest = base64.b64encode(hashlib.sha1(call.body).digest()).decode()  # noqa: S324 - the extension knows no other
    if not hmac.compare_digest(given.encode(), digest.encode()):
        raise Unauthorized("the body is not the one that was signed")


class _Validator(RequestValidator):
    """What oauthlib asks us. The nonce is recorded by `remember`, after the signature was right: oauthlib asks for it
    before, when anybody could fill the memory."""

    enforce_ssl = False
    allowed_signature_methods = ("HMAC-SHA1", "HMAC-SHA256")
    timestamp_lifetime = 1 << 40  # oauthlib reads the system clock; check_fresh reads ours
    client_key_length = (1, 1000)
    nonce_length = (4, 200)
    dummy_client = "dummy"

    def __init__(self, secrets: Mapping[str, Secret], now: Callable[[], float]) -> None:
        super().__init__()
        self._secrets = secrets
        self._now = now
        self._seen: OrderedDict[tuple[str, str, str], float] = OrderedDict()
        self._dummy = token_hex(16)

    def check_client_key(self, client_key: str) -> bool:
        return bool(client_key)

    def check_nonce(self, nonce: str) -> bool:
        low, high = self.nonce_length
        return low <= len(nonce) <= high

    def validate_client_key(self, client_key: str, _: object) -> bool:
        return client_key in self._secrets

    def get_client_secret(self, client_key: str, _: object) -> str:
        secret = self._secrets.get(client_key)
        return secret.reveal() if secret is not None else self._dummy

    def validate_timestamp_and_nonce(self, *_: object) -> bool:
        return True  # check_fresh has looked, against the injected clock

    def check_fresh(self, parameters: Mapping[str, str]) -> None:
        """Unauthorized if the call is too old, from the future, or was made before."""
        try:
            age = abs(self._now() - int(parameters.get("oauth_timestamp", "")))
        except ValueError:
            age = float("inf")
        if age > LIFETIME:
            raise Unauthorized("the time of the signature is too far from ours", hint="set the clock")
        if _nonce(parameters) in self._seen:
            raise Unauthorized("this call was made before")

    def remember(self, parameters: Mapping[str, str]) -> None:
        """Never accept these again; what is too old to be accepted anyway is forgotten."""
        now = self._now()
        self._seen[_nonce(parameters)] = now
        while self._seen and (
            len(self._seen) > _REMEMBERED or abs(now - next(iter(self._seen.values()))) > 2 * LIFETIME
        ):
            self._seen.popitem(last=False)


def _nonce(parameters: Mapping[str, str]) -> tuple[str, str, str]:
    names = ("oauth_consumer_key", "oauth_timestamp", "oauth_nonce")
    return tuple(parameters.get(name, "") for name in names)  # type: ignore[return-value]
