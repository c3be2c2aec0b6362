"""A certificate that is near its end while the daemon runs: made anew, or read anew, without a restart."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from OpenSSL.SSL import Context
from twisted.internet.interfaces import IOpenSSLContextFactory
from twisted.logger import Logger
from zope.interface import implementer

from imagefactory.lib.concurrency.clock import Clock
from imagefactory.lib.concurrency.periodic import Periodic
from imagefactory.lib.concurrency.threads import Threads
from imagefactory.lib.errors import InvalidInput
from imagefactory.lib.tls.identity import RENEW_BEFORE, Chosen

CHECK_SECONDS = 3600.0
"""How often it is checked whether the certificate is near its end."""
PAUSE = timedelta(days=1)
"""How often a new one is looked for then."""


@implementer(IOpenSSLContextFactory)
class RenewedContext:
    """What `TLSMemoryBIOFactory` asks for its context at each new connection; it is in memory always.

    Args:
        choose: makes or reads an identity for a moment; called here at once, and in a thread later.
        now: tells the moment.
    """

    _log = Logger()

    def __init__(self, choose: Callable[[datetime], Chosen], now: Callable[[], datetime]) -> None:
        self._choose = choose
        self._now = now
        self.chosen = choose(now())
        self._look_at = self.chosen.expires - RENEW_BEFORE
        self._checks: Periodic | None = None
        self._warn()

    def getContext(self) -> Context:
        """For a new connection; those that are open keep theirs."""
        return self.chosen.options.getContext()

    def start(self, threads: Threads, clock: Clock) -> None:
        """Check from now on."""
        self._checks = Periodic("renewing the certificate", lambda: self._check(threads), CHECK_SECONDS, clock)
        self._checks.start()

    async def stop(self) -> None:
        """Check no more."""
        if self._checks is not None:
            await self._checks.stop()

    async def _check(self, threads: Threads) -> None:
        now = self._now()
        if now < self._look_at:
            return
        self._look_at = now + PAUSE
        try:
            new = await threads.run(self._choose, now)
            new.options.getContext()  # fails now rather than at the next connection
        except (InvalidInput, OSError) as error:
            self._log.error("the certificate cannot be renewed: {error}", error=error)
            return
        self._use(new)

    def _use(self, new: Chosen) -> None:
        if new.fingerprint != self.chosen.fingerprint:
            self._log.warn(
                "a new certificate is in use: SHA-256 {new}, good until {until:%Y-%m-%d}; it was {old}",
                new=new.fingerprint,
                old=self.chosen.fingerprint,
                until=new.expires,
            )
        self.chosen = new
        self._look_at = max(self._look_at, new.expires - RENEW_BEFORE)
        self._warn()

    def _warn(self) -> None:
        for warning in self.chosen.warnings:
            self._log.warn("{warning}", warning=warning)
        if self.chosen.expires - self._now() <= RENEW_BEFORE:
            self._log.warn("the certificate expires on {until:%Y-%m-%d}: renew it", until=self.chosen.expires)
