"""A REST service on a real socket, with TLS, for the functional tests of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint, wrapServerTLS
from twisted.internet.interfaces import IListeningPort
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from imagefactory.lib.concurrency.threads import PoolThreads
from imagefactory.lib.tls.identity import chosen, make, today
from imagefactory.rest.site import make_site
from imagefactory.settings.table import Settings
from imagefactory.testing.inventory import FakeInventory
from imagefactory.testing.rest import FakeArguments, FakeJobs, FakeTargetCatalog, one_leftover


class ServingTestCase(TestCase):
    """Serves fakes on a free port of the loopback."""

    settings: dict[str, Any] = {"no_oauth": True, "rest_names": ("x",)}  # noqa: RUF012
    tls = True

    async def setUp(self) -> None:
        self.jobs = FakeJobs()
        self.threads = PoolThreads(reactor)
        self.threads.start()
        self.addCleanup(lambda: Deferred.fromCoroutine(self.threads.stop()))
        self.identity = make(["localhost", "127.0.0.1"], today())
        self.site = make_site(
            self.jobs,
            FakeInventory.of_one(),
            arguments=FakeArguments(),
            targets=FakeTargetCatalog(),
            leftovers=one_leftover,
            settings=replace(Settings(), **self.settings),
            clock=reactor,
            threads=self.threads,
        )
        plain = TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1", backlog=500)
        endpoint = wrapServerTLS(chosen(self.identity).options, plain) if self.tls else plain
        listening = await endpoint.listen(self.site)
        verifyObject(IListeningPort, listening)
        self.addCleanup(self.site.connection_limit.close)
        self.addCleanup(lambda: Deferred.fromCoroutine(self.site.tasks.close()))
        self.addCleanup(listening.stopListening)
        self.port = listening.getHost().port
        self.url = f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}"
