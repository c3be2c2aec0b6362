"""The ports of a daemon: what is ended, and when."""

import gc
from collections.abc import Awaitable
from dataclasses import replace
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.app.listeners import rest_listener
from imagefactory.lib.concurrency.threads import ThreadPools
from imagefactory.lib.errors import InvalidInput, Unavailable
from imagefactory.rest.site import make_site
from imagefactory.settings.table import Settings
from imagefactory.testing.inventory import FakeInventory
from imagefactory.testing.rest import FakeArguments, FakeJobs, FakeTargetCatalog, one_leftover
from imagefactory.testing.threads import ImmediateThreads


class RestListenerTests(SynchronousTestCase):
    """The port of the REST API."""

    def test_no_oauth_listens_on_loopback_only(self) -> None:
        """Anybody in the network could build as root: refused before a port is bound, with what to say instead."""
        for address in ("0.0.0.0", "::", "192.0.2.1"):
            settings = replace(Settings(), address=address, port=0, no_ssl=True, no_oauth=True)
            with self.assertRaises(InvalidInput) as caught:
                rest_listener(settings, Clock(), cast(Any, None), cast(Any, None))
            self.assertIn("--address 127.0.0.1", caught.exception.hint)

    def test_work_ends_before_what_it_works_with(self) -> None:
        """A drained listener has ended what requests began, and begins nothing more; connections end later."""
        self.addCleanup(gc.unfreeze)
        settings = replace(Settings(), address="127.0.0.1", port=0, no_ssl=True, no_oauth=True)
        site = make_site(
            FakeJobs(),
            FakeInventory.of_one(),
            arguments=FakeArguments(),
            targets=FakeTargetCatalog(),
            leftovers=one_leftover,
            settings=settings,
            clock=Clock(),
            threads=ImmediateThreads(),
        )
        listener = rest_listener(settings, Clock(), lambda: site, lambda: ThreadPools(cast(Any, Clock())))
        self.addCleanup(listener.socket.close)
        listener.make()
        task = site.tasks.add(_never())
        assert listener.drain is not None
        self.successResultOf(Deferred.fromCoroutine(_until(listener.drain())))
        self.assertTrue(task.ended.fired)
        with self.assertRaises(Unavailable):
            site.tasks.add(_never())


async def _never() -> None:
    await Deferred()


async def _until(ended: Awaitable[None]) -> None:
    await ended
