"""Saying who asks: over method and URL, as the clients of iwhd do it."""

from __future__ import annotations

from collections.abc import Callable

from oauthlib.oauth1 import Client

from imagefactory.lib.secret import Secret


class Signer:
    """Signs for one key; `now` is the time in Unix seconds, which the other side compares with its own."""

    def __init__(self, key: str, secret: Secret, now: Callable[[], float]) -> None:
        self._key = key
        self._secret = secret
        self._now = now

    def headers(self, method: str, url: str) -> dict[str, str]:
        """The header to send with this one request; it is good for one use."""
        client = Client(self._key, client_secret=self._secret.reveal(), timestamp=str(int(self._now())))
        signed: dict[str, str] = client.sign(url, http_method=method)[1]  # type: ignore[arg-type]
        return signed
