"""A factory in another container, with processes of its own numbers, over the same state directory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import IO
from unittest import SkipTest

from imagefactory.jobs.store.interface import JobNode
from imagefactory.jobs.store.sqlite import SqliteJobStore, open_store
from imagefactory.lib.process.journal import is_alive
from imagefactory.testing.threads import ImmediateThreads
from tests.jobs.service_case import ServiceCase

UNSHARE = ("unshare", *(() if os.getuid() == 0 else ("--user", "--map-root-user")), "--pid", "--fork", "--kill-child")
BUILDING = """
import sys
from pathlib import Path
from twisted.internet.defer import Deferred
from imagefactory.jobs.store.interface import JobNode, NewJobs
from imagefactory.jobs.store.sqlite import open_store
from imagefactory.lib.process.journal import Journal
from imagefactory.testing.job_store import job
from imagefactory.testing.threads import ImmediateThreads

async def build():
    journal = await Journal.open(Path(sys.argv[1]) / "journal", ImmediateThreads())
    store = await open_store(Path(sys.argv[1]) / "jobs.db", JobNode(journal.token), ImmediateThreads())
    await store.create(NewJobs([job()]))
    print("building", flush=True)
    sys.stdin.read()

Deferred.fromCoroutine(build())
"""


class ContainerTests(ServiceCase):
    """Process numbers say nothing there; the lock of the journal does."""

    def setUp(self) -> None:
        if subprocess.run([*UNSHARE, "true"], capture_output=True, check=False).returncode:
            raise SkipTest("no namespace of process numbers can be made here")
        super().setUp()
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir()

    def elsewhere(self) -> subprocess.Popen[bytes]:
        """Returns a process in a namespace of its own that has a job, and whose standard input keeps it alive."""
        command = [*UNSHARE, sys.executable, "-c", BUILDING, str(self.directory)]
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(lambda: child.returncode is None and self.end(child))
        self.assertEqual(b"building\n", _pipe(child.stdout).readline())
        return child

    def end(self, child: subprocess.Popen[bytes]) -> None:
        """End it without a chance to clear away."""
        child.kill()
        child.wait()
        self.assertEqual(b"", _pipe(child.stdout).read())  # no process of the namespace is left
        for pipe in (child.stdin, child.stdout):
            _pipe(pipe).close()

    def open_store(self) -> SqliteJobStore:
        """Returns the store that both share."""
        store = self.get(open_store(self.directory / "jobs.db", JobNode("here"), ImmediateThreads()))
        self.addCleanup(store._database.close)
        return store

    def test_its_jobs_are_its_own_while_it_lives(self) -> None:
        """They are shown as they are; when it is killed they become FAILED."""
        child = self.elsewhere()
        self.alive = lambda token: is_alive(self.directory / "journal", token)
        self.jobs = self.service(self.open_store())
        self.get(self.jobs.start(resume=True))
        self.clock.advance(2)
        self.assertEqual(["BUILDING"], self.states())
        self.end(child)
        self.clock.advance(2)
        self.assertEqual(["FAILED"], self.states())
        self.get(self.jobs.stop())


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe
