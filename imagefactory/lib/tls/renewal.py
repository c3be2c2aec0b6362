"""A certificate that is near its end while the daemon runs: made anew, or read anew, without a restart."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from OpenSSL.SSL import Context
from twisted.internet.interfaces import IOpenSSLContextFactory
from twisted.logger import Logger
from zope.interface import implementer

from imagefactory.lib.errors import InvalidInput
from imagefactory.lib.tls.identity import RENEW_BEFORE, Chosen

#: How often a new one is looked for.
PAUSE = timedelta(days=1)


@implementer(IOpenSSLContextFactory)
class Renewing:
    """What `TLSMemoryBIOFactory` asks for its context at each new connection.

    `choose` makes or reads an identity for a moment, `now` tells the moment.
    """

    _log = Logger()

    def __init__(self, choose: Callable[[datetime], Chosen], now: Callable[[], datetime]) -> None:
        self._choose = choose
        self._now = now
        self.chosen = choose(now())
        self._look_at = self.chosen.expires - RENEW_BEFORE
        self._tell()

    def getContext(self) -> Context:
        """For a new connection; those that are open keep theirs."""
        now = self._now()
        if now >= self._look_at:
            self._look_at = now + PAUSE
            self._renew(now)
        return self.chosen.options.getContext()

    def _renew(self, now: datetime) -> None:
        try:
            new = self._choose(now)
        except InvalidInput as error:
            self._log.error("the certificate cannot be renewed: {error}", error=error)
            return
        if new.fingerprint != self.chosen.fingerprint:
            self._log.warn(
                "a new certificate is in use: SHA-256 {new}, good until {until:%Y-%m-%d}; it was {old}",
                new=new.fingerprint,
                old=self.chosen.fingerprint,
                until=new.expires,
            )
        self.chosen = new
        self._look_at = max(self._look_at, new.expires - RENEW_BEFORE)
        self._tell()

    def _tell(self) -> None:
        for warning in self.chosen.warnings:
            self._log.warn("{warning}", warning=warning)
        if self.chosen.expires - self._now() <= RENEW_BEFORE:
            self._log.warn("the certificate expires on {until:%Y-%m-%d}: renew it", until=self.chosen.expires)
