"""The real things for functional tests: child processes, threads and report on trial's own reactor."""

from __future__ import annotations

import tempfile
from collections.abc import Coroutine
from pathlib import Path
from shutil import rmtree
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from imagefactory.lib.concurrency.threads import PoolThreads
from imagefactory.lib.process.interface import Privilege
from imagefactory.lib.process.supervise import TwistedProcesses, base_environment

T = TypeVar("T")


class RealTestCase(TestCase):
    """Has a directory of its own, and everything that is handed to the rooms in production."""

    def setUp(self) -> None:
        from twisted.internet import reactor

        self.reactor: Any = reactor
        self.directory = Path(tempfile.mkdtemp(prefix="factory-test."))
        self.addCleanup(rmtree, self.directory, ignore_errors=True)
        self.threads = PoolThreads(self.reactor)
        self.threads.start()
        self.addCleanup(lambda: Deferred.fromCoroutine(self.threads.stop()))
        environment = base_environment(self.directory, self.directory)
        self.processes = TwistedProcesses(self.reactor, self.reactor, base_env=environment)
        self.privilege = Privilege()

    async def fails(self, error: type[Exception], work: Coroutine[Any, Any, T]) -> Any:
        """The error that `work` raises."""
        return await self.assertFailure(Deferred.fromCoroutine(work), error)
