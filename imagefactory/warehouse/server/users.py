"""Who may use the warehouse: two-legged OAuth 1.0 (RFC 5849), as iwhd had it and as its clients sign.

Clients differ in what they sign: the factory's 1.0 signed method and URL only, Ruby's library also form fields, others
add a hash of the body. All are accepted; a body hash, if given, must be right.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import unquote

from oauthlib.oauth1.rfc5849.utils import parse_authorization_header

from imagefactory.lib.concurrency.threads import Threads
from imagefactory.lib.errors import InvalidInput, Problem
from imagefactory.lib.oauth.memory import Memory, Seen
from imagefactory.lib.oauth.verifier import FORM, BodyHash, SignatureLimits, Signed, Verifier, refused
from imagefactory.lib.secret import Secret
from imagefactory.warehouse.server.call import Call

#: Bytes of a body that are looked at at once.
SMALL = 64 << 10
LIMITS = SignatureLimits(window=600, nonce=(4, 200), key=(1, 1000))


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
        pairs = [(entry["name"], entry["secret"]) for entry in entries]
    except (TypeError, KeyError):
        pairs = [(None, None)]
    if not all(isinstance(text, str) and text for pair in pairs for text in pair):
        hint = "names and secrets are texts that are not empty"
        raise InvalidInput('[{"name": KEY, "secret": SECRET}] is expected', where=str(path), hint=hint)
    return {name: Secret(secret) for name, secret in pairs}


class Users:
    """Checks signatures; a call that was overheard cannot be repeated, also after a restart if `memory` outlives it."""

    def __init__(self, secrets: Mapping[str, Secret], now: Callable[[], float], memory: Memory | None = None) -> None:
        self._verifier = Verifier(secrets, now, LIMITS, memory)

    def verify(self, call: Call) -> Seen:
        """Check the signature, in the header, of a call whose body is still to come; its hash is not looked at.

        Returns what to `commit` before anything is done for the call.

        Raises:
            Unauthorized: no user that is known has signed it.
        """
        return self._verifier.verify(_signed(call, streamed=True))

    async def commit(self, seen: Seen) -> None:
        """Record the signature as used.

        Raises:
            Unauthorized: it was used before.
            Busy
        """
        await self._verifier.commit(seen)

    async def check_whole(self, call: Call, threads: Threads) -> None:
        """The same for a call with its body, in a thread if that is large: a form is part of the signature."""
        signed = _signed(call, streamed=False)
        if len(call.body) <= SMALL:
            await self._verifier.authenticate(signed)
            return
        self._verifier.parse(signed)
        await self._verifier.commit(await threads.run(self._verifier.verify, signed))


def _signed(call: Call, *, streamed: bool) -> Signed:
    authorization = signed_at_all(call)
    url = call.root + call.uri if call.uri.startswith("/") else call.uri
    body = None if streamed else call.body
    return Signed(call.method, url, authorization, lambda: _forms(call), body)


def signed_at_all(call: Call) -> str:
    """The header with the signature; Unauthorized if there is none."""
    authorization = call.header("authorization") or ""
    if authorization[:6].lower() != "oauth ":
        raise refused("the call is not signed")
    return authorization


def _forms(call: Call) -> tuple[str, ...]:
    return ("", call.body.decode("latin-1")) if call.body and call.content_type == FORM else ("",)


def body_hash(call: Call) -> BodyHash | None:
    """What the call, whose signature is good, says of its body; None if it says nothing."""
    pairs = parse_authorization_header(call.header("authorization") or "")
    announced = [unquote(value) for name, value in pairs if name == "oauth_body_hash"]
    return BodyHash(announced[-1]) if announced else None


def hashing(seen: BodyHash | None, write: Callable[[bytes], None]) -> Callable[[bytes], None]:
    """`write`, with everything hashed on its way."""
    if seen is None:
        return write

    def both(data: bytes) -> None:
        seen.update(data)
        write(data)

    return both
